"""Which changes stand on a picture: the kinds that were chosen, and how many were left out."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from insights.explore import annotations
from insights.explore.question import MARKS, read
from projects.models import Environment
from releases.changes import NewChange, record

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
