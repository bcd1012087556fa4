"""How long until a verdict, beside a fixed test that was told its sample size in advance.

    python -m benchmarks.power --days 20 [--seed 1]

Every route changes alike. The time is a share of a day of 12 requests a user; the bound is when a
single clustered z-test of that measure, planned for exactly this size, has 80% power.
"""

import argparse
import math
import statistics
import time
from dataclasses import dataclass

from insights.deltas import deltas
from insights.verdicts import claimed, family_weights
from tests.insights.simulate import ROUTES, Effect, Requests, requests, totals

LOOKS = [1 / 288 * 1.13**n for n in range(200) if 1 / 288 * 1.13**n < 1] + [1.0]
FIXED_POWER = 1.96 + 0.84


@dataclass(frozen=True, slots=True)
class Asked:
    name: str
    ratio: float = 1.0
    share: float = 0.0


EFFECTS = (
    Asked("latency ×1.05", ratio=1.05),
    Asked("latency ×1.1", ratio=1.1),
    Asked("latency ×1.5", ratio=1.5),
    Asked("latency ×3", ratio=3.0),
    Asked("errors +0.1 point", share=0.001),
    Asked("errors +1 point", share=0.01),
    Asked("errors +10 points", share=0.1),
)


def first_verdict(day: Requests) -> float | None:
    """The part of the day after which anything is called worse."""
    for until in LOOKS:
        if len({int(arm) for arm in day.arm[day.time < until]}) < 2:
            continue
        found = deltas(totals(day, until))
        if any(found[index].d > 0 for index in claimed(found, family_weights(found))):
            return until
    return None


def bound(day: Requests, asked: Asked) -> float:
    """When a test of one measure, told its size in advance, would have 80% power."""
    measure = "error_rate" if asked.share else "latency_mean"
    one = next(o for o in deltas(totals(day)) if o.measure == measure and o.scope.whole)
    true = asked.share if asked.share else math.log(asked.ratio)
    return (one.error * FIXED_POWER / true) ** 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--users", type=int, nargs="+", default=[1000, 6000])
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    print(f"{'effect':20}{'users':>7}{'decided':>9}{'median':>9}{'bound':>9}{'ratio':>7}")
    for users in given.users:
        for place, asked in enumerate(EFFECTS):
            times, bounds = [], []
            for number in range(given.days):
                day = requests(
                    given.seed * 9_000_011 + number + 1000 * place,
                    users=users,
                    errors=0.004,
                    effects=tuple(Effect(r, asked.ratio, 503, asked.share) for r in ROUTES),
                )
                times.append(first_verdict(day) or math.inf)
                bounds.append(bound(day, asked))
            decided = sum(math.isfinite(t) for t in times) / len(times)
            middle, limit = statistics.median(times), statistics.median(bounds)
            text = f"{middle:>8.1%}" if math.isfinite(middle) else "   > day"
            ratio = f"{middle / limit:>6.1f}×" if math.isfinite(middle) else "      –"
            print(
                f"{asked.name:20}{users:>7}{decided:>9.0%} {text}{limit:>9.1%}{ratio}", flush=True
            )
    print(f"{given.days} days each, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
