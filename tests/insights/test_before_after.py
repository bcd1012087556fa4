"""Before and after: what stands out from how much levels move by themselves."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from insights import moments, placebos
from insights.cohorts import Comparison, Moment, Scope
from insights.delta import Delta
from insights.examine import HISTORY, Result, examine
from insights.levels import Slices
from insights.moments import same_hours
from insights.placebos import Drifts
from insights.results import result_json
from insights.statistics import before_after
from insights.statistics.before_after import Placebo, log_ratio_of_rates, stands_out
from insights.statistics.sequences import log_e_value, small_sample
from insights.usual import beyond, gate
from projects.models import Environment
from releases.models import Change
from tests.insights.traffic import Request, requests, send


def test_rare_failures_that_become_frequent_stand_out() -> None:
    ratio, variance = log_ratio_of_rates((0.004, 0.15), (2250, 2250), 0.0076)
    assert ratio == pytest.approx(np.log(0.15 / 0.004))
    assert stands_out(ratio, variance, 0.5, 0)


def test_the_variance_of_a_ratio_of_rates_is_what_simulation_shows() -> None:
    rng = np.random.default_rng(1)
    n, rates = 20_000, (0.004, 0.06)
    hits = rng.binomial(n, rates, size=(4000, 2))
    errors = np.sqrt((hits / n * (1 - hits / n) / n).sum(axis=1))
    ratios = [
        log_ratio_of_rates((a / n, b / n), (n, n), error)
        for (a, b), error in zip(hits.tolist(), errors.tolist(), strict=True)
    ]
    spread = np.std([ratio for ratio, _ in ratios])
    said = np.sqrt(np.mean([variance for _, variance in ratios]))
    assert said == pytest.approx(spread, rel=0.1)


def test_no_failure_at_all_on_one_side_is_half_a_failure() -> None:
    ratio, variance = log_ratio_of_rates((0.0, 0.01), (1000, 1000), 0.003)
    assert ratio == pytest.approx(np.log(20))
    assert variance > 2


MOVED = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)  # ten in the morning in New York
EACH_DAY = 1000


def at_ten(key: str, days: int, factor: float, today: float) -> None:
    """Traffic around ten o'clock of today and of earlier days, from ten on so many times slower."""
    for day in range(days + 1):
        begin = MOVED - timedelta(days=day, minutes=60)
        by = today if not day else factor

        def slower(request: Request, rng: random.Random, by: float = by, day: int = day) -> None:
            if request.time >= MOVED - timedelta(days=day):
                request.fields["duration_ms"] *= by

        rows = requests(begin, count=EACH_DAY, users=300, minutes=90, seed=day, change=slower)
        send(rows, key)


def looked(environment: Environment) -> Result:
    window = (MOVED - timedelta(minutes=60), MOVED + timedelta(minutes=30))
    return examine(Comparison(environment.id, Moment(MOVED), *window))


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_what_happens_every_morning_is_not_blamed_on_todays_change(
    environment: Environment, ingest_key: str
) -> None:
    at_ten(ingest_key, 5, 1.6, today=1.6)
    result = looked(environment)
    assert result.verdict == "unknown"
    reasons = {one.reason for one in result.judged if one.delta.measure == "latency_p50"}
    assert "levels usually move like this at this time of day" in reasons
    assert "the same hour of 5 earlier days, when the mean is usually" in result.note


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_more_than_every_morning_is_found(environment: Environment, ingest_key: str) -> None:
    at_ten(ingest_key, 5, 1.2, today=2.6)
    result = looked(environment)
    assert result.verdict == "worse"
    told = result_json(result, "/acme/production")["findings"][0]["by_accident"]
    assert told["as_large"] == 0
    assert told["of"] >= 5
    assert (
        told["sentence"]
        == f"As large a move came by itself at none of {told['of']} earlier moments"
    )


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (3.0, "As large a move came by itself at none of 4 earlier moments"),
        (1.2, "As large a move came by itself at 2 of 4 earlier moments"),
        (0.83, "As large a move came by itself at 2 of 4 earlier moments"),
    ],
)
def test_how_often_as_large_a_move_came_by_itself(effect: float, said: str) -> None:
    one = day_of(1, effect=1.0, swing=0.0)
    delta = replace(one, ratio=effect)
    moves = (0.01, -0.2, 0.3, -0.05)
    known = Drifts(0.1, 0.5, 4, latency_moves=moves)
    assert placebos.by_accident_said(delta, known) == said
    alone = Drifts(0.1, 0.5, 1, latency_moves=(0.0,))
    own = replace(known, by_route={Scope("shop", "/"): alone})
    on_route = replace(delta, scope=Scope("shop", "/"))
    assert placebos.by_accident_said(on_route, own).endswith("none of 1 earlier moment")
    assert placebos.by_accident(delta, Drifts(0.1, 0.5, 0)) is None
    new = replace(delta, measure="error_rate", ratio=None)  # no failure at all before
    assert placebos.by_accident(new, replace(known, error_moves=moves)) == (0, 4)


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_days_with_a_change_at_that_hour_are_no_measure(
    environment: Environment, ingest_key: str
) -> None:
    at_ten(ingest_key, 4, 1.6, today=1.6)
    for day in range(1, 4):
        Change.objects.create(
            environment=environment,
            kind="deploy",
            service="shop",
            time=MOVED - timedelta(days=day),
            title="a deploy",
        )
    assert "the same hour of" not in looked(environment).note


