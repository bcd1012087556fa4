"""When did a level move? How much of a series' variation one step explains, for every place of it.

A change that came when the best step is, or where a step explains nearly as much, may have moved
the level; one that came elsewhere did not.
"""

import math
from dataclasses import dataclass

import numpy as np

from insights.statistics.totals import Array

NEARLY = 0.8
CLEAR = 0.25


@dataclass(frozen=True, slots=True)
class Steps:
    """For each boundary between slices (the first is before slice 1) the share of the variation
    between slices that a step there explains."""

    explained: Array

    @property
    def best(self) -> int | None:
        """The boundary where the level moved; None where no step is clear."""
        if not len(self.explained) or float(self.explained.max()) < CLEAR:
            return None
        return int(np.argmax(self.explained)) + 1

    def fits(self, place: float) -> bool:
        """Whether a step at this place, in slices from the start, explains about as much as the
        best one. A level follows its cause, at once or within a slice."""
        if self.best is None:
            return False
        near = {math.floor(place), math.ceil(place), math.floor(place) + 1}
        inside = [at for at in near if 1 <= at <= len(self.explained)]
        highest = float(self.explained.max())
        return any(float(self.explained[at - 1]) >= NEARLY * highest for at in inside)


def steps(weight: Array, level: Array) -> Steps:
    """Slices' weights and levels, in order of time; slices without weight say nothing."""
    total = float(weight.sum())
    if total <= 0 or len(weight) < 4:
        return Steps(np.zeros(max(len(weight) - 1, 0)))
    mean = float((weight * level).sum()) / total
    variation = float((weight * (level - mean) ** 2).sum())
    if variation <= 0:
        return Steps(np.zeros(len(weight) - 1))
    before = np.cumsum(weight)[:-1]
    sums = np.cumsum(weight * level)[:-1]
    after = total - before
    safe = (before > 0) & (after > 0)
    apart = np.where(
        safe,
        sums / np.where(safe, before, 1.0) - (mean * total - sums) / np.where(safe, after, 1.0),
        0.0,
    )
    return Steps(before * after / total * apart**2 / variation)
