"""Saved questions, boards, stars, comments and markers: by whom, where, and for whom."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from insights.explore import service_board
from insights.explore.models import Board, Comment, Panel, SavedQuery, Star
from insights.explore.question import Question
from insights.explore.said import in_words
from projects.models import AuditEntry, Environment
from releases.models import Change
from tests.conftest import Cast
from tests.events.test_query import items, store

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]
BASE = "/acme/production"
ADDRESS = "op=P95&of=duration_ms&by=plan&window=24h"


def post(client: Client, path: str, **given: Any) -> str:
    """Where it leads, and what is said there."""
    response = client.post(f"{BASE}/{path}", given)
    assert response.status_code == 302, response.status_code
    address: str = response["Location"]
    shown = client.get(address)
    assert shown.status_code == 200
    return " ".join(re.findall(r'<p class="message[^>]*>([^<]*)', shown.getvalue().decode()))


def test_a_question_is_saved_by_name_and_found_again(
    editor_page: Client, viewer_page: Client, environment: Environment
) -> None:
    assert "Saved as Slow plans" in post(
        editor_page, "explore/save", name="Slow plans", address=f"{ADDRESS}&blank="
    )
    (saved,) = SavedQuery.objects.all()
    assert saved.address == ADDRESS
    text = viewer_page.get(f"{BASE}/boards").getvalue().decode()
    assert "Slow plans" in text
    assert "P95 of duration_ms by plan, last 24 hours" in text
    post(editor_page, "explore/save", name="Slow plans", address="by=service")
    assert SavedQuery.objects.get().address == "by=service"
    assert AuditEntry.objects.filter(action="query.saved").count() == 2


def test_a_board_is_made_filled_ordered_and_taken_apart(
    editor_page: Client, environment: Environment
) -> None:
    store(environment, items(50))
    post(editor_page, "explore/board", new_board="Checkout", title="One", address=ADDRESS)
    board = Board.objects.get()
    post(editor_page, "explore/board", board=board.id, title="Two", address="by=service", note="n")
    one, two = Panel.objects.all()
    text = editor_page.get(f"{BASE}/boards/{board.id}").getvalue().decode()
    panels = [address.replace("&amp;", "&") for address in re.findall(r'hx-get="([^"]+)"', text)]
    assert len(panels) == 2
    shown = [editor_page.get(one, headers={"HX-Request": "true"}) for one in panels]
    ids = [re.findall(r'<figure[^>]* id="([^"]+)"', one.getvalue().decode()) for one in shown]
    assert ids == [["panel-1-picture-0"], ["panel-2-picture-0"]]
    post(editor_page, f"boards/panels/{two.id}", act="up")
    assert list(board.panels.values_list("title", flat=True)) == ["Two", "One"]
    post(editor_page, f"boards/panels/{one.id}", act="remove")
    post(editor_page, f"boards/board/{board.id}", act="delete")
    assert not Board.objects.exists()


def test_each_service_has_a_board_by_itself(viewer_page: Client, environment: Environment) -> None:
    store(environment, items(60))
    assert (
        f'href="{BASE}/boards/service/shop"'
        in viewer_page.get(f"{BASE}/boards").getvalue().decode()
    )
    text = viewer_page.get(f"{BASE}/boards/service/shop").getvalue().decode()
    for address in re.findall(r'hx-get="([^"]+)"', text):
        panel = viewer_page.get(address.replace("&amp;", "&"), headers={"HX-Request": "true"})
        said = panel.getvalue().decode()
        assert "<figure" in said or "No request matches" in said
    assert viewer_page.get(f"{BASE}/boards/service/never").status_code == 404


def test_a_service_beyond_those_that_are_listed_has_its_board_too(
    viewer_page: Client, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_board, "MOST", 1)
    store(environment, [{"service": one} for one in ("busy", "busy", "quiet")])
    listed = viewer_page.get(f"{BASE}/boards").getvalue().decode()
    assert "boards/service/busy" in listed
    assert "boards/service/quiet" not in listed
    assert viewer_page.get(f"{BASE}/boards/service/quiet").status_code == 200


@pytest.mark.parametrize("view", ["events", "traces"])
def test_a_panel_of_events_or_traces_shows_the_first_of_them(
    editor_page: Client, environment: Environment, view: str
) -> None:
    made = items(30)
    store(environment, made)
    panel = editor_page.get(f"{BASE}/explore/panel?view={view}&order=slowest&panel=3")
    traces = re.findall(r"/traces/([0-9a-f]{32})", panel.getvalue().decode())
    assert (
        traces == [one["trace_id"] for one in sorted(made, key=lambda one: -one["duration_ms"])][:8]
    )
    both = editor_page.get(f"{BASE}/explore/panel?op=COUNT&of=&op=P95&of=duration_ms")
    assert both.getvalue().decode().count("<figure") == 2


def test_a_comment_stands_by_the_question_and_on_the_timeline(
    editor_page: Client, viewer_page: Client, environment: Environment
) -> None:
    post(editor_page, "explore/comment", address=ADDRESS, text="Free plans are slow since noon")
    comment = Comment.objects.get()
    change = Change.objects.get()
    assert comment.change == change
    assert change.url.endswith(f"{BASE}/explore?{ADDRESS}")
    assert change.actor == "editor@acme.example"
    assert "slow since noon" in viewer_page.get(f"{BASE}/explore?{ADDRESS}").getvalue().decode()
    assert "slow since noon" not in viewer_page.get(f"{BASE}/explore?by=plan").getvalue().decode()
    timeline = viewer_page.get(f"{BASE}/timeline").getvalue().decode()
    assert "slow since noon" in timeline
    asked = escape(f"{BASE}/explore?{ADDRESS}")
    assert f'{asked}" rel="noreferrer">the question it is about</a>' in timeline


def test_a_marker_by_hand_is_at_the_local_time_that_was_written(
    editor_page: Client, environment: Environment
) -> None:
    at = timezone.now().replace(second=0, microsecond=0) - timedelta(days=3)
    local = at.astimezone(environment.zone)
    assert local.utcoffset() != timedelta(0)
    post(
        editor_page, "explore/marker", title="Campaign", time=f"{local:%Y-%m-%dT%H:%M}",
        kind="campaign", service="shop", url="https://example.org/x",
    )  # fmt: skip
    change = Change.objects.get()
    assert change.time == at
    assert (change.kind, change.marker_kind, change.service) == ("marker", "campaign", "shop")


def test_stars_are_each_persons_own(
    editor_page: Client, viewer_page: Client, environment: Environment
) -> None:
    post(editor_page, "explore/save", name="A", address=ADDRESS)
    post(editor_page, "explore/save", name="B", address="by=service")
    b = SavedQuery.objects.get(name="B")
    post(viewer_page, f"boards/query/{b.id}", act="star")
    text = viewer_page.get(f"{BASE}/boards").getvalue().decode()
    assert text.index(">B<") < text.index(">A<")
    text = editor_page.get(f"{BASE}/boards").getvalue().decode()
    assert text.index(">A<") < text.index(">B<")
    post(viewer_page, f"boards/query/{b.id}", act="star")
    assert not Star.objects.exists()


def test_recent_questions_are_remembered_for_who_asked(
    editor_page: Client, viewer_page: Client, environment: Environment
) -> None:
    viewer_page.get(f"{BASE}/explore?{ADDRESS}")
    assert "P95 of duration_ms by plan" in viewer_page.get(f"{BASE}/boards").getvalue().decode()
    assert "P95 of duration_ms" not in editor_page.get(f"{BASE}/boards").getvalue().decode()


@pytest.mark.parametrize(
    ("path", "given", "said"),
    [
        ("explore/save", {"name": " ", "address": ADDRESS}, "A name has 1 to 120 characters"),
        ("explore/comment", {"text": "", "address": ADDRESS}, "A comment has 1 to 2000"),
        ("explore/comment", {"text": "x" * 2001, "address": ADDRESS}, "A comment has 1 to 2000"),
        ("explore/marker", {"title": "x", "time": "noon"}, "Write a time such as"),
        ("explore/marker", {"title": "x", "url": "javascript:alert(1)"}, "begins with http"),
        ("explore/marker", {"title": ""}, "A marker&#x27;s title has"),
        ("explore/board", {"title": "x", "new_board": ""}, "A name has 1 to 120 characters"),
        ("boards/new", {"name": ""}, "A name has 1 to 120 characters"),
    ],
)
def test_what_can_not_be_kept_is_said(
    editor_page: Client, environment: Environment, path: str, given: dict[str, str], said: str
) -> None:
    assert said in post(editor_page, path, **given)


def test_an_address_can_lead_nowhere_else(editor_page: Client, environment: Environment) -> None:
    response = editor_page.post(
        f"{BASE}/explore/save", {"name": "x", "address": "//evil.example/?by=plan\r\nX: y"}
    )
    assert response["Location"].startswith(f"{BASE}/explore")
    assert "\n" not in response["Location"]


def test_viewers_keep_nothing_for_others_and_outsiders_see_nothing(
    cast: Cast, editor_page: Client, viewer_page: Client, outsider_page: Client
) -> None:
    post(editor_page, "explore/board", new_board="Mine", title="One", address=ADDRESS)
    post(editor_page, "explore/save", name="A", address=ADDRESS)
    board, saved = Board.objects.get(), SavedQuery.objects.get()
    panel = board.panels.get()
    acts: list[tuple[str, dict[str, Any]]] = [
        ("explore/save", {"name": "x", "address": ""}),
        ("explore/comment", {"text": "x", "address": ""}),
        ("explore/marker", {"title": "x"}),
        ("explore/board", {"title": "x", "board": board.id}),
        ("boards/new", {"name": "x"}),
        (f"boards/panels/{panel.id}", {"act": "remove"}),
        (f"boards/board/{board.id}", {"act": "delete"}),
        (f"boards/query/{saved.id}", {"act": "delete"}),
    ]
    for path, given in acts:
        assert viewer_page.post(f"{BASE}/{path}", given).status_code == 403
        assert outsider_page.post(f"{BASE}/{path}", given).status_code == 404
        assert viewer_page.get(f"{BASE}/{path}").status_code == 405
    for path in ("boards", f"boards/{board.id}", "boards/service/shop"):
        assert outsider_page.get(f"{BASE}/{path}").status_code == 404
    staging = f"/acme/staging/boards/{board.id}"
    assert editor_page.get(staging).status_code == 404
    assert (Board.objects.count(), SavedQuery.objects.count()) == (1, 1)


def test_a_question_in_words_says_what_is_asked() -> None:
    assert in_words(Question()) == "Count, last 2 hours"
