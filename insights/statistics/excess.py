"""Where an effect is: by how much more a segment of traffic changed than everything else did.

A segment's excess is (its difference between the cohorts) − (everyone else's), so that what always
fails, or fails alike in both cohorts, has none. Segments are ranked by the lower bound of their
excess times their size: how much of the whole effect they explain at least.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insights.statistics import sequences
from insights.statistics.totals import Array, effective_units

ALPHA = 0.05
SHRINK = 50.0
LEAST_BASELINE = 20.0
LEAST_HITS = 8.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Σw of events and of those with the outcome, by cohort and bucket: shape (2, buckets)."""

    events: Array
    hits: Array

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.events + other.events, self.hits + other.hits)

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            np.maximum(self.events - other.events, 0.0), np.maximum(self.hits - other.hits, 0.0)
        )

    @property
    def size(self) -> tuple[float, float]:
        return float(self.events[0].sum()), float(self.events[1].sum())

    @property
    def rates(self) -> tuple[float, float]:
        n, f = self.events.sum(axis=1), self.hits.sum(axis=1)
        return (
            float(f[0] / n[0]) if n[0] else 0.0,
            float(f[1] / n[1]) if n[1] else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Excess:
    """A segment's excess `d` with its bounds, and the part of the whole effect that it explains.

    `explains` is the lower bound, `part` the estimate of the extra outcomes that lie inside.
    `baseline`, `candidate` are the segment's shares, `elsewhere` those of everything else.
    """

    d: float
    low: float
    high: float
    explains: float
    part: float
    baseline: float
    candidate: float
    elsewhere: tuple[float, float]
    size: float  # of the candidate's events


def excess(segment: Counts, everything: Counts, *, tested: int, sign: float = 1.0) -> Excess | None:
    """None where the segment or the rest is too small to say anything.

    `sign` is −1 to look for where an outcome became rarer; `tested` segments share the chance of a
    false one. Bounds hold at every look.
    """
    rest = everything - segment
    n0, n1 = segment.size
    hits = float(segment.hits.sum())
    if n0 < LEAST_BASELINE or min(rest.size) < LEAST_BASELINE or n1 <= 0 or hits < LEAST_HITS:
        return None
    usual = everything.rates[0]
    shares = [
        [
            (float(part.hits[arm].sum()) + SHRINK * usual) / (part.size[arm] + SHRINK)
            for arm in (0, 1)
        ]
        for part in (segment, rest)
    ]
    d = sign * ((shares[0][1] - shares[0][0]) - (shares[1][1] - shares[1][0]))
    variance = 0.0
    degrees = math.inf
    for arm in (0, 1):
        influence = np.zeros(segment.events.shape[1])
        for part, direction, own in ((segment, 1, shares[0][arm]), (rest, -1, shares[1][arm])):
            total = max(part.size[arm], 1e-9)
            influence += direction * (part.hits[arm] - own * part.events[arm]) / total
        filled = max(int(np.count_nonzero(influence)), 2)
        variance += filled / (filled - 1) * float((influence**2).sum())
        degrees = min(degrees, effective_units(segment.events[arm]) - 1)
    error = math.sqrt(variance)
    pooled = sum(shares[0]) / 2
    if error <= 0 or pooled <= 0 or degrees < 4:
        return None
    half = sequences.half_width(error, error / pooled, degrees, 2 * ALPHA / max(tested, 1))
    whole = sign * (everything.rates[1] - everything.rates[0]) * everything.size[1]
    own = sign * (shares[0][1] - shares[0][0]) * n1
    return Excess(
        d=d,
        low=d - half,
        high=d + half,
        explains=min(max(d - half, 0.0) * n1 / whole, 1.0) if whole > 0 else 0.0,
        part=min(max(own / whole, 0.0), 1.0) if whole > 0 else 0.0,
        baseline=segment.rates[0],
        candidate=segment.rates[1],
        elsewhere=rest.rates,
        size=n1,
    )


def of_masks(
    masks: NDArray[np.int64], counts: Sequence[Counts], wanted: int, having: int
) -> Counts:
    """Adds up the rows of a table by mask whose bits in `wanted` are those of `having`."""
    shape = counts[0].events.shape if counts else (2, 1)
    total = Counts(np.zeros(shape), np.zeros(shape))
    for mask, one in zip(masks.tolist(), counts, strict=True):
        if mask & wanted == having:
            total = total + one
    return total


def association(both: float, first: float, second: float, everything: float) -> float:
    """Phi of two yes-or-no attributes (Cramér's V of a 2×2 table), by how many have them."""
    spread = first * (everything - first) * second * (everything - second)
    return abs(both * everything - first * second) / math.sqrt(spread) if spread > 0 else 0.0
