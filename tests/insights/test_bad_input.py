"""Traffic that no formula was made for: an answer, or a plain reason why there is none."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from insights.deltas import Delta, deltas, measured
from insights.findings import findings
from insights.models import Watch
from insights.parts import part
from insights.results import delta_json
from insights.verdicts import Judged, judge
from insights.watches import MOST_VARIANTS
from projects.models import Environment
from tests import make
from tests.insights.conftest import Shop
from tests.insights.simulate import ROUTES, Effect, Requests, requests, totals


def all_errors(day: Requests) -> Requests:
    return replace(day, status=np.full(len(day.status), 500))


def errors_in_one_cohort(day: Requests) -> Requests:
    return replace(day, status=np.where(day.arm == 1, 500, 200))


def zero_durations(day: Requests) -> Requests:
    return replace(day, duration_ms=np.full(len(day.time), 0.001))  # as a scan reads 0 ms


def one_duration(day: Requests) -> Requests:
    return replace(day, duration_ms=np.full(len(day.time), 250.0))


def one_giant_user(day: Requests) -> Requests:
    """One user of the candidate makes nine in ten of all requests, ten times slower."""
    giant = np.random.default_rng(1).random(len(day.time)) < 0.9
    return replace(
        day,
        user=np.where(giant, 0, day.user),
        arm=np.where(giant, 1, day.arm),
        duration_ms=np.where(giant, day.duration_ms * 10, day.duration_ms),
    )


def a_user_a_request(day: Requests) -> Requests:
    return replace(day, user=np.arange(len(day.user)))


def candidate_from_half_way(day: Requests) -> Requests:
    late = day.time >= 0.5
    return replace(day, arm=np.where(late, day.arm, 0))


def one_request_each(day: Requests) -> Requests:
    kept = [int(np.argmax(day.arm == arm)) for arm in (0, 1)]
    return Requests(*(getattr(day, name)[kept] for name in Requests.__dataclass_fields__))


def huge_durations(day: Requests) -> Requests:
    return replace(day, duration_ms=np.where(day.route == 0, 1e12, day.duration_ms))


CASES = (
    *(all_errors, errors_in_one_cohort, zero_durations, one_duration, one_giant_user),
    *(a_user_a_request, candidate_from_half_way, one_request_each, huge_durations),
)


def answered(day: Requests, slices: int = 1) -> list[Judged]:
    found = totals(day, slices=slices)
    judged = judge(deltas(found), "concurrent", elapsed_s=3600)
    findings(judged, found)
    return judged


@pytest.mark.parametrize("slices", [1, 8])
@pytest.mark.parametrize("change", CASES, ids=lambda change: change.__name__)
def test_every_number_is_one_and_every_silence_has_its_reason(change: object, slices: int) -> None:
    assert callable(change)
    for one in answered(change(requests(3, users=300)), slices):
        _has_numbers(one.delta)
        delta_json(one)
        if not one.delta.tested:
            assert one.delta.reason


def _has_numbers(delta: Delta) -> None:
    for value in (delta.baseline, delta.candidate, delta.difference, delta.d, delta.error, delta.z):
        assert math.isfinite(value), delta
    assert not math.isnan(delta.log_e)
    for bounds in (delta.ratio_interval, delta.difference_interval):
        if bounds is not None:
            assert bounds[0] <= bounds[1]
            assert all(math.isfinite(bound) for bound in bounds)


def test_one_giant_user_is_one_user() -> None:
    told = answered(one_giant_user(requests(3, users=1000)))
    assert {one.verdict for one in told if one.delta.is_latency} == {"unknown"}
    reasons = {one.delta.reason for one in told if one.delta.measure == "latency_mean"}
    assert all(reason.startswith("some users make so many of the requests") for reason in reasons)


def test_all_errors_in_both_are_no_difference_and_in_one_are_worse() -> None:
    same = answered(all_errors(requests(3, users=300)))
    assert not {one.verdict for one in same} & {"worse", "better"}
    told = answered(errors_in_one_cohort(requests(3, users=300)))
    errors = [one for one in told if one.delta.measure == "error_rate"]
    assert {one.verdict for one in errors} == {"worse"}


def test_a_variant_that_appears_half_way_is_compared_with_its_own_time() -> None:
    """Latency doubles at noon, when the candidate appears: that is the hour's doing."""
    day = candidate_from_half_way(requests(5, users=1500))
    doubled = np.where(day.time >= 0.5, day.duration_ms * 2, day.duration_ms)
    told = answered(replace(day, duration_ms=doubled), slices=8)
    assert not {one.verdict for one in told if one.delta.is_latency} & {"worse", "better"}


@pytest.mark.parametrize("kept", [{}, {"fast_kept": 20}, {"kept": (1, 5, 20, 100)}])
def test_where_no_failure_was_kept_the_bound_holds_what_may_have_been_missed(
    kept: dict[str, Any],
) -> None:
    """A hundred and twenty users a world, three in a hundred of the candidate's requests fail."""
    bounds = []
    for seed in range(120):
        fails = tuple(Effect(route, 1.0, 503, 0.03) for route in ROUTES)
        day = requests(seed, users=120, errors=0.0, effects=fails, **kept)
        whole = part(totals(day, 0.15), None)
        one = next(found for found in measured(whole) if found.measure == "error_rate")
        if one.baseline == one.candidate == 0 and one.difference_interval:
            bounds.append(one.difference_interval)
    assert len(bounds) > 3
    assert all(-1 < low < 0 and 0.03 < high < 1 for low, high in bounds)


def test_few_kept_events_that_stand_for_many_exclude_nothing() -> None:
    """No bound at all, rather than "up to 100 points"."""
    day = requests(7, users=12, errors=0.0, kept=(1, 100))
    whole = part(totals(day), None)
    one = next(found for found in measured(whole) if found.measure == "error_rate")
    assert one.difference_interval is None
    assert one.reason


@pytest.mark.django_db
def test_500_variants_are_compared_as_far_as_the_busiest_go_and_one_variant_says_so(
    event_store: None, environment: Environment, ingest_key: str
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    rows = make.visits(begin=now - timedelta(minutes=30), minutes=30, count=2000)
    for number, row in enumerate(rows):
        many = number % 500 if number % 4 else number % 8
        row["flags"] = {"MANY": f"v{many:03}", "ONE": "on"}
    make.events(ingest_key, rows)
    shop = Shop(environment, now, ingest_key)
    shop.look()
    shop.look()
    many_watches = Watch.objects.filter(environment=environment, flag="MANY")
    assert 1 < many_watches.count() <= MOST_VARIANTS
    assert all(watch.headline for watch in many_watches.exclude(looks=0))
    assert not many_watches.filter(verdict__in=("worse", "better")).exists()
    alone = shop.watch(flag="ONE")
    assert alone.verdict == "unknown"
    assert alone.headline == "Every request sees ONE=on"
