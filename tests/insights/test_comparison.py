"""Scans of the real store against the same sums taken in Python."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from insights.cohorts import Builds, Comparison, Instances, Moment, Scope, Variants
from insights.comparison import NothingToCompare, totals, totals_of_many
from insights.examine import Plan, examine
from insights.slices import shares_shift
from insights.totals import Totals
from projects.models import Environment
from tests.insights.traffic import Request, on, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
END = START + timedelta(minutes=30)


def flagged(request: Request, rng: random.Random) -> None:
    for flag in ("CACHE", "BANNER"):
        request.fields["flags"][flag] = "on" if on(flag, request.user) else "off"
    if request.fields["flags"]["CACHE"] == "on" and request.route == "/export":
        request.fields["duration_ms"] *= 3
        if rng.random() < 0.1:
            request.fields["status_code"] = 402
    request.fields["sample_rate"] = rng.choice([1, 5])


def variants(environment: Environment, flag: str) -> Comparison:
    return Comparison(environment.id, Variants(flag, "off", "on"), START, END)


def test_sums_are_those_of_the_events(environment: Environment, ingest_key: str) -> None:
    events = requests(START, count=3000, change=flagged)
    send(events, ingest_key)
    found = totals(variants(environment, "CACHE"))
    for arm, variant in enumerate(("off", "on")):
        own = [event for event in events if event["flags"]["CACHE"] == variant]
        assert found.events[arm].sum() == len(own)
        assert found.sums["weight"][arm].sum() == pytest.approx(sum(e["sample_rate"] for e in own))
        assert found.sums["total_ms"][arm].sum() == pytest.approx(
            sum(e["sample_rate"] * e["duration_ms"] for e in own)
        )
        assert (
            found.codes[402][arm].sum()
            == sum(e["sample_rate"] for e in own if e["status_code"] == 402)
            if 402 in found.codes
            else True
        )
        assert found.units.whole[arm] == len({e["user_id"] for e in own})
        place = found.places.index(Scope("shop", "/export"))
        failed = {e["user_id"] for e in own if e["error"] and e["route"] == "/export"}
        assert found.units.hits.get((arm, place, "error"), 0) == len(failed)
        limit = found.cut.thresholds["p95"][place]
        above = [e for e in own if e["route"] == "/export" and e["duration_ms"] > limit]
        assert found.sums["above_p95"][arm, :, place].sum() == pytest.approx(
            sum(e["sample_rate"] for e in above)
        )
        assert found.bins[arm].sum() == pytest.approx(found.sums["weight"][arm].sum())
    assert found.units.are_users


def test_many_flags_in_one_scan_are_the_same_as_each_alone(
    environment: Environment, ingest_key: str
) -> None:
    send(requests(START, count=2000, change=flagged), ingest_key)
    asked = [variants(environment, "CACHE"), variants(environment, "BANNER")]
    later = START + timedelta(minutes=10)
    asked.append(Comparison(environment.id, Variants("GONE", "off", "on"), START, END))
    asked[1] = Comparison(environment.id, Variants("BANNER", "off", "on"), later, END)
    asked.append(Comparison(environment.id, Variants("CACHE", "off", "on"), later, END))
    together = totals_of_many(asked)
    assert isinstance(together[2], NothingToCompare)
    again = together.pop()
    assert isinstance(again, Totals)
    assert again.events.sum() == totals(asked[3]).events.sum()
    for one, found in zip(asked[:2], together[:2], strict=True):
        alone = totals(one)
        assert isinstance(found, Totals)
        assert found.units.whole == alone.units.whole
        assert found.events.sum() == alone.events.sum()
        assert found.sums["total_ms"].sum() == pytest.approx(alone.sums["total_ms"].sum())


def test_a_trace_that_saw_two_variants_is_in_no_cohort_of_that_flag(
    environment: Environment, ingest_key: str
) -> None:
    events = requests(START, count=400, change=flagged)
    for number, event in enumerate(events):
        event["trace_id"] = f"{number + 1:032x}"
    send(events, ingest_key)
    again = dict(
        events[0], flags={"CACHE": "on" if events[0]["flags"]["CACHE"] == "off" else "off"}
    )
    again |= {"kind": "internal", "name": "inner"}
    send([again], ingest_key)
    assert totals(variants(environment, "CACHE")).events.sum() == 399
    assert totals(variants(environment, "BANNER")).events.sum() == 400


def test_a_variant_that_is_not_compared_takes_its_trace_away_too(
    environment: Environment, ingest_key: str
) -> None:
    events = requests(START, count=400, change=flagged)
    for number, event in enumerate(events):
        event["trace_id"] = f"{number + 1:032x}"
    third = dict(events[0], flags={"CACHE": "blue"}) | {"kind": "internal", "name": "inner"}
    send([*events, third], ingest_key)
    many = [variants(environment, f"F{n}") for n in range(6)]
    for found in (
        totals(variants(environment, "CACHE")),
        totals_of_many([variants(environment, "CACHE"), *many])[0],
    ):
        assert isinstance(found, Totals)
        assert found.events.sum() == 399


def shared(shares: Any, rng: np.random.Generator, events: int = 80) -> bool:
    """`shares_shift` of slices of so many events whose candidate has these shares."""
    candidate = rng.binomial(events, shares)
    slices = np.arange(len(shares))
    return shares_shift(
        np.repeat([0, 1], len(shares)),
        np.tile(slices, 2),
        np.concatenate([events - candidate, candidate]),
    )


def test_a_steady_share_of_little_traffic_is_not_taken_for_a_ramp() -> None:
    rng = np.random.default_rng(4)
    assert not any(shared(np.full(24, 0.5), rng) for _ in range(1000))
    assert not any(shared(np.full(24, 0.03), rng) for _ in range(1000))
    assert all(shared(np.linspace(0, 1, 24), rng) for _ in range(1000))
    assert all(shared(np.repeat([0.5, 0.8], 12), rng) for _ in range(1000))
    assert not shared(np.repeat([0.5, 0.55], 12), rng, events=100_000)
    assert not shared(np.zeros(24), rng)


def test_a_variant_that_appears_half_way_through_little_traffic_is_compared_with_its_own_time(
    environment: Environment, ingest_key: str
) -> None:
    """All is three times as slow from when it appears: in the last part of an hour, of a week."""
    appears = END - timedelta(minutes=15)

    def late(request: Request, rng: random.Random) -> None:
        new = request.time >= appears
        both = "on" if on("CACHE", request.user) else "off"
        request.fields["flags"]["CACHE"] = both if new else "off"
        request.fields["duration_ms"] *= 3 if new else 1

    send(requests(START, count=1100, users=500, change=late), ingest_key)
    for since in (END - timedelta(hours=1), END - timedelta(days=7)):
        found = examine(replace(variants(environment, "CACHE"), since=since))
        told = {one.delta.measure: one.delta for one in found.judged if one.delta.scope.whole}
        for measure in ("latency_mean", "latency_p50"):
            bounds = told[measure].ratio_interval
            assert bounds is not None
            assert bounds[0] < 1 < bounds[1], (since, measure, bounds)
        assert not found.findings


def test_shares_of_much_traffic_are_judged_from_a_part_of_the_traces(
    environment: Environment, ingest_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many events as are needed: one trace in two is looked at for the shares."""
    monkeypatch.setattr("insights.slices.IMPRESSION", 2000)
    began = START.timestamp()

    def ramped(request: Request, rng: random.Random) -> None:
        passed = (request.time.timestamp() - began) / (END - START).total_seconds()
        request.fields["flags"]["CACHE"] = "on" if rng.random() < passed else "off"
        request.fields["flags"]["BANNER"] = "on" if on("BANNER", request.user) else "off"

    send(requests(START, count=4000, change=ramped), ingest_key)
    asked = [variants(environment, "CACHE"), variants(environment, "BANNER")]
    moving, steady = totals_of_many(asked)
    assert isinstance(moving, Totals)
    assert isinstance(steady, Totals)
    assert moving.events.shape[1] > 1
    assert steady.events.shape[1] == 1
    assert 3500 <= moving.events.sum() <= 4000  # while some that are looked at have each
    assert steady.events.sum() == 4000


