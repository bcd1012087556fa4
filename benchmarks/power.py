"""How long until a verdict, beside a fixed test that was told its sample size in advance.

    python -m benchmarks.power --worlds 20 [--users 1000 6000] [--seed 1] [--only "latency ×1.1"]

Every route changes alike. Each day brings `--users` new users with 12 requests each. The bound is
when a single fixed test of that measure, planned for exactly this size, has 80% power, from the
spread between users at that very time: a t-test clustered by user; Fisher's, of users, where fewer
than twenty of them have erred. A world is followed for one day, or for four times as long as the
bound where that is longer, so that a median exists. Beside it: Flipscope where the end is known in
advance (the day's, or twice the bound), and published sequential methods that are told which single
measure to look at (`benchmarks/requirements.txt`). `×` is the median over the bound.
"""

import argparse
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from scipy import stats
from scipy.special import stdtr, stdtrit

from benchmarks.peers import Peer, by_user, load
from insights import fixed_length
from insights.deltas import Delta, deltas
from insights.statistics import multiple
from insights.verdicts import claimed, family_weights
from tests.insights.simulate import ROUTES, Effect, Requests, requests, totals

FIRST_LOOK = 1 / 1440  # of a day
PACE, PACE_OF_DAYS = 1.05, 1.13  # each look comes that much later than the one before
POWER = 0.8
PLANNED_FROM = 200  # worlds, beside those that are tested
FEW_ERRING = 20  # users: below it, a fixed test of errors has to be an exact one
SHORT = 0.4  # of a day: a bound below it leaves room enough in one
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OWN = ("flipscope", "known end")


@dataclass(frozen=True, slots=True)
class Asked:
    name: str
    ratio: float = 1.0
    share: float = 0.0

    @property
    def measure(self) -> str:
        return "error_rate" if self.share else "latency_mean"

    @property
    def true(self) -> float:
        """As a fixed test reads it: a difference of shares, or ln of a ratio."""
        return self.share if self.share else math.log(self.ratio)


EFFECTS = (
    Asked("latency ×1.05", ratio=1.05),
    Asked("latency ×1.1", ratio=1.1),
    Asked("latency ×1.5", ratio=1.5),
    Asked("latency ×3", ratio=3.0),
    Asked("errors +0.1 point", share=0.001),
    Asked("errors +1 point", share=0.01),
    Asked("errors +10 points", share=0.1),
)


@dataclass(frozen=True, slots=True)
class Horizon:
    """How long a world is followed, and the end that is known where one is, in days."""

    days: int
    known: int

    @property
    def looks(self) -> list[float]:
        pace = PACE if self.days == 1 else PACE_OF_DAYS
        count = math.ceil(math.log(self.days / FIRST_LOOK) / math.log(pace))
        return [*(FIRST_LOOK * pace**n for n in range(count)), float(self.days)]


def world(seed: int, users: int, days: int, asked: Asked) -> Requests:
    """`days` days of new users each, in order of time as a part of them all."""
    every = []
    for day in range(days):
        one = requests(
            seed + 100_003 * day,
            users=users,
            errors=0.004,
            effects=tuple(Effect(r, asked.ratio, 503, asked.share) for r in ROUTES),
        )
        one.user[:] += day * users
        one.time[:] = (one.time + day) / days
        every.append(one)
    names = [field.name for field in fields(Requests)]
    return Requests(*(np.concatenate([getattr(one, name) for one in every]) for name in names))


def first_verdicts(
    of: Requests, asked: Asked, horizon: Horizon, peers: dict[str, Peer]
) -> dict[str, float]:
    """By method, the days after which anything is called worse; infinite if never."""
    found = dict.fromkeys((*OWN, *peers), math.inf)
    plan = fixed_length.FixedLength(START, START + DAY * horizon.known, START)
    for at in horizon.looks:
        until = at / horizon.days
        waiting = [name for name, when in found.items() if math.isinf(when)]
        if not waiting:
            break
        if len(np.unique(of.arm[of.time < until])) < 2:
            continue
        if set(waiting) & set(OWN):
            seen = deltas(totals(of, until))
            weights = family_weights(seen)
            plan = fixed_length.looked(replace(plan, now=START + DAY * at), seen, weights)
            if _worse(seen, claimed(seen, weights)):
                found["flipscope"] = min(found["flipscope"], at)
            half = claimed(seen, weights, multiple.RATE - fixed_length.ALPHA)
            if _worse(seen, half | fixed_length.claimed(plan, seen)):
                found["known end"] = min(found["known end"], at)
        for name, worse in peers.items():
            if name in waiting and worse(of, until, asked.measure):
                found[name] = at
    return found


