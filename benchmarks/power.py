"""How long until a verdict, beside a fixed test that was told its sample size in advance.

    python -m benchmarks.power --days 20 [--users 1000 6000] [--seed 1] [--only "latency ×1.1"]

Every route changes alike. The time is a part of a day of 12 requests a user; the bound is when a
single clustered z-test of that measure, planned for exactly this size, has 80% power. Beside it:
Flipscope where the day's end is known in advance, and published sequential methods that are told
which single measure to look at (`benchmarks/requirements.txt`). `×` is the median over the bound.
"""

import argparse
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.peers import Peer, load
from insights import fixed_length
from insights.deltas import Delta, deltas
from insights.statistics import multiple
from insights.verdicts import claimed, family_weights
from tests.insights.simulate import ROUTES, Effect, Requests, requests, totals

LOOKS = [1 / 288 * 1.13**n for n in range(200) if 1 / 288 * 1.13**n < 1] + [1.0]
FIXED_POWER = 1.96 + 0.84
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


EFFECTS = (
    Asked("latency ×1.05", ratio=1.05),
    Asked("latency ×1.1", ratio=1.1),
    Asked("latency ×1.5", ratio=1.5),
    Asked("latency ×3", ratio=3.0),
    Asked("errors +0.1 point", share=0.001),
    Asked("errors +1 point", share=0.01),
    Asked("errors +10 points", share=0.1),
)


def first_verdicts(day: Requests, asked: Asked, peers: dict[str, Peer]) -> dict[str, float]:
    """By method, the part of the day after which anything is called worse; infinite if never."""
    found = dict.fromkeys((*OWN, *peers), math.inf)
    plan = fixed_length.FixedLength(START, START + DAY)
    for until in LOOKS:
        waiting = [name for name, at in found.items() if math.isinf(at)]
        if not waiting:
            break
        if len({int(arm) for arm in day.arm[day.time < until]}) < 2:
            continue
        if set(waiting) & set(OWN):
            seen = deltas(totals(day, until))
            weights = family_weights(seen)
            plan = fixed_length.looked(plan, seen, weights, START + DAY * until)
            if _worse(seen, claimed(seen, weights)):
                found["flipscope"] = min(found["flipscope"], until)
            half = claimed(seen, weights, multiple.RATE - fixed_length.ALPHA)
            if _worse(seen, half | fixed_length.claimed(plan, seen)):
                found["known end"] = min(found["known end"], until)
        for name, worse in peers.items():
            if name in waiting and worse(day, until, asked.measure):
                found[name] = until
    return found


def _worse(seen: Sequence[Delta], claims: set[int]) -> bool:
    return any(seen[index].d > 0 for index in claims)


def bound(day: Requests, asked: Asked) -> float:
    """When a test of one measure, told its size in advance, would have 80% power."""
    one = next(o for o in deltas(totals(day)) if o.measure == asked.measure and o.scope.whole)
    true = asked.share if asked.share else math.log(asked.ratio)
    return (one.error * FIXED_POWER / true) ** 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--users", type=int, nargs="+", default=[1000, 6000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[asked.name for asked in EFFECTS])
    given = parser.parse_args()
    began = time.monotonic()
    peers = load()
    names = (*OWN, *peers)
    print(f"{'effect':20}{'users':>7}{'bound':>9}" + "".join(f"{name:>24}" for name in names))
    print(" " * 36 + "".join(f"{'decided, median, ×':>24}" for _ in names))
    for users in given.users:
        for place, asked in enumerate(EFFECTS):
            if asked.name not in given.only:
                continue
            times: dict[str, list[float]] = {name: [] for name in names}
            bounds = []
            for number in range(given.days):
                day = requests(
                    given.seed * 9_000_011 + number + 1000 * place,
                    users=users,
                    errors=0.004,
                    effects=tuple(Effect(r, asked.ratio, 503, asked.share) for r in ROUTES),
                )
                for name, at in first_verdicts(day, asked, peers).items():
                    times[name].append(at)
                bounds.append(bound(day, asked))
            limit = statistics.median(bounds)
            cells = "".join(f"{_cell(times[name], limit):>24}" for name in names)
            print(f"{asked.name:20}{users:>7}{limit:>9.1%}{cells}", flush=True)
    print(f"{given.days} days each, seed {given.seed}, {time.monotonic() - began:.0f} s")


def _cell(times: list[float], limit: float) -> str:
    decided = sum(math.isfinite(at) for at in times) / len(times)
    middle = statistics.median(times)
    if not math.isfinite(middle):
        return f"{decided:.0%}, > day, –"
    return f"{decided:.0%}, {middle:.1%}, {middle / limit:.1f}"


if __name__ == "__main__":
    main()
