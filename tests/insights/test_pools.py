"""Routes with little traffic are pooled: what one suffers is found, and nothing is invented."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from insights.cohorts import Comparison, Scope, Variants
from insights.examine import Result, examine
from insights.pools import SHIFTED
from insights.scan import OTHER_ROUTES
from insights.statistics.strata import holds_within
from insights.where import search
from projects.models import Environment
from tests import make

BEGIN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
TOP_ROUTES = 6
SMALL = [f"/small{number}" for number in range(6)]
POOL = Scope("shop", OTHER_ROUTES)


@pytest.fixture(autouse=True)
def few_routes_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insights.comparison.TOP_ROUTES", TOP_ROUTES)


def sent(key: str, *, factor: float = 1.0, shift: bool = False, seed: int = 1) -> None:
    """As many busy routes as are looked at by themselves, and a pool of six with a third of the
    traffic. With F=on one of these takes `factor` times as long, or with `shift` its users go to
    slow ones more often."""
    chance = random.Random(seed)
    busy = [f"/busy{number}" for number in range(TOP_ROUTES)]
    rows = make.visits(begin=BEGIN, minutes=60, count=6000, users=1200, seed=seed)
    for row in rows:
        on = random.Random(f"{seed} {row['user_id']}").random() < 0.5
        row["flags"] = {"F": "on" if on else "off"}
        if chance.random() < 2 / 3:
            row["route"] = chance.choice(busy)
            continue
        slow = chance.random() < (0.75 if shift and on else 0.25 if shift else 0.5)
        row["route"] = chance.choice(SMALL[:3] if slow else SMALL[3:])
        row["duration_ms"] = (200.0 if slow else 20.0) * chance.lognormvariate(0, 0.4)
        if row["route"] == SMALL[0] and on:
            row["duration_ms"] *= factor
    make.events(key, rows)


def looked(environment: Environment) -> Result:
    window = (BEGIN, BEGIN + timedelta(hours=1))
    return examine(Comparison(environment.id, Variants("F", "off", "on"), *window))


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_what_small_routes_suffer_is_found_in_their_pool_and_named(
    environment: Environment, ingest_key: str
) -> None:
    sent(ingest_key, factor=4.0)
    result = looked(environment)
    (finding,) = [one for one in result.findings if one.delta.scope == POOL][:1]
    assert finding.judged.verdict == "worse"
    assert result.headline.startswith("Requests to less busy routes of shop with F=on are ")
    where = search(result.comparison, finding.delta)
    assert where is not None
    (term, *_) = where.segments[0].terms
    assert (term.field, set(term.values)) == ("route", {SMALL[0]})


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_a_shift_among_pooled_routes_is_no_latency(
    environment: Environment, ingest_key: str
) -> None:
    sent(ingest_key, shift=True)
    result = looked(environment)
    assert not [one for one in result.findings if one.delta.is_latency]
    pooled = {one.delta.measure: one for one in result.judged if one.delta.scope == POOL}
    assert pooled["latency_mean"].delta.ratio is not None
    assert pooled["latency_mean"].delta.ratio > 1.5  # what the pool itself reads
    assert pooled["latency_mean"].reason == SHIFTED


def strata_of(seed: int, *, effect: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Ten routes of different levels, 100 buckets of users; the candidate is `effect` slower on
    two of them, and `shift` more of its traffic is to slow ones."""
    rng = np.random.default_rng(seed)
    level = np.geomspace(10, 400, 10)
    share = np.stack([np.full(10, 10.0), 10.0 * np.geomspace(1 / (1 + shift), 1 + shift, 10)])
    weight = rng.poisson(share[:, :, None], (2, 10, 100)).astype(np.float64)
    ratio = np.ones((2, 10))
    ratio[1, 3:8] = effect
    noise = rng.lognormal(0, 0.3, (2, 10, 100))
    return weight, weight * (level * ratio)[:, :, None] * noise


def test_simulated_pools_keep_regressions_and_drop_shifts() -> None:
    kept = [holds_within(*strata_of(seed, effect=1.5, shift=0.0), mean=True) for seed in range(100)]
    assert sum(kept) >= 95
    shifts = [
        holds_within(*strata_of(seed, effect=1.0, shift=1.0), mean=True) for seed in range(100)
    ]
    assert sum(shifts) <= 5
    both = [holds_within(*strata_of(seed, effect=2.0, shift=0.5), mean=True) for seed in range(100)]
    assert sum(both) >= 90