def test_the_same_hour_is_that_of_the_environments_clock() -> None:
    spring = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)  # clocks went forward on 8 March
    found = same_hours(spring, ZoneInfo("America/New_York"))
    assert found[0] == spring - timedelta(days=1)
    assert found[3] == spring - timedelta(days=4) + timedelta(hours=1)
    assert len(found) == 10


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_the_estimate_is_beyond_what_usually_happens(
    environment: Environment, ingest_key: str
) -> None:
    """×1.3 every day at ten, ×1.3·1.8 today: the change's part is ×1.8, whatever the hour does."""
    at_ten(ingest_key, 5, 1.3, today=1.3 * 1.8)
    result = looked(environment)
    assert result.verdict == "worse"
    whole = [one.delta for one in result.judged if one.delta.scope.whole]
    for measure in ("latency_mean", "latency_p50"):
        (found,) = (one for one in whole if one.measure == measure)
        assert found.ratio == pytest.approx(1.8, rel=0.12)
        assert found.candidate / found.baseline == pytest.approx(found.ratio, rel=0.02)
        assert found.ratio_interval is not None
        low, high = found.ratio_interval
        assert low < 1.8 < high
        assert high / low > 1.3  # as levels move by themselves, not only by sampling


SPREAD = 0.25  # of the daily swing, as ln


def day_of(seed: int, *, effect: float, swing: float, own: float = 0.03) -> Delta:
    """A before-and-after delta at an hour that usually moves by `swing`, judged against ten
    earlier days; levels also move by `own` by themselves."""
    rng = np.random.default_rng(seed)
    error = 0.02

    def seen() -> float:
        return swing + rng.normal(0.0, own) + rng.normal(0.0, error)

    last_day = [Placebo(rng.normal(0.0, own) + rng.normal(0.0, error), error**2) for _ in range(10)]
    latency, usual = placebos.with_usual(last_day, [Placebo(seen(), error**2) for _ in range(10)])
    drifts = Drifts(
        before_after.drift(latency, before_after.PRIOR_DRIFT_LATENCY),
        before_after.drift([], before_after.PRIOR_DRIFT_ERRORS),
        len(latency),
        HISTORY,
        usual,
        usual_typical=usual,
    )
    d = math.log(effect) + seen()
    score = small_sample(d / error, 200)
    plain = Delta(
        measure="latency_mean",
        scope=Scope(),
        baseline=100.0,
        candidate=100.0 * math.exp(d),
        ratio=math.exp(d),
        difference=100.0 * math.expm1(d),
        ratio_interval=(math.exp(d - 3 * error), math.exp(d + 3 * error)),
        difference_interval=None,
        events=(20_000, 20_000),
        units=(2000, 2000),
        d=d,
        error=error,
        scale=1.0,
        degrees=200.0,
        log_e=log_e_value(score, error),
        tested=True,
        z=score,
    )
    found = beyond(plain, drifts)
    blocked = gate(found, drifts)
    return replace(found, log_e=-math.inf) if blocked else found


@pytest.mark.parametrize("swing", [-SPREAD, 0.0, SPREAD], ids=["falls", "stays", "rises"])
def test_a_daily_pattern_makes_no_claims_and_hides_none(swing: float) -> None:
    """Of 200 hours that always move so, hardly any is claimed, and ×1.3 is found in most."""
    quiet = [day_of(seed, effect=1.0, swing=swing) for seed in range(200)]
    assert sum(one.log_e >= math.log(20) for one in quiet) <= 6
    inside = [low < 1.0 < high for one in quiet for low, high in [one.ratio_interval or (1, 1)]]
    assert sum(inside) >= 190
    if swing >= 0:  # what works against the usual change may stay hidden: docs/statistics.md
        told = [day_of(seed, effect=1.3, swing=swing) for seed in range(200)]
        assert sum(one.log_e >= math.log(20) and one.d > 0 for one in told) >= 170
        inside = [low < 1.3 < high for one in told for low, high in [one.ratio_interval or (1, 1)]]
        assert sum(inside) >= 190


