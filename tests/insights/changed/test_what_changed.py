"""Which changes explain how a time differs from the time before: answers, page and API."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from insights import looks, watches
from insights.changed.explain import Asked, Explained, explained
from insights.changed.page import measure_of
from insights.changed.said import answer, part
from insights.cohorts import Scope
from insights.explore.question import Question
from projects.models import Environment
from releases.models import Change
from tests.insights.traffic import Request, on, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
MOVED = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
BEGIN, END = MOVED - timedelta(minutes=90), MOVED + timedelta(minutes=30)
Edit = Callable[[Request, random.Random], None]


def sent(key: str, change: Edit, count: int = 9000) -> None:
    send(requests(BEGIN, count=count, users=500, minutes=120, change=change), key)


def changed(environment: Environment, kind: str, minutes: float, **fields: str) -> Change:
    title = fields.pop("title", kind)
    time = MOVED + timedelta(minutes=minutes)
    return Change.objects.create(
        environment=environment, kind=kind, time=time, title=title, actor="ann", **fields
    )


def asked(environment: Environment, **more: object) -> Explained:
    return explained(environment, Asked(MOVED, END, Scope(**more)))  # type: ignore[arg-type]  # names of a scope


def after(request: Request) -> bool:
    return request.time >= MOVED


def test_a_flag_that_explains_it_is_named_and_those_beside_it_are_not(
    environment: Environment, ingest_key: str
) -> None:
    def slower_with_search(request: Request, rng: random.Random) -> None:
        flags = request.fields["flags"]
        flags["SEARCH_V2"] = "on" if after(request) and on("SEARCH_V2", request.user) else "off"
        flags["BANNER"] = "on" if after(request) and on("BANNER", request.user) else "off"
        if flags["SEARCH_V2"] == "on":
            request.fields["duration_ms"] *= 2.5

    sent(ingest_key, slower_with_search)
    flag = changed(environment, "flag", 0, flag="SEARCH_V2", title="SEARCH_V2 → on for 50%")
    changed(environment, "flag", 0, flag="BANNER", title="BANNER → on for 50%")
    changed(environment, "marker", -20, title="Newsletter")
    found = asked(environment)
    first = found.candidates[0]
    assert first.told.change == flag
    assert first.part == "explains"
    assert first.share is not None
    assert first.share > 0.8
    assert [one.part for one in found.candidates[1:]] == ["no", "no"]
    assert "SEARCH_V2 → on for 50% explains it." in answer(found, UTC)


def test_builds_that_came_and_went_meanwhile_do_not_explain_what_a_flag_did(
    environment: Environment, ingest_key: str
) -> None:
    """The flag was turned twelve minutes before the time that is picked, and builds follow each
    other all the time: whatever comes with time goes with the difference between two times."""
    turned = MOVED - timedelta(minutes=12)
    deploys = [-70, -45, -22, -6, 4, 17]

    def half_slower(request: Request, rng: random.Random) -> None:
        minutes = (request.time - MOVED).total_seconds() / 60
        request.fields["build_id"] = f"b{sum(minutes >= one for one in deploys)}"
        is_on = request.time >= turned and on("CACHE", request.user)
        request.fields["flags"]["CACHE"] = "on" if is_on else "off"
        if is_on:
            request.fields["duration_ms"] *= 4

    sent(ingest_key, half_slower, count=12_000)
    flag = changed(environment, "flag", -12, flag="CACHE", title="CACHE on for 50%")
    for number, minutes in enumerate(deploys, 1):
        changed(environment, "deploy", minutes, service="shop", build_id=f"b{number}")
    changed(environment, "marker", -12, title="Newsletter")
    found = asked(environment)
    assert found.candidates[0].told.change == flag
    assert [one.part for one in found.candidates] == ["explains"] + ["no"] * 5  # in these 60 min
    assert answer(found, UTC).endswith("CACHE on for 50% explains it.")
    newsletter = next(one for one in found.candidates if one.told.change.kind == "marker")
    assert part(newsletter, found) == "It came just then, but another change explains it all."


def test_a_deploy_to_everyone_is_named_by_its_moment(
    environment: Environment, ingest_key: str
) -> None:
    def slower_build(request: Request, rng: random.Random) -> None:
        request.fields["build_id"] = "b2" if after(request) else "b1"
        if after(request):
            request.fields["duration_ms"] *= 2.0

    sent(ingest_key, slower_build)
    deploy = changed(environment, "deploy", 0, service="shop", build_id="b2", title="shop build b2")
    changed(environment, "marker", 15, title="Newsletter")
    found = asked(environment)
    assert found.candidates[0].told.change == deploy
    assert [one.part for one in found.candidates] == ["coincides", "no"]
    assert found.levels.moved_at is not None
    assert abs(found.levels.moved_at - MOVED) <= timedelta(minutes=2)
    text = answer(found, UTC)
    assert "shop build b2 came just when the level moved, and nothing else did." in text
    assert "in this time" in text
    assert "in the 30 min before" in text


def test_two_changes_of_one_moment_are_not_told_apart(
    environment: Environment, ingest_key: str
) -> None:
    def failing(request: Request, rng: random.Random) -> None:
        if after(request) and rng.random() < 0.15:
            request.fields.update(status_code=500, error=True)

    sent(ingest_key, failing)
    changed(environment, "deploy", 0, service="shop", build_id="b2", title="shop build b2")
    changed(environment, "marker", 0, title="Database moved")
    found = asked(environment)
    assert found.difference.delta.measure == "error_rate"
    assert {one.part for one in found.candidates} == {"coincides"}
    assert "they cannot be told apart" in answer(found, UTC)


def test_no_change_explains_it_is_an_answer_and_says_where_it_is(
    environment: Environment, ingest_key: str
) -> None:
    def slow_partner(request: Request, rng: random.Random) -> None:
        request.fields["partner"] = rng.choice(["visa", "amex", "paypal"])
        if after(request) and request.fields["partner"] == "paypal":
            request.fields["duration_ms"] *= 6

    sent(ingest_key, slow_partner)
    changed(environment, "marker", -14, title="Newsletter")
    found = asked(environment)
    assert found.differs
    assert found.leading == ()
    assert "No change explains it" in answer(found, UTC)
    assert found.where is not None
    assert found.where.segments[0].terms[0].values == ("paypal",)


def test_a_quiet_time_has_nothing_to_explain(environment: Environment, ingest_key: str) -> None:
    sent(ingest_key, lambda request, rng: None)
    changed(environment, "marker", 0, title="Newsletter")
    found = asked(environment)
    assert not found.differs
    assert found.candidates == ()
    told = answer(found, UTC)
    assert told.startswith("Nothing differs beyond chance")
    assert "by themselves. As measured, requests in this time" in told


def test_more_traffic_is_said_as_traffic(environment: Environment, ingest_key: str) -> None:
    sent(ingest_key, lambda request, rng: None)
    send(requests(MOVED, count=6000, users=500, minutes=30, seed=2), ingest_key)
    changed(environment, "marker", 0, title="Newsletter")
    found = explained(environment, Asked(MOVED, END, Scope(), "traffic"))
    assert found.differs
    assert [one.part for one in found.candidates] == ["coincides"]
    assert "more than in the 30 min before" in answer(found, UTC)


ADDRESS = "/acme/production/what-changed"
TIMES = {"since": "2026-11-24T05:00", "until": "2026-11-24T05:30"}  # local, New York


def test_the_page_comes_at_once_and_its_answer_at_the_same_address(
    environment: Environment, ingest_key: str, viewer_page: Client, outsider_page: Client
) -> None:
    def slower(request: Request, rng: random.Random) -> None:
        request.fields["duration_ms"] *= 3 if after(request) else 1

    sent(ingest_key, slower)
    changed(environment, "marker", 0, title="Database moved")
    whole = viewer_page.get(ADDRESS, TIMES)
    assert whole.status_code == 200
    assert b"<html" in whole.content
    assert b'hx-trigger="load"' in whole.content
    part = viewer_page.get(ADDRESS, TIMES, headers={"HX-Request": "true"})
    text = part.content.decode()
    assert "<html" not in text
    assert "slower" in text
    assert "Same moment" in text
    assert "Database moved" in text
    without_script = viewer_page.get(ADDRESS, {**TIMES, "inline": "1"}).content.decode()
    assert "<html" in without_script
    assert "Database moved" in without_script
    assert outsider_page.get(ADDRESS, TIMES).status_code == 404
    assert viewer_page.post(ADDRESS).status_code in (403, 405)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"since": "yesterday"}, "since: write a time"),
        ({"since": "2026-11-24T05:30", "until": "2026-11-24T05:00"}, "before it ends"),
        ({"since": "2026-11-20T05:30", "until": "2026-11-24T05:00"}, "24 hours"),
        ({**TIMES, "measure": "joy"}, "no measure joy"),
        ({"since": "2026-11-24T25:99"}, "since: write a time"),
    ],
)
def test_what_cannot_be_read_is_said(viewer_page: Client, given: dict[str, str], said: str) -> None:
    response = viewer_page.get(ADDRESS, given)
    assert response.status_code == 422
    assert said in response.content.decode()


def test_a_time_without_events_says_so(viewer_page: Client) -> None:
    response = viewer_page.get(ADDRESS, TIMES, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert "No request came in" in response.content.decode()


def test_explores_forms_lead_to_the_address_that_is_shared(viewer_page: Client) -> None:
    form = {
        "box_since": "2026-11-24T05:00:00",
        "box_until": "2026-11-24T05:30:00",
        "op": "P95",
        "of": "duration_ms",
        "field": "route",
        "is": "=",
        "value": "/export",
    }
    response = viewer_page.get(ADDRESS, form)
    assert response.status_code == 302
    assert "route=%2Fexport" in response["Location"]
    assert "measure=latency_p95" in response["Location"]
    assert "box_since" not in response["Location"]


@pytest.mark.parametrize(
    ("show", "measure"),
    [
        (("AVG(error)",), "error_rate"),
        (("COUNT",), "traffic"),
        ((), "traffic"),
        (("P99(duration_ms)",), "latency_p99"),
        (("HEATMAP(duration_ms)",), ""),
        (("P95(cart.items)",), ""),
    ],
)
def test_a_charts_calculation_is_the_measure_asked_for(show: tuple[str, ...], measure: str) -> None:
    assert measure_of(Question(show=show)) == measure


API = "/api/v1/projects/acme/environments/production/what-changed"


def test_the_api_answers_the_same(
    environment: Environment, ingest_key: str, api_token: str
) -> None:
    def slower(request: Request, rng: random.Random) -> None:
        request.fields["duration_ms"] *= 3 if after(request) else 1

    sent(ingest_key, slower)
    marker = changed(environment, "marker", 0, title="Database moved")
    auth = {"Authorization": f"Bearer {api_token}"}
    times = {"since": MOVED.isoformat(), "until": END.isoformat()}
    found = Client().get(API, times, headers=auth).json()
    assert found["differs"] is True
    assert found["changes"][0]["change"]["id"] == marker.id
    assert found["changes"][0]["part"] == "coincides"
    assert found["difference"]["ratio"] > 2
    assert found["compared_with"]["until"] == times["since"]
    wrong = Client().get(API, {**times, "measure": "joy"}, headers=auth)
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"] == "invalid"
    naive = Client().get(API, {"since": "2026-11-24T05:00"}, headers=auth)
    assert naive.status_code == 422
    assert naive.json()["error"]["field"] == "since"
    assert Client().get(API, times).status_code == 401


def test_variants_too_alike_to_explain_it_are_excluded(
    environment: Environment, ingest_key: str
) -> None:
    """Everything gets slower when a flag is split; its own comparison excludes that it did it."""

    def slower(request: Request, rng: random.Random) -> None:
        if after(request):
            request.fields["flags"]["NEW"] = "on" if on("NEW", request.user) else "off"
            request.fields["duration_ms"] *= 3

    sent(ingest_key, slower)
    change = changed(environment, "flag", 0, flag="NEW", title="NEW created")
    deploy = changed(environment, "deploy", 0, service="shop", build_id="b2", title="shop b2")
    watches.ensure(environment, END)
    for watch_id in watches.due(END, limit=20):
        looks.look(watch_id, END)
    found = asked(environment)
    parts = {one.told.change: one for one in found.candidates}
    assert parts[deploy].part == "coincides"
    assert parts[change].part == "no"
    assert parts[change].alike
    assert "shop b2 came just when the level moved, and nothing else did." in answer(found, UTC)
