"""Before and after, where a change reached everyone at once: three gates instead of one.

A pooled before-and-after test alarms in 53 to 93% of quiet hours, because levels drift by
themselves. So besides the sampling e-value a difference must stand out from how much the same
statistic moved at earlier boundaries where nothing changed (placebos), and errors must rise by
more than half a point. Figures: docs/statistics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from insights.statistics.sequences import small_sample

PRIOR_PLACEBOS = 10
PRIOR_DRIFT_LATENCY = 0.10
PRIOR_DRIFT_ERRORS = 0.5
SMALLEST_RATE_CHANGE = 0.005


@dataclass(frozen=True, slots=True)
class Placebo:
    """What a level did at an earlier boundary: ln of the ratio and its sampling variance.

    `worth` is how many independent boundaries it counts as: less than 1 where windows overlap.
    """

    d: float
    variance: float
    worth: float = 1.0


def drift(placebos: Sequence[Placebo], prior: float) -> float:
    """The standard deviation of ln ratios between windows when nothing changed; `prior` is D₀."""
    count = sum(one.worth for one in placebos)
    moved = sum(one.worth * (one.d**2 - one.variance) for one in placebos)
    return math.sqrt((PRIOR_PLACEBOS * prior**2 + max(moved, 0.0)) / (PRIOR_PLACEBOS + count))


def stands_out(log_ratio: float, variance: float, drift_sd: float, placebos: int) -> bool:
    """Gate 2: whether |d|/√(V + D²), as Student's t with 10 + m degrees, is large enough."""
    degrees = PRIOR_PLACEBOS + placebos
    score = small_sample(abs(log_ratio) / math.sqrt(variance + drift_sd**2), degrees)
    return score >= (3.0 if placebos >= 20 else 2.5)


def log_ratio_of_rates(
    rates: tuple[float, float], events: tuple[int, int], error: float
) -> tuple[float, float]:
    """(ln of the ratio, its variance), from the standard error of the difference.

    How much more than a coin toss each failure varies is taken as the same on both sides, so the
    many failures of one side do not make the few of the other look less certain than they are.
    Half a failure stands for none.
    """
    (r0, n0), (r1, n1) = (
        (max(rate, 0.5 / max(n, 1)), max(n, 1)) for rate, n in zip(rates, events, strict=True)
    )
    clumped = max(error**2 / (r0 / n0 + r1 / n1), 1.0)
    return math.log(r1 / r0), clumped * (1 / (r0 * n0) + 1 / (r1 * n1))
