"""Quantiles of latency from log-spaced bins, and their standard errors over units.

A bin holds the events whose latency lies in [e^(i/BINS_PER_E), e^((i+1)/BINS_PER_E)) ms: 2% wide,
deterministic, mergeable, weighted by adding sample rates. Standard errors are Woodruff's
("Confidence intervals for medians and other position measures", JASA 1952): the interval of the
share below, read back through the distribution.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BINS_PER_E = 50


@dataclass(frozen=True, slots=True)
class Histogram:
    """Weights of consecutive bins, the first of them number `first`."""

    first: int
    weights: Array

    def total(self) -> float:
        return float(self.weights.sum())

    def share_above(self, log_value: float) -> float:
        """The share of weight above a latency, given as its natural logarithm."""
        total = self.total()
        if total <= 0:
            return 0.0
        position = log_value * BINS_PER_E - self.first
        whole = math.floor(position)
        if whole < 0:
            return 1.0
        if whole >= len(self.weights):
            return 0.0
        inside = float(self.weights[whole]) * (1 - (position - whole))
        return (float(self.weights[whole + 1 :].sum()) + inside) / total

    def log_quantile(self, share: float) -> float:
        """ln of the latency below which `share` of the weight lies, linear inside a bin."""
        cumulative = np.cumsum(self.weights)
        goal = min(max(share, 0.0), 1.0) * cumulative[-1]
        index = int(np.searchsorted(cumulative, goal, side="left"))
        index = min(index, len(self.weights) - 1)
        below = float(cumulative[index - 1]) if index else 0.0
        inside = float(self.weights[index])
        part = (goal - below) / inside if inside > 0 else 0.5
        return (self.first + index + float(min(max(part, 0.0), 1.0))) / BINS_PER_E


def histogram(bins: NDArray[np.int64], weights: Array) -> Histogram:
    """Adds up events or cells by bin number. `bins` must hold at least one."""
    first = int(bins.min())
    return Histogram(first, np.bincount(bins - first, weights=weights).astype(np.float64))


def slope(pooled: Histogram, share: float) -> float:
    """∂ ln Q/∂p at `share`: how far the quantile moves when the share below it moves."""
    step = min(0.02, share / 2, (1 - share) / 2)
    rise = pooled.log_quantile(share + step) - pooled.log_quantile(share - step)
    return max(rise / (2 * step), 1e-6)


def log_error(of: Histogram, share: float, share_error: float) -> float:
    """The standard error of ln Q by Woodruff: ranks share ± 2·error, read from the bins."""
    low = of.log_quantile(max(share - 2 * share_error, 0.0))
    high = of.log_quantile(min(share + 2 * share_error, 1.0))
    return max((high - low) / 4, 0.25 / BINS_PER_E)
