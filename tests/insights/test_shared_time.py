"""A variant or build that appears half way: every figure is of the time that both were served.

From then on the requests of one country take four times as long: the time's doing, of which
nothing may be blamed on the variant.
"""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from insights import looks, pieces
from insights.by_build import by_build
from insights.cohort_charts import quantile
from insights.cohorts import Builds, Comparison, Scope, Variants
from insights.comparison import totals
from insights.delta import Delta
from insights.examine import Result, examine
from insights.explore.links import beside
from insights.models import Watch
from insights.overlaps import overlaps
from insights.where import search
from projects.models import Environment
from releases.models import Change
from tests.insights.traffic import Request, on, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
END = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
START = END - timedelta(minutes=40)
HALF_WAY = START + timedelta(minutes=20)
WINDOWS = {"an hour": END - timedelta(hours=1), "a week": END - timedelta(days=7)}


def trend(request: Request, late: bool) -> None:
    """One country is slower from half way on; another build and another flag's variant come too."""
    fields = request.fields
    fields["country"] = random.Random(request.user).choice(["DE", "FR", "US", "JP"])
    fields["build_id"] = "b2" if late else "b1"
    fields["flags"]["BANNER"] = "new" if late else "old"
    if late and fields["country"] == "DE":
        fields["duration_ms"] *= 4


def half_way(request: Request, rng: random.Random) -> None:
    late = request.time >= HALF_WAY
    given = "on" if on("CACHE", request.user) else "off"
    request.fields["flags"]["CACHE"] = given if late else "off"
    trend(request, late)


def ramped(request: Request, rng: random.Random) -> None:
    """From 0 to all in 40 minutes: nothing to narrow, as one early request has it already."""
    passed = (request.time - START) / (END - START)
    given = on("CACHE", request.user, max(passed, 0.02))
    request.fields["flags"]["CACHE"] = "on" if given else "off"
    trend(request, request.time >= HALF_WAY)


SERVED = {"half way": half_way, "in a ramp": ramped}


@pytest.fixture(params=SERVED)
def served(request: pytest.FixtureRequest, environment: Environment, ingest_key: str) -> None:
    send(
        requests(START, count=8000, users=900, minutes=40, change=SERVED[request.param]), ingest_key
    )


def compared(environment: Environment, since: datetime) -> Comparison:
    return Comparison(environment.id, Variants("CACHE", "off", "on"), since, END)


def told(result: Result, measure: str = "latency_mean") -> Delta:
    return next(
        one.delta for one in result.judged if one.delta.measure == measure and one.delta.scope.whole
    )


def blamed_pooled(asked: Comparison, delta: Delta) -> set[str]:
    """Where the effect would seem to be in the longer time that was asked for."""
    where = search(asked, replace(delta, d=abs(delta.d)))
    assert where is not None
    return {term.field for one in where.segments for term in one.terms}


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("window", WINDOWS)
def test_what_the_hour_did_is_claimed_nowhere(environment: Environment, window: str) -> None:
    result = examine(compared(environment, WINDOWS[window]))
    assert not result.findings
    for measure in ("latency_mean", "latency_p95"):
        delta = told(result, measure)
        assert abs(delta.d) < 0.2
        where = search(result.comparison, delta)  # as if it had been a finding
        assert where is not None
        assert where.segments == ()
        assert where.tested > 4
    assert "country" in blamed_pooled(compared(environment, WINDOWS[window]), told(result))
    for one in overlaps(result.comparison, delta):
        assert one.checked.answer not in ("explains", "partly", "only_with"), one
        assert abs(one.checked.overall) < 0.2, one


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("window", WINDOWS)
def test_no_build_is_said_to_take_part_in_what_the_hour_did(
    environment: Environment, window: str
) -> None:
    found = by_build(examine(compared(environment, WINDOWS[window])), None)
    for row in found["rows"] if found else ():
        assert row["verdict"] not in ("worse", "better"), row
        if bounds := row["interval"]["ratio"]:
            assert bounds[0] < 1.1, row
    assert "Only with" not in (found["sentence"] if found else "")


