"""Published sequential tests on invented traffic, told what to look for: one measure, by user.

They come from `benchmarks/requirements.txt`, in a folder of their own; without it they are left
out and said to be.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.insights.simulate import Requests

FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "benchmarks"
EXPECTED = 0.2  # the relative difference that a prior is centred to find
Peer = Callable[[Requests, float, str], bool]


def by_user(day: Requests, until: float, measure: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """By cohort, each user's sum of the measure and number of requests."""
    seen = day.time < until
    value = (day.status >= 500) * 1.0 if measure == "error_rate" else day.duration_ms
    found = []
    for arm in (0, 1):
        mine = seen & (day.arm == arm)
        size = np.bincount(day.user[mine])
        sums = np.bincount(day.user[mine], weights=value[mine])
        found.append((sums[size > 0], size[size > 0].astype(np.float64)))
    return found


def load() -> dict[str, Peer]:
    """By name, whether a method calls the candidate worse at this look."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    found: dict[str, Peer] = {}
    try:
        found["gbstats"] = _growthbook(
            import_module("gbstats.frequentist.tests"), import_module("gbstats.models.statistics")
        )
        found["mSPRT"] = _msprt(import_module("experiment_toolkit.sequential"))
    except ImportError as reason:
        print(f"without published methods ({reason}): see benchmarks/requirements.txt")
    return found


def _growthbook(tests: Any, models: Any) -> Peer:
    """GrowthBook's sequential interval of a ratio metric, at its default tuning."""

    def statistic(sums: np.ndarray, size: np.ndarray) -> Any:
        count = len(sums)
        parts = [
            models.SampleMeanStatistic(
                n=count, sum=float(part.sum()), sum_squares=float((part**2).sum())
            )
            for part in (sums, size)
        ]
        return models.RatioStatistic(
            n=count,
            m_statistic=parts[0],
            d_statistic=parts[1],
            m_d_sum_of_products=float((sums * size).sum()),
        )

    def worse(day: Requests, until: float, measure: str) -> bool:
        arms = by_user(day, until, measure)
        if min(len(sums) for sums, _ in arms) < 2 or arms[0][0].sum() <= 0:
            return False
        found = tests.SequentialTwoSidedTTest(
            *(statistic(*arm) for arm in arms), tests.SequentialConfig()
        ).compute_result()
        return bool(found.ci[0] > 0)

    return worse


def _msprt(module: Any) -> Peer:
    """A mixture SPRT on each user's deviation from the ratio, its prior at a fifth of the mean."""

    def worse(day: Requests, until: float, measure: str) -> bool:
        arms = by_user(day, until, measure)
        sizes = [len(sums) for sums, _ in arms]
        if min(sizes) < 2:
            return False
        rates = [sums.sum() / size.sum() for sums, size in arms]
        variances = [
            float((((sums - rate * size) / size.mean()) ** 2).sum() / (len(sums) - 1))
            for (sums, size), rate in zip(arms, rates, strict=True)
        ]
        each = 2 / sum(1 / count for count in sizes)
        error = sum(v / count for v, count in zip(variances, sizes, strict=True)) ** 0.5
        prior = EXPECTED * (rates[0] + rates[1]) / 2
        if error <= 0 or prior <= 0 or rates[1] <= rates[0]:
            return False
        sigma = error * (max(int(each), 1) / 2) ** 0.5
        found = module.msprt_pvalue(rates[1] - rates[0], sigma, max(int(each), 1), prior)
        return bool(found <= 0.05)

    return worse
