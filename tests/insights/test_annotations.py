"""Which changes stand on a picture: the kinds that were chosen, and how many were left out."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.test import Client

from insights import annotations
from insights.annotations import MARKS
from insights.explore.question import read
from projects.models import Environment
from releases.changes import NewChange, record
from tests.insights.conftest import Shop

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def marked(environment: Environment) -> Environment:
    for place, kind in enumerate(("deploy", "flag", "marker", "marker")):
        at = NOW - timedelta(minutes=10 * place + 5)
        record(
            NewChange(
                environment_id=environment.id, kind=kind, time=at, title=f"{kind} {place}",
                actor="ada",
            )
        )  # fmt: skip
    return environment


@pytest.mark.parametrize("show", MARKS)
def test_the_kinds_that_were_chosen_are_marked(marked: Environment, show: str) -> None:
    assert read(QueryDict(f"marks={show}")).marks == show
    found = annotations.changes(marked.id, SINCE, NOW, show)
    wanted = show.split("-") if show else ["deploy", "flag", "marker"]
    kinds = [one.change.kind for one in found]
    assert kinds == [
        kind for kind in ("marker", "marker", "flag", "deploy") if kind in wanted
    ]  # oldest first


def test_a_mark_says_who_and_what_and_leads_to_its_change(marked: Environment) -> None:
    groups = annotations.grouped(annotations.changes(marked.id, SINCE, NOW, ""), SINCE, NOW)
    drawn = annotations.trace(groups, zone=ZoneInfo("UTC"), base="/acme/production", yaxis="y2")
    assert drawn["hovertext"][-1] == "13:55:00 deploy 0, ada"
    change = groups[-1].told[0].change
    link, kind, until = drawn["customdata"][-1]
    assert (link, kind) == (f"/acme/production/changes/{change.id}", "deploy")
    assert datetime.fromisoformat(until) == change.time + timedelta(seconds=1)
    assert len(set(drawn["marker"]["symbol"])) == 3
    assert len(set(drawn["marker"]["color"])) == 3


def test_more_changes_than_are_drawn_are_said(
    marked: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotations, "MOST", 3)
    groups = annotations.grouped(annotations.changes(marked.id, SINCE, NOW, ""), SINCE, NOW)
    assert annotations.said(groups).startswith("Marked, the newest 3 alone: ")
    assert [one.change.kind for group in groups for one in group.told] == [
        "marker", "flag", "deploy",
    ]  # fmt: skip


def drawn_kinds(client: Client, address: str) -> set[str]:
    """The shapes of the marks on a page's picture over time."""
    answer = client.get(f"/acme/production{address}")
    assert answer.status_code == 200, address
    page = (answer.getvalue() if answer.streaming else answer.content).decode()
    figures = re.findall(r'<pre id="[^"]*-figure" hidden>(.*?)</pre>', page, re.DOTALL)
    traces = [one for figure in figures for one in json.loads(html.unescape(figure))["data"]]
    found = [set(one["marker"]["symbol"]) for one in traces if one.get("name") == "changes"]
    assert found
    return found[0]


def test_each_page_with_pictures_over_time_lets_choose_which_changes_stand_on_them(
    shop: Shop, viewer_page: Client
) -> None:
    shop.look()
    at = shop.now - timedelta(minutes=5)
    record(NewChange(environment_id=shop.environment.id, kind="flag", time=at, title="flip"))
    since, until = (f"{shop.now - timedelta(minutes=ago):%Y-%m-%dT%H:%M:%SZ}" for ago in (12, 2))
    for address in (
        "/?window=1h",
        "/flags/USE_CACHING?",
        f"/changes/{shop.change(kind='marker').id}?",
        f"/what-changed?inline=1&since={since}&until={until}",
        "/explore?inline=1&window=2h",
        "/cohorts?inline=1&a.field=flags.USE_CACHING&a.is=%3D&a.value=on&b.field=flags.USE_CACHING&b.is=%3D&b.value=off",
    ):
        assert drawn_kinds(viewer_page, f"{address}&marks=flag") == {"diamond"}, address
        assert drawn_kinds(viewer_page, f"{address}&marks=none") == set(), address
        assert {"diamond", "triangle-up"} <= drawn_kinds(viewer_page, f"{address}&marks=odd")


def test_the_choice_stays_with_what_else_the_address_says(shop: Shop, viewer_page: Client) -> None:
    shop.look()
    page = viewer_page.get("/acme/production/flags/USE_CACHING?candidate=on&marks=flag")
    text = page.content.decode()
    form = text[text.index('class="filters marks"') :]
    assert '<input type="hidden" name="candidate" value="on">' in form
    assert '<option value="flag" selected>' in form
    assert "Add a marker" not in form  # who may only look


def test_a_marker_is_added_from_the_timeline_too(
    environment: Environment, editor_page: Client, viewer_page: Client
) -> None:
    assert 'id="add-marker"' in editor_page.get("/acme/production/timeline").content.decode()
    assert 'id="add-marker"' not in viewer_page.get("/acme/production/timeline").content.decode()
    act = "/acme/production/explore/marker"
    sent = {"title": "Campaign began", "kind": "campaign", "back": "timeline"}
    answer = editor_page.post(act, sent)
    assert answer["Location"] == "/acme/production/timeline"
    assert "Campaign began" in editor_page.get("/acme/production/timeline").content.decode()
    assert viewer_page.post(act, sent).status_code == 403
