"""Before and after, where a change reached everyone at once: three gates instead of one.

A pooled before-and-after test alarms in 53 to 93% of quiet hours, because levels drift by
themselves. So besides the sampling e-value a difference must stand out from how much the same
statistic moved at earlier boundaries where nothing changed (placebos), and errors must rise by
more than half a point. Figures: docs/statistics.md.
"""

import math
from collections.abc import Sequence

from insights.statistics.sequences import small_sample

PRIOR_PLACEBOS = 10
PRIOR_DRIFT_LATENCY = 0.10
PRIOR_DRIFT_ERRORS = 0.5
SMALLEST_RATE_CHANGE = 0.005


def drift(placebos: Sequence[tuple[float, float]], prior: float) -> float:
    """The standard deviation of ln ratios between windows when nothing changed.

    `placebos` are (d, sampling variance of d) at earlier boundaries; `prior` is D₀.
    """
    count = len(placebos)
    own = max(0.0, sum(d * d - v for d, v in placebos) / count) if count else 0.0
    return math.sqrt((PRIOR_PLACEBOS * prior**2 + count * own) / (PRIOR_PLACEBOS + count))


def stands_out(log_ratio: float, variance: float, drift_sd: float, placebos: int) -> bool:
    """Gate 2: whether |d|/√(V + D²), as Student's t with 10 + m degrees, is large enough."""
    degrees = PRIOR_PLACEBOS + placebos
    score = small_sample(abs(log_ratio) / math.sqrt(variance + drift_sd**2), degrees)
    return score >= (3.0 if placebos >= 20 else 2.5)
