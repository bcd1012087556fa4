"""An interval of ratios → where its bar stands on one log scale that a whole table shares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

REACH = 4.0  # the scale goes from ×1/4 to ×4; what lies beyond ends in an arrow


@dataclass(frozen=True, slots=True)
class Bar:
    """Positions in percent of the width; 50 is "the same"."""

    low: float
    middle: float
    high: float
    clipped_low: bool
    clipped_high: bool

    @property
    def middle_shown(self) -> bool:
        return 0 < self.middle < 100


def position(ratio: float, reach: float = REACH) -> float:
    """Where a ratio stands, 0 to 100, clipped at the ends."""
    if ratio <= 0:
        return 0.0
    return min(max(50 + 50 * math.log(ratio) / math.log(reach), 0.0), 100.0)


def beyond_both_ends(bounds: Sequence[float] | None, reach: float = REACH) -> bool:
    """Whether an interval of ratios covers the whole scale."""
    return bounds is not None and bounds[0] < 1 / reach and bounds[1] > reach


def bar(low: float, middle: float, high: float, reach: float = REACH) -> Bar:
    """The bar of an interval `low` to `high` around `middle`, all ratios."""
    return Bar(
        low=round(max(position(low, reach), 1.0), 2),
        middle=round(position(middle, reach), 2),
        high=round(min(position(high, reach), 99.0), 2),
        clipped_low=low < 1 / reach,
        clipped_high=high > reach,
    )