def levels_of(seed: int, *, hours: int = 24, sd: float = 0.1, per_step: int = 400) -> Slices:
    """A day in slices of five minutes: ln of one route's mean drifts by a day's AR(1), with `sd`
    of the difference of neighbouring hours."""
    rng = np.random.default_rng(seed)
    steps = hours * 12
    keep = 0.98
    level = np.zeros(steps)
    level[0] = rng.normal()
    for step in range(1, steps):
        level[step] = keep * level[step - 1] + math.sqrt(1 - keep**2) * rng.normal()
    mean = 100 * np.exp(sd * 1.06 * level + rng.normal(0.0, 0.5 / math.sqrt(per_step), steps))
    sums = np.zeros((6, steps, 1))
    sums[0] = per_step
    sums[1, :, 0] = per_step * mean
    sums[2, :, 0] = per_step * mean**2 * 1.25
    sums[3] = 1.0
    sums[4, :, 0] = per_step * np.log(mean)
    sums[5, :, 0] = per_step * (np.log(mean) ** 2 + 0.25)
    start = int((MOVED - timedelta(hours=hours)).timestamp()) + 300 * np.arange(steps)
    return Slices(start, sums, {"shop /": 0})


LONG = timedelta(hours=1)


def test_hundreds_of_moments_of_a_day_are_looked_at_each_worth_its_part() -> None:
    boundaries = moments.quiet_boundaries(MOVED, LONG, [])
    assert len(boundaries) == 253
    assert moments.apart(boundaries, 2 * LONG) == 11
    latency, errors, typical = moments.measured(moments.moments_of(levels_of(1), boundaries, LONG))
    for found in (latency, errors, typical):
        assert len(found) == 253
        assert sum(one.worth for one in found) == pytest.approx(11)


def test_no_moment_is_looked_at_whose_hour_after_holds_a_change() -> None:
    change = MOVED - timedelta(hours=6)
    boundaries = moments.quiet_boundaries(MOVED, LONG, [change])
    assert len(boundaries) == 253 - 15
    assert not any(at - moments.CLEAR_OF_CHANGES <= change <= at + LONG for at in boundaries)


def test_windows_that_overlap_estimate_the_same_drift_more_closely() -> None:
    own: dict[str, list[float]] = {"all": [], "apart": []}
    every = moments.quiet_boundaries(MOVED, LONG, [])
    for seed in range(150):
        day = levels_of(seed)
        for name, boundaries in (("all", every), ("apart", every[::24])):
            latency, *_ = moments.measured(moments.moments_of(day, boundaries, LONG))
            moved = sum(one.worth * (one.d**2 - one.variance) for one in latency)
            own[name].append(moved / sum(one.worth for one in latency))
    every_mean, apart_mean = np.mean(own["all"]), np.mean(own["apart"])
    assert every_mean == pytest.approx(apart_mean, rel=0.1)
    assert np.std(own["all"]) < 0.9 * np.std(own["apart"])


def test_windows_hold_what_their_slices_hold() -> None:
    day = levels_of(3)
    at = MOVED - timedelta(hours=5)
    found = day.windows([at, at], [at + LONG, at + timedelta(minutes=5)])
    inside = (day.start >= at.timestamp()) & (day.start < (at + LONG).timestamp())
    assert found.total_ms[0, 0] == pytest.approx(day.sums[1, inside, 0].sum())
    assert found.n.tolist() == [[4800.0], [400.0]]
    assert day.windows([], []).n.shape == (0, 1)


@pytest.mark.parametrize("sd", [0.03, 0.2])
def test_levels_that_drift_by_themselves_are_seldom_blamed_on_a_change(sd: float) -> None:
    """Of 200 days whose hours differ by 2 and by 12%, as each change's own hour does."""
    change = MOVED - LONG
    boundaries = moments.quiet_boundaries(change, LONG, [])
    blamed = 0
    for seed in range(200):
        day = levels_of(seed, hours=26, sd=sd)
        before, after = day.windows([change - LONG], [change]), day.windows([change], [MOVED])
        ((d,), (variance,)) = before.ratio_of_means(after)
        latency, *_ = moments.measured(moments.moments_of(day, boundaries, LONG))
        own = before_after.drift(latency, before_after.PRIOR_DRIFT_LATENCY)
        blamed += stands_out(d, variance, own, round(sum(one.worth for one in latency)))
    assert blamed <= 6
