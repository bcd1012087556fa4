"""Quantiles of latency from log-spaced bins, and their standard errors over units.

A bin holds the events whose latency lies in [e^(i/BINS_PER_E), e^((i+1)/BINS_PER_E)) ms: 2% wide,
deterministic, mergeable, weighted by adding sample rates. Intervals are Woodruff's ("Confidence
intervals for medians and other position measures", JASA 1952): the interval of the share below,
read back through the distribution. The share's variance is that of events drawn with their own
sample rates (Σw² by bin), times how much more it varies over units than over events (the design
effect: Kish, "Survey Sampling", 1965).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BINS_PER_E = 50


@dataclass(frozen=True, slots=True)
class Histogram:
    """Consecutive bins, the first of them number `first`: Σw and Σw² of each and all before it."""

    first: int
    weight: Array
    squares: Array

    def total(self) -> float:
        return float(self.weight[-1])

    @property
    def alike(self) -> bool:
        """Whether all events lie in one bin."""
        return int(np.count_nonzero(np.diff(self.weight, prepend=0.0))) == 1

    def share_above(self, log_value: float) -> float:
        """The share of weight above a latency, given as its natural logarithm."""
        total = self.total()
        if total <= 0:
            return 0.0
        return 1 - _at(self.weight, log_value * BINS_PER_E - self.first) / total

    def log_quantile(self, share: float) -> float:
        """ln of the latency below which `share` of the weight lies, linear inside a bin."""
        goal = min(max(share, 0.0), 1.0) * self.total()
        index = min(int(self.weight.searchsorted(goal, side="left")), len(self.weight) - 1)
        below = float(self.weight[index - 1]) if index else 0.0
        inside = float(self.weight[index]) - below
        part = (goal - below) / inside if inside > 0 else 0.5
        return (self.first + index + min(max(part, 0.0), 1.0)) / BINS_PER_E

    def sides(self, share: float) -> tuple[float, float]:
        """How many events of equal weight those below and above a quantile are worth: (Σw)²/Σw².

        Where fast requests are sampled and slow ones are not, a median rests on few events and a
        p99 on many.
        """
        total, squares = self.total(), float(self.squares[-1])
        under = _at(self.squares, self.log_quantile(share) * BINS_PER_E - self.first)
        return (
            (share * total) ** 2 / under if under > 0 else 0.0,
            ((1 - share) * total) ** 2 / (squares - under) if squares > under else 0.0,
        )

    def event_variance(self, share: float) -> float:
        """The variance of the share below the `share` quantile, were all events independent."""
        below, above = self.sides(share)
        if min(below, above) <= 0:
            return 0.25
        return (share * (1 - share)) ** 2 * (1 / below + 1 / above)


def _at(cumulative: Array, position: float) -> float:
    """A cumulative sum at a place among the bins, linear inside a bin."""
    whole = math.floor(position)
    if whole < 0:
        return 0.0
    if whole >= len(cumulative):
        return float(cumulative[-1])
    before = float(cumulative[whole - 1]) if whole else 0.0
    return before + (float(cumulative[whole]) - before) * (position - whole)


def histogram(bins: NDArray[np.int64], weights: Array) -> Histogram:
    """Adds up events or cells by bin number. `bins` must hold at least one."""
    first = int(bins.min())
    weight, squares = (
        np.bincount(bins - first, weights=own).astype(np.float64) for own in (weights, weights**2)
    )
    return of_bins(first, weight, squares)


def of_bins(first: int, weights: Array, squares: Array) -> Histogram:
    return Histogram(first, weights.cumsum(), squares.cumsum())


def slope(pooled: Histogram, share: float) -> float:
    """∂ ln Q/∂p at `share`: how far the quantile moves when the share below it moves."""
    step = min(0.02, share / 2, (1 - share) / 2)
    rise = pooled.log_quantile(share + step) - pooled.log_quantile(share - step)
    return max(rise / (2 * step), 1e-6)


def log_bounds(of: Histogram, share: float, half: float) -> tuple[float, float]:
    """How far down and up ln Q may lie when the share below it may err by `half` either way.

    Never less than an eighth of a bin, nor less than what the slope at the quantile says where
    the ranks leave 0 to 1: beyond the outermost event nothing is known.
    """
    middle = of.log_quantile(share)
    down = middle - of.log_quantile(max(share - half, 0.0))
    up = of.log_quantile(min(share + half, 1.0)) - middle
    least = max(0.125 / BINS_PER_E, min(down, up))
    if share - half < 0:
        down = max(down, up, half * slope(of, share))
    if share + half > 1:
        up = max(down, up, half * slope(of, share))
    return max(down, least), max(up, least)
