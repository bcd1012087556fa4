"""Invented traffic with known effects, as the totals that a comparison would have fetched."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from insights.cohorts import Comparison, Scope, Variants
from insights.statistics.quantiles import BINS_PER_E, histogram
from insights.totals import BUCKETS, CAP, QUANTILES, BinRows, Cut, Rows, Totals, Units, gathered


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


COMPARED = Comparison(
    1,
    Variants("cache", "off", "on"),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 2, tzinfo=UTC),
)
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
    spread: float = 0.5,
    fast_kept: int = 1,
    kept: tuple[int, ...] = (1,),
) -> Requests:
    """Heavy-tailed: latency is lognormal across users and within, users differ in activity.

    `spread` is the standard deviation of ln latency across users. Sampling: one in `fast_kept` of
    fast successes is kept, and of all one in so many, drawn for each request from `kept`.
    """
    rng = np.random.default_rng(seed)
    pace = rng.gamma(2.0, per_user / 2.0, users)
    count = rng.poisson(pace)
    user = np.repeat(np.arange(users), count)
    n = len(user)
    slow = rng.normal(0.0, spread, users)
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
    weights = np.full(n, weight)
    if fast_kept > 1 or max(kept) > 1:
        common = (status < 400) & (duration < 400.0)
        rate = np.where(common, fast_kept, 1) * rng.choice(np.array(kept), n)
        weights = weights * rate
        order = order[(rng.random(n) < 1 / rate)[order]]
    every = (time, user, arm, route, duration, status, weights)
    return Requests(*(values[order] for values in every))


def cut_of(of: Requests) -> Cut:
    """Places and pooled quantiles, as a scan's profile finds them."""
    masks = [*(of.route == number for number in range(len(ROUTES))), np.ones(len(of.route), bool)]
    bin = bins_of(of)
    found = [histogram(bin[mask], of.weight[mask]) if mask.any() else None for mask in masks]
    return Cut(
        tuple(Scope("shop", name) for name in ROUTES),
        {
            name: np.exp([one.log_quantile(share) if one else 0.0 for one in found])
            for name, share in QUANTILES.items()
        },
    )


def bins_of(of: Requests) -> np.ndarray:
    bins: np.ndarray = np.floor(np.log(of.duration_ms) * BINS_PER_E).astype(np.int64)
    return bins


def totals(of: Requests, until: float = 1.0, slices: int = 1) -> Totals:
    """What the store's scan of the first part of these requests would yield."""
    seen = of.time < until
    part = Requests(*(getattr(of, name)[seen] for name in Requests.__dataclass_fields__))
    cut, w, ms = cut_of(part), part.weight, part.duration_ms
    bucket = (part.user * 7919 + 13) % BUCKETS
    slice = np.floor(part.time * slices).astype(np.int64)
    sums = {
        "weight": w,
        "squares": w**2,
        "total_ms": w * ms,
        "failed": w * (part.status >= 500),
        "capped_ms": w * np.minimum(ms, cut.thresholds[CAP][part.route]),
        "all_capped_ms": w * np.minimum(ms, cut.thresholds[CAP][-1]),
    }
    for name, limits in cut.thresholds.items():
        sums[f"above_{name}"] = w * (ms > limits[part.route])
        sums[f"all_above_{name}"] = w * (ms > limits[-1])
    bin = bins_of(part)
    ones = np.ones(len(w), dtype=np.int64)
    return gathered(
        COMPARED,
        cut,
        Rows(part.arm, slice, part.route, bucket, part.status, part.status >= 500, ones, sums),
        BinRows(part.arm, slice, part.route, bin, w, w**2),
        units_of(part, bucket),
        (1.0, 1.0),
    )


def units_of(of: Requests, bucket: np.ndarray) -> Units:
    """Distinct users by cohort, bucket and place, and those with a failure or a status code."""
    by_bucket = np.zeros((2, BUCKETS))
    by_place = np.zeros((2, len(ROUTES)), dtype=np.int64)
    hits: dict[tuple[int, int | None, str], int] = {}
    people = of.user.max(initial=0) + 1

    def distinct(mask: np.ndarray) -> int:
        return int(np.count_nonzero(np.bincount(of.user[mask], minlength=people)))

    for a in (0, 1):
        mine = of.arm == a
        own = np.flatnonzero(np.bincount(of.user[mine], minlength=people))
        by_bucket[a] = np.bincount((own * 7919 + 13) % BUCKETS, minlength=BUCKETS)
        for place in (None, *range(len(ROUTES))):
            here = mine if place is None else mine & (of.route == place)
            if place is not None:
                by_place[a, place] = distinct(here)
            hits[a, place, "error"] = distinct(here & (of.status >= 500))
            for code in np.unique(of.status[of.status >= 400]):
                hits[a, place, str(code)] = distinct(here & (of.status == code))
    return Units(by_bucket, by_place, hits)