@pytest.mark.usefixtures("served")
def test_pictures_show_what_the_table_says(environment: Environment) -> None:
    result = examine(compared(environment, WINDOWS["an hour"]))
    median, curve = told(result, "latency_p50"), result.curves[Scope()]
    for below, value in zip(curve["below"], (median.baseline, median.candidate), strict=True):
        assert quantile(curve["ms"], below, 0.5) == pytest.approx(value, rel=0.06)
    assert curve["medians"] == pytest.approx([median.baseline, median.candidate], rel=1e-3)
    fine = told(result, "status_code:200")
    for shares, value in zip(curve["statuses"], (fine.baseline, fine.candidate), strict=True):
        assert shares["200"] == pytest.approx(value, rel=1e-3)


def test_a_finding_beside_a_trend_is_where_the_variant_did_it(
    environment: Environment, ingest_key: str
) -> None:
    """In its ramp the flag makes one plan's requests slower, the hour those of one country."""

    def slower(request: Request, rng: random.Random) -> None:
        ramped(request, rng)
        plan = random.Random(f"plan {request.user}").choice(["free", "pro", "team"])
        request.fields["plan"] = plan
        if request.fields["flags"]["CACHE"] == "on" and plan == "free":
            request.fields["duration_ms"] *= 4

    send(requests(START, count=12000, users=1500, minutes=40, change=slower), ingest_key)
    result = examine(compared(environment, START))
    assert result.verdict == "worse"
    where = search(result.comparison, told(result))
    assert where is not None
    assert {term.field for one in where.segments for term in one.terms} == {"plan"}


def test_two_builds_are_told_apart_in_the_time_that_they_share(
    environment: Environment, ingest_key: str
) -> None:
    """Of instances that are replaced one by one while one country's requests become slower."""

    def roll(request: Request, rng: random.Random) -> None:
        passed = (request.time - START) / (END - START)
        new = rng.random() < min(max(3 * passed - 1, 0), 1)
        trend(request, request.time >= HALF_WAY)
        request.fields["build_id"] = "b2" if new else "b1"

    send(requests(START, count=8000, users=900, minutes=40, change=roll), ingest_key)
    asked = Comparison(environment.id, Builds("shop", "b1", "b2"), START, END)
    result = examine(asked)
    assert result.comparison.since > START + timedelta(minutes=10)
    where = search(result.comparison, told(result))
    assert where is not None
    assert where.segments == ()
    assert "country" in blamed_pooled(asked, told(result))


def test_much_traffic_in_pieces_is_of_the_shared_time_too(
    environment: Environment, ingest_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(requests(START, count=4000, users=500, minutes=40, change=half_way), ingest_key)
    asked = compared(environment, WINDOWS["an hour"])
    whole = totals(asked)
    monkeypatch.setattr(pieces, "EVENTS_AT_ONCE", 700)
    found = totals(asked)
    assert found.comparison == whole.comparison
    assert found.events.sum() == whole.events.sum() <= 2000
    assert found.units.whole == whole.units.whole


def test_what_a_look_keeps_and_leads_to_is_of_the_shared_time(
    environment: Environment, ingest_key: str
) -> None:
    send(requests(START, count=4000, users=500, minutes=40, change=half_way), ingest_key)
    change = Change.objects.create(
        environment=environment, kind="flag", flag="CACHE", time=START, title="CACHE on"
    )
    watch = Watch.objects.create(
        environment=environment,
        subject="flag",
        flag="CACHE",
        change=change,
        started_at=START,
        next_look_at=END,
    )
    looks.look(watch.id, END)
    watch.refresh_from_db()
    since = datetime.fromisoformat(watch.result["since"])
    assert abs(since - HALF_WAY) < timedelta(seconds=10)
    assert watch.compared_since == since
    events = [watch.result[side]["events"] for side in ("baseline", "candidate")]
    assert sum(events) <= 2000
    counted = {one["variant"]: one["reasons"] for one in watch.result["health"]["shares"]}
    assert set(counted) == {"off", "on"}
    reasons = watch.result["health"]["reasons"]
    assert sum(reasons["off"].values()) == events[0]
    asked = parse_qs(beside(watch, {}))
    local = [datetime.fromisoformat(asked[name][0]) for name in ("since", "until")]
    zone = environment.zone
    wanted = [datetime.fromisoformat(watch.result[name]) for name in ("since", "until")]
    assert [one.replace(tzinfo=zone) for one in local] == wanted
