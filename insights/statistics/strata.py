"""Is it this change or another one? An effect is looked at within strata of the other.

Where it vanishes there while the other's own effect stays, the other explains it; where it is
there in one stratum only, the two act together; where hardly anyone had one without the other,
nothing can tell them apart.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from insights.statistics.totals import Arm, Array, Estimate, compare_means, compare_rates

Answer = Literal["independent", "explains", "partly", "only_with", "inseparable", "too_little"]
LEAST_OVERLAP = 0.05
LEAST_UNITS = 10.0
CLEAR = 3.0  # standard errors
WEAK = 2.0
VANISHED = 0.5
ABSENT = 0.35


@dataclass(frozen=True, slots=True)
class Checked:
    """What the other change has to do with an effect.

    `within` is the effect with the other held fixed, `overall` without; `with_value` is the number
    of the other's value that it takes, for only_with.
    """

    answer: Answer
    overall: float
    within: float | None
    overlap: float
    with_value: int | None = None


def checked(weight: Array, value: Array, *, mean: bool, by_time: bool = False) -> Checked:
    """Σw and Σw·y by (cohort, value of the other, time slice, bucket); `mean`: y is a latency.

    `by_time`: the cohorts are before and after, so they share no slice. Slices then only hold the
    time fixed in which the other's values are compared: whatever comes with time "explains" it.
    """
    timed = weight, value
    if by_time:
        weight, value = (grid.sum(axis=2, keepdims=True) for grid in timed)
    overall = _compare(weight.sum(axis=1), value.sum(axis=1), mean=mean)
    if overall is None:
        return Checked("too_little", 0.0, None, 0.0)
    joint = weight.reshape(2, -1, weight.shape[-1])
    within = _compare(joint, value.reshape(joint.shape), mean=mean)
    overlap = _overlap(joint) / max(_overlap(weight.sum(axis=1)), 1e-12)
    if within is None or overlap < LEAST_OVERLAP:
        return Checked("inseparable", overall.d, None, overlap)
    if min(within.units) < LEAST_UNITS:
        return Checked("too_little", overall.d, within.d, overlap)
    if (only := _only_with(weight, value, overall, mean=mean)) is not None:
        return Checked("only_with", overall.d, within.d, overlap, only)
    kept = within.d / overall.d if overall.d else 1.0
    error = math.sqrt(within.variance)
    pairs = _pairs(timed[0], every=by_time)
    if kept < VANISHED and _other_matters(*timed, overall.d, pairs, mean=mean):
        answer: Answer = "partly" if within.d / error * _sign(overall.d) > WEAK else "explains"
        return Checked(answer, overall.d, within.d, overlap)
    if kept < VANISHED or abs(within.d) < WEAK * error:
        small = overlap < 2 * LEAST_OVERLAP
        return Checked("inseparable" if small else "too_little", overall.d, within.d, overlap)
    return Checked("independent", overall.d, within.d, overlap)


def holds_within(weight: Array, value: Array, *, mean: bool) -> bool:
    """Whether an effect is there with strata held fixed, Σw and Σw·y by (cohort, stratum, bucket):
    at least half of what it is without, and two standard errors from none."""
    overall = _compare(weight.sum(axis=1)[:, None], value.sum(axis=1)[:, None], mean=mean)
    within = _compare(weight, value, mean=mean)
    if overall is None or within is None or not overall.d:
        return False
    clear = abs(within.d) >= WEAK * math.sqrt(within.variance)
    return clear and within.d / overall.d >= VANISHED


def _sign(value: float) -> float:
    return 1.0 if value >= 0 else -1.0


def _compare(weight: Array, value: Array, *, mean: bool) -> Estimate | None:
    """Both cohorts within strata, shape (cohort, stratum, bucket)."""
    compare = compare_means if mean else compare_rates
    return compare(Arm(weight[0], value[0]), Arm(weight[1], value[1]))


def _overlap(weight: Array) -> float:
    """Σ n₀·n₁/n over strata: how much of the traffic has a counterpart."""
    n0, n1 = weight[0].sum(axis=-1), weight[1].sum(axis=-1)
    total = n0 + n1
    return float((n0 * n1 / np.where(total > 0, total, 1.0)).sum())


def _only_with(weight: Array, value: Array, overall: Estimate, *, mean: bool) -> int | None:
    """The one value of the other with which the effect is there, if it is clearly not elsewhere."""
    found: list[tuple[int, Estimate]] = []
    for number in range(weight.shape[1]):
        own = _compare(weight[:, number], value[:, number], mean=mean)
        if own is not None and min(own.units) >= LEAST_UNITS:
            found.append((number, own))
    if len(found) < 2:
        return None
    sign = _sign(overall.d)
    found.sort(key=lambda one: -sign * one[1].d)
    (number, strong), others = found[0], [one for _, one in found[1:]]
    if strong.d * sign < CLEAR * math.sqrt(strong.variance):
        return None
    for other in others:
        apart = (strong.d - other.d) * sign
        if apart < CLEAR * math.sqrt(strong.variance + other.variance):
            return None
        if other.d * sign > ABSENT * strong.d * sign:
            return None
    return number


def _pairs(weight: Array, *, every: bool) -> list[tuple[int, int]]:
    """Values of the other to compare: the two most frequent, or `every` two, as of many builds
    only neighbours are there at the same time."""
    often = np.argsort(-weight.sum(axis=(0, 2, 3))).tolist()
    return list(combinations(often if every else often[:2], 2))


def _other_matters(
    weight: Array, value: Array, overall: float, pairs: list[tuple[int, int]], *, mean: bool
) -> bool:
    """Whether the other differs between two of its values, within each cohort and slice."""
    for pair in pairs:
        swapped = weight[:, pair].transpose(1, 0, 2, 3).reshape(2, -1, weight.shape[-1])
        values = value[:, pair].transpose(1, 0, 2, 3).reshape(swapped.shape)
        own = _compare(swapped, values, mean=mean)
        if own is None or min(own.units) < LEAST_UNITS:
            continue
        clear = abs(own.d) > CLEAR * math.sqrt(own.variance)
        if clear and abs(own.d) > VANISHED * abs(overall):
            return True
    return False
