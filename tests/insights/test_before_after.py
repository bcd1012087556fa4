"""Before and after: what stands out from how much levels move by themselves."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from insights.cohorts import Comparison, Moment
from insights.examine import Result, examine
from insights.placebos import same_hours
from insights.statistics.before_after import log_ratio_of_rates, stands_out
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
    assert looked(environment).verdict == "worse"


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
