"""Invented traffic with known effects, as the totals that a comparison would have fetched."""

from dataclasses import dataclass

import numpy as np

from insights.cohorts import Scope
from insights.comparison import BUCKETS, Cells, Totals, Units
from insights.statistics.quantiles import BINS_PER_E


@dataclass(frozen=True, slots=True)
class Effect:
    """What the candidate does on one route: latency times `ratio`, extra `status` at `share`."""

    route: str
    ratio: float = 1.0
    status: int = 0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Requests:
    """One row a request, in order of time (0 to 1)."""

    time: np.ndarray
    user: np.ndarray
    arm: np.ndarray
    route: np.ndarray
    duration_ms: np.ndarray
    status: np.ndarray
    weight: np.ndarray


ROUTES = ("/", "/search", "/export", "/login", "/payment")


def requests(
    seed: int,
    *,
    users: int = 1000,
    per_user: float = 12.0,
    candidate_share: float = 0.5,
    errors: float = 0.004,
    effects: tuple[Effect, ...] = (),
    weight: float = 1.0,
) -> Requests:
    """Heavy-tailed: latency is lognormal across users and within, users differ in activity."""
    rng = np.random.default_rng(seed)
    pace = rng.gamma(2.0, per_user / 2.0, users)
    count = rng.poisson(pace)
    user = np.repeat(np.arange(users), count)
    n = len(user)
    slow = rng.normal(0.0, 0.5, users)
    route = rng.integers(0, len(ROUTES), n)
    base = np.array([40.0, 120.0, 200.0, 60.0, 150.0])[route]
    duration = base * np.exp(slow[user] + rng.normal(0.0, 0.8, n))
    arm = (rng.random(users) < candidate_share).astype(np.int64)[user]
    status = np.where(rng.random(n) < errors, 500, 200)
    for effect in effects:
        hit = (arm == 1) & (route == ROUTES.index(effect.route))
        duration = np.where(hit, duration * effect.ratio, duration)
        if effect.share:
            status = np.where(hit & (rng.random(n) < effect.share), effect.status, status)
    time = rng.random(n)
    order = np.argsort(time)
    return Requests(
        time[order],
        user[order],
        arm[order],
        route[order],
        duration[order],
        status[order],
        np.full(n, weight),
    )


def totals(of: Requests, until: float = 1.0, slices: int = 1) -> Totals:
    """What the store's scan of the first part of these requests would yield."""
    seen = of.time < until
    user, arm, route = of.user[seen], of.arm[seen], of.route[seen]
    status, duration, weight = of.status[seen], of.duration_ms[seen], of.weight[seen]
    bucket = (user * 7919 + 13) % BUCKETS
    cells = Cells(
        places=tuple(Scope("shop", name) for name in ROUTES),
        place=route,
        arm=arm,
        slice=np.floor(of.time[seen] * slices).astype(np.int64),
        bucket=bucket,
        status=status,
        error=status >= 500,
        bin=np.floor(np.log(duration) * BINS_PER_E).astype(np.int64),
        weight=weight,
        total_ms=weight * duration,
        events=np.ones(len(user), dtype=np.int64),
    )
    whole, by_place, hits = {}, {}, {}
    by_bucket = np.zeros((2, BUCKETS))
    for a in (0, 1):
        mine = arm == a
        whole[a] = len(np.unique(user[mine]))
        for b in range(BUCKETS):
            by_bucket[a, b] = len(np.unique(user[mine & (bucket == b)]))
        for place in (None, *range(len(ROUTES))):
            here = mine if place is None else mine & (route == place)
            if place is not None:
                by_place[a, place] = len(np.unique(user[here]))
            hits[a, place, "error"] = len(np.unique(user[here & (status >= 500)]))
            for code in np.unique(status):
                hits[a, place, str(code)] = len(np.unique(user[here & (status == code)]))
    return Totals(cells, Units(whole, by_place, hits, by_bucket), len(user), 0.0)