def test_three_times_slower_with_402s_is_told_from_the_store(
    environment: Environment, ingest_key: str
) -> None:
    send(requests(START, count=6000, users=800, change=flagged), ingest_key)
    result = examine(variants(environment, "CACHE"), Plan(split=True, shares=(50, 50)))
    assert result.verdict == "worse"
    assert result.evidence == "randomised"
    assert result.headline.startswith("Requests to /export with CACHE=on are")
    assert "return 402" in result.headline
    quiet = examine(variants(environment, "BANNER"), Plan(split=True, shares=(50, 50)))
    assert not quiet.findings


def test_builds_are_compared_while_both_served(environment: Environment, ingest_key: str) -> None:
    def roll(request: Request, rng: random.Random) -> None:
        part = (request.time - START) / timedelta(minutes=30)
        new = rng.random() < min(max(2 * part - 0.5, 0), 1)
        request.fields["build_id"] = "b2" if new else "b1"
        request.fields["instance"] = ""
        request.fields["duration_ms"] *= 1 + part  # the hour drifts, the build does nothing

    send(requests(START, count=4000, change=roll), ingest_key)
    comparison = Comparison(environment.id, Builds("shop", "b1", "b2"), START, END)
    found = totals(comparison)
    assert found.events.shape[1] > 1  # a share that changes is compared within slices
    ratio = next(
        one.delta.ratio for one in examine(comparison).judged if one.delta.measure == "latency_mean"
    )
    assert ratio == pytest.approx(1.0, abs=0.1)


