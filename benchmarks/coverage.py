"""How often intervals hold the truth, at each look and at all looks of a day.

    python -m benchmarks.coverage --days 200 --looks 12 [--seed 1]

On /export the candidate is ×1.5 and fails one point more often. Coverage is asked of that route's
intervals, with and without sampled events (one in twenty of fast successes kept).
"""

import argparse
import math
import time
from collections import Counter

from insights.cohorts import Scope
from insights.deltas import measured
from insights.parts import part
from tests.insights.simulate import Effect, requests, totals

EXPORT = Scope("shop", "/export")
TRUE_RATIO = 1.5
TRUE_POINTS = 0.01
RATIOS = ("latency_mean", "latency_p50", "latency_p95", "latency_p99")


def run(days: int, looks: int, seed: int, *, sampled: bool) -> None:
    held: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    ever: Counter[str] = Counter()
    for number in range(days):
        day = requests(
            seed * 7_000_003 + number,
            users=1500,
            spread=0.8,
            errors=0.01,
            sampled=sampled,
            effects=(Effect("/export", TRUE_RATIO, 503, TRUE_POINTS / 0.99),),
        )
        missed: set[str] = set()
        for look in range(1, looks + 1):
            found = totals(day, look / looks)
            for one in measured(part(found, found.places.index(EXPORT))):
                if one.measure in RATIOS:
                    interval, truth = one.ratio_interval, TRUE_RATIO
                elif one.measure == "error_rate":
                    interval, truth = one.difference_interval, TRUE_POINTS
                else:
                    continue
                if not one.tested or interval is None:
                    continue
                asked[one.measure] += 1
                if interval[0] <= truth <= interval[1]:
                    held[one.measure] += 1
                else:
                    missed.add(one.measure)
        ever.update(missed)
    name = "sampled 1 in 20" if sampled else "every event"
    for measure in (*RATIOS, "error_rate"):
        share = held[measure] / max(asked[measure], 1)
        error = math.sqrt(share * (1 - share) / days)
        print(
            f"{name:18}{measure:16}{share:>8.1%} of looks (±{2 * error:.1%}),"
            f" {1 - ever[measure] / days:>7.1%} of days at all looks"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--looks", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    for sampled in (False, True):
        run(given.days, given.looks, given.seed, sampled=sampled)
    print(f"{given.days} days of {given.looks} looks each, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