def _worse(seen: Sequence[Delta], claims: set[int]) -> bool:
    return any(seen[index].d > 0 for index in claims)


def power(worlds: Sequence[Requests], until: float, asked: Asked) -> float:
    """Of a fixed test at that time, from all worlds' users: what a plan would know in advance."""
    arms = []
    for arm in zip(*(by_user(of, until, asked.measure) for of in worlds), strict=True):
        sums, size = (np.concatenate(column) for column in zip(*arm, strict=True))
        if len(sums) < 2 * len(worlds):
            return 0.0
        arms.append((sums, size))
    if asked.share:
        people = round(statistics.mean(len(sums) for sums, _ in arms) / len(worlds))
        erring = [float((sums > 0).mean()) for sums, _ in arms]
        if people * sum(erring) < FEW_ERRING:
            return exact_power(people, *erring)
    variance = 0.0
    for sums, size in arms:
        rate, count = sums.sum() / size.sum(), len(sums)
        spread = float(((sums - rate * size) ** 2).sum()) * count / (count - 1) / size.sum() ** 2
        variance += (spread if asked.share else spread / rate**2) * len(worlds)
    degrees = sum(len(sums) for sums, _ in arms) / len(worlds) - 2
    score = asked.true / math.sqrt(variance) if variance else math.inf
    return float(stdtr(degrees, float(score - stdtrit(degrees, 0.975))))


def exact_power(people: int, baseline: float, candidate: float) -> float:
    """Of Fisher's test of so many users a side, who err with these chances."""
    hits = np.arange(people + 1)
    chances = [stats.binom.pmf(hits, people, chance) for chance in (baseline, candidate)]
    before, after = np.meshgrid(hits, hits, indexing="ij")
    one_sided = stats.hypergeom.sf(after - 1, 2 * people, before + after, people)
    return float(np.outer(*chances)[one_sided <= 0.025].sum())


def bound(worlds: Sequence[Requests], horizon: Horizon, asked: Asked) -> float:
    """When a test that was told its size has 80% power, in days; infinite if not within them."""
    before = (0.0, 0.0)
    for at in horizon.looks:
        reached = power(worlds, at / horizon.days, asked)
        if reached >= POWER:
            part = (POWER - before[1]) / (reached - before[1])
            return before[0] + part * (at - before[0])
        before = (at, reached)
    return math.inf


def horizon_of(seeds: Sequence[int], users: int, asked: Asked) -> Horizon:
    """Long enough for a median, from a few worlds."""
    days, early = 1, math.inf
    while math.isinf(early):
        pilot = [world(seed, users, days, asked) for seed in seeds]
        early = bound(pilot, Horizon(days, days), asked)
        days *= 2
    return Horizon(1, 1) if early <= SHORT else Horizon(math.ceil(4 * early), math.ceil(2 * early))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--users", type=int, nargs="+", default=[1000, 6000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[asked.name for asked in EFFECTS])
    given = parser.parse_args()
    began = time.monotonic()
    peers = load()
    names = (*OWN, *peers)
    print(f"{'effect':20}{'users':>7}{'bound':>10}" + "".join(f"{name:>26}" for name in names))
    print(" " * 37 + "".join(f"{'decided, median, ×':>26}" for _ in names))
    for users in given.users:
        for place, asked in enumerate(EFFECTS):
            if asked.name not in given.only:
                continue
            seeds = [given.seed * 9_000_011 + n + 1000 * place for n in range(given.worlds)]
            horizon = horizon_of(seeds[:5], users, asked)
            worlds = [world(seed, users, horizon.days, asked) for seed in seeds]
            found = [first_verdicts(of, asked, horizon, peers) for of in worlds]
            if horizon.days == 1:  # few have come by then: more worlds tell what a plan would know
                more = range(seeds[0] + 10_000, seeds[0] + 10_000 + PLANNED_FROM)
                worlds += [world(seed, users, 1, asked) for seed in more]
            limit = bound(worlds, horizon, asked)
            cells = "".join(f"{_cell([one[name] for one in found], limit):>26}" for name in names)
            print(f"{asked.name:20}{users:>7}{_time(limit):>10}{cells}", flush=True)
    print(f"{given.worlds} worlds each, seed {given.seed}, {time.monotonic() - began:.0f} s")


def _time(days: float) -> str:
    return f"{days:.2f} days" if days >= SHORT else f"{days * 1440:.1f} min"


def _cell(times: list[float], limit: float) -> str:
    decided = sum(math.isfinite(at) for at in times) / len(times)
    middle = statistics.median(times)
    if not math.isfinite(middle):
        return f"{decided:.0%}, –, –"
    return f"{decided:.0%}, {_time(middle)}, {middle / limit:.2f}"


if __name__ == "__main__":
    main()