def test_instances_tell_a_deploy_that_carries_no_build(
    environment: Environment, ingest_key: str
) -> None:
    at = START + timedelta(minutes=15)

    def fleet(request: Request, rng: random.Random) -> None:
        new = request.time >= at and rng.random() < 0.5
        request.fields["service.instance.id"] = f"pod-{'new' if new else 'old'}-{rng.randrange(3)}"
        if new:
            request.fields["duration_ms"] *= 3

    send(requests(START, count=4000, users=500, change=fleet), ingest_key)
    result = examine(Comparison(environment.id, Instances("shop", at, "b9"), at, END))
    assert result.verdict == "worse"
    assert "in instances started since build b9" in result.headline


def test_before_and_after_counts_requests_a_second(
    environment: Environment, ingest_key: str
) -> None:
    at = START + timedelta(minutes=20)
    send(requests(START, count=3000), ingest_key)
    found = examine(Comparison(environment.id, Moment(at, "shop"), START, END))
    traffic = next(one.delta for one in found.judged if one.delta.measure == "traffic")
    assert traffic.ratio == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"user_id": ""}, "no request names a user, so each of their traces counts as one"),
        ({"duration_ms": 0.0}, ""),
        ({"status_code": 500, "error": True}, ""),
        ({"user_id": "giant"}, ""),
    ],
    ids=["no user ids", "zero durations", "all errors", "one giant user"],
)
def test_odd_traffic_gets_an_answer(
    environment: Environment, ingest_key: str, edit: dict[str, object], reason: str
) -> None:
    def odd(request: Request, rng: random.Random) -> None:
        flagged(request, rng)
        request.fields.update(edit)

    send(requests(START, count=1000, change=odd), ingest_key)
    result = examine(variants(environment, "BANNER"))
    assert result.verdict in ("unknown", "no_difference")
    assert not result.findings
    assert reason in result.note
