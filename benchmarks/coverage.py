"""How often intervals hold the truth, at each look and at all looks of a day.

    python -m benchmarks.coverage --days 200 --looks 12 [--seed 1]

On /export the candidate is ×1.5 and fails one point more often. Coverage is asked of that route's
intervals, under several ways of sampling events: none; one in 5, 20 or 100 of fast successes (what
a tail sampler keeps); one in 20 of all; and rates of 1, 5, 20 and 100 mixed at random.
"""

import argparse
import math
import time
from collections import Counter
from typing import Any

import numpy as np

from insights.cohorts import Scope
from insights.deltas import measured
from insights.parts import part
from tests.insights.simulate import Effect, requests, totals

EXPORT = Scope("shop", "/export")
TRUE_RATIO = 1.5
TRUE_POINTS = 0.01
# The kind of interval, its measure, whether it is one of a ratio, and the truth.
ASKED = (
    ("mean", "latency_mean", True, TRUE_RATIO),
    ("p50", "latency_p50", True, TRUE_RATIO),
    ("p95", "latency_p95", True, TRUE_RATIO),
    ("p99", "latency_p99", True, TRUE_RATIO),
    ("errors, points", "error_rate", False, TRUE_POINTS),
    ("errors, ratio", "error_rate", True, 2.0),
    ("status, points", "status_code:503", False, TRUE_POINTS / 0.99),
    ("traffic", "traffic", True, 1.0),
)
SAMPLINGS: dict[str, dict[str, Any]] = {
    "every event": {},
    "fast ones 1 in 5": {"fast_kept": 5},
    "fast ones 1 in 20": {"fast_kept": 20},
    "fast ones 1 in 100": {"fast_kept": 100},
    "all 1 in 20": {"kept": (20,)},
    "mixed 1 to 100": {"kept": (1, 5, 20, 100)},
}


def run(name: str, days: int, looks: int, seed: int) -> None:
    held: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    ever: Counter[str] = Counter()
    widths: dict[str, list[float]] = {}
    for number in range(days):
        day = requests(
            seed * 7_000_003 + number,
            users=1500,
            spread=0.8,
            errors=0.01,
            effects=(Effect("/export", TRUE_RATIO, 503, TRUE_POINTS / 0.99),),
            **SAMPLINGS[name],
        )
        missed: set[str] = set()
        for look in range(1, looks + 1):
            found = totals(day, look / looks)
            of = {one.measure: one for one in measured(part(found, found.places.index(EXPORT)))}
            for kind, measure, is_ratio, truth in ASKED:
                one = of.get(measure)
                interval = one and (one.ratio_interval if is_ratio else one.difference_interval)
                if not one or not one.tested or not interval:
                    continue
                asked[kind] += 1
                if interval[0] <= truth <= interval[1]:
                    held[kind] += 1
                else:
                    missed.add(kind)
                if look == looks:
                    low, high = interval
                    widths.setdefault(kind, []).append(
                        math.log(high / low) if is_ratio else high - low
                    )
        ever.update(missed)
    for kind, *_ in ASKED:
        if not asked[kind]:
            print(f"{name:20}{kind:16} never enough seen for an interval")
            continue
        share, always = held[kind] / asked[kind], 1 - ever[kind] / days
        error = math.sqrt(always * (1 - always) / days)
        width = f"{np.median(widths[kind]):.3f}" if kind in widths else "–"
        print(
            f"{name:20}{kind:16}{share:>8.1%} of {asked[kind]:>5} looks,"
            f" {always:>7.1%} (±{2 * error:.1%}) of days at all looks; width at the end {width}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--looks", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(SAMPLINGS))
    given = parser.parse_args()
    began = time.monotonic()
    for name in [given.only] if given.only else SAMPLINGS:
        run(name, given.days, given.looks, given.seed)
    print(f"{given.days} days of {given.looks} looks each, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
