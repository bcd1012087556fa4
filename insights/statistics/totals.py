"""Totals of two cohorts → an estimate of their difference, with its variance over units.

Units (users, else traces) are hashed into buckets, so that all events of one unit fall into one
bucket: the spread between buckets then carries the dependence between events of one unit. Strata
(time slices, routes) are compared within and combined by overlap weights, so that a share of
traffic that changes with time or route is not mistaken for an effect.

Source: the delta method for ratio metrics (Deng, Knoblich, Lu, KDD 2018) and overlap weights
(Li, Morgan, Zaslavsky, JASA 2018).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arm:
    """One cohort's weighted totals, shape (strata, buckets): Σw and Σw·y."""

    weight: Array
    value: Array


@dataclass(frozen=True, slots=True)
class Estimate:
    """Two averages and their difference `d`: ln(candidate/baseline) for means, plain for rates.

    `variance` is that of d for intervals, `null_variance` under no difference for tests; `units`
    are effective numbers of units (Kish), `degrees` of freedom by Satterthwaite.
    """

    baseline: float
    candidate: float
    d: float
    variance: float
    null_variance: float
    pooled: float
    units: tuple[float, float]
    degrees: float


def effective_units(weight: Array) -> float:
    """(ΣN)²/ΣN² over buckets: how many equal units these would be."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def _overlap(baseline: Arm, candidate: Arm) -> tuple[Array, Array, Array]:
    """Per-stratum factors for the baseline's and the candidate's totals, and events per stratum."""
    n0, n1 = baseline.weight.sum(axis=1), candidate.weight.sum(axis=1)
    total = n0 + n1
    safe = np.where(total > 0, total, 1.0)
    return n1 / safe, n0 / safe, total


def _spread(residuals: Array) -> float:
    """K/(K−1)·Σe² over the buckets that hold anything, centred residuals."""
    buckets = max(int(np.count_nonzero(residuals)), 2)
    return buckets / (buckets - 1) * float((residuals**2).sum())


def _degrees(v0: float, v1: float, units: tuple[float, float]) -> float:
    parts = v0**2 / max(units[0] - 1, 1e-9) + v1**2 / max(units[1] - 1, 1e-9)
    return (v0 + v1) ** 2 / parts if parts > 0 else 0.0


def compare_means(baseline: Arm, candidate: Arm) -> Estimate | None:
    """The ratio of two weighted means. None where a cohort holds nothing or only zeros.

    Residuals are taken from the stratum's pooled mean (each stratum's own means are too small in
    thin strata); with one stratum that is each cohort's own mean.
    """
    f0, f1, total = _overlap(baseline, candidate)
    a0, a1 = (f0 * baseline.value.sum(axis=1)).sum(), (f1 * candidate.value.sum(axis=1)).sum()
    common = (f0 * baseline.weight.sum(axis=1)).sum()
    if common <= 0 or a0 <= 0 or a1 <= 0:
        return None
    ratio = a1 / a0
    mean = (candidate.value.sum(axis=1) / ratio + baseline.value.sum(axis=1)) / np.where(
        total > 0, total, 1.0
    )
    e0 = (f0[:, None] * (baseline.value - mean[:, None] * baseline.weight)).sum(axis=0) / a0
    e1 = (f1[:, None] * (candidate.value - ratio * mean[:, None] * candidate.weight)).sum(
        axis=0
    ) / a1
    v0, v1 = _spread(e0), _spread(e1)
    units = _units(f0, baseline, f1, candidate)
    return Estimate(
        baseline=float(a0 / common),
        candidate=float(a1 / common),
        d=float(np.log(ratio)),
        variance=v0 + v1,
        null_variance=v0 + v1,
        pooled=float((a0 + a1) / (2 * common)),
        units=units,
        degrees=_degrees(v0, v1, units),
    )


def compare_counts(baseline: Array, candidate: Array, seconds: tuple[float, float]) -> Estimate:
    """Events a second: ln of their ratio, over buckets. Both must hold something."""
    r0, r1 = baseline.sum() / seconds[0], candidate.sum() / seconds[1]
    v0, v1 = (
        len(n) / (len(n) - 1) * float(((n - n.mean()) ** 2).sum()) / float(n.sum()) ** 2
        for n in (baseline, candidate)
    )
    units = (effective_units(baseline), effective_units(candidate))
    return Estimate(
        baseline=float(r0),
        candidate=float(r1),
        d=float(np.log(r1 / r0)),
        variance=v0 + v1,
        null_variance=v0 + v1,
        pooled=float((r0 + r1) / 2),
        units=units,
        degrees=_degrees(v0, v1, units),
    )


def over_overlap(baseline: Arm, candidate: Arm) -> tuple[Arm, Arm]:
    """Both cohorts' strata weighted by their overlap and added up, one stratum each."""
    f0, f1, _ = _overlap(baseline, candidate)
    found = (
        Arm((f[:, None] * arm.weight).sum(axis=0), (f[:, None] * arm.value).sum(axis=0))
        for f, arm in ((f0, baseline), (f1, candidate))
    )
    first, second = found
    return first, second


def share_variance(arm: Arm) -> tuple[float, float] | None:
    """A share of one cohort's events and its variance over units; one stratum.

    None where too few units' worth of events lie on either side to tell.
    """
    total = float(arm.weight.sum())
    if total <= 0:
        return None
    own = float(arm.value.sum()) / total
    if min(own, 1 - own) * effective_units(arm.weight) < 1:
        return None
    return own, _spread((arm.value - own * arm.weight) / total)


def compare_rates(
    baseline: Arm, candidate: Arm, mean_weights: tuple[float, float] | None = None
) -> Estimate | None:
    """The difference of two shares (values are Σw over the events that count).

    ln(ratio) fails where a share is 0, so shares are compared plainly; tests use the variance
    under no difference, intervals the variance at the estimated difference. Variances are at least
    those of independent events that each stand for `mean_weights` events: spread between units
    reads too low while none of the few heavy events has been seen.
    """
    f0, f1, total = _overlap(baseline, candidate)
    common = (f0 * baseline.weight.sum(axis=1)).sum()
    if common <= 0:
        return None
    s0, s1 = baseline.value.sum(axis=1), candidate.value.sum(axis=1)
    n0_weight = baseline.weight.sum(axis=1)
    r0, r1 = float((f0 * s0).sum() / common), float((f1 * s1).sum() / common)
    d = r1 - r0
    mean = (s0 + s1) / np.where(total > 0, total, 1.0)
    spreads = []
    for shift0, shift1 in ((np.zeros_like(f0), np.zeros_like(f1)), (-d * f0, d * f1)):
        e0 = f0[:, None] * (baseline.value - (mean + shift0)[:, None] * baseline.weight)
        e1 = f1[:, None] * (candidate.value - (mean + shift1)[:, None] * candidate.weight)
        spreads.append((_spread(e0.sum(axis=0) / common), _spread(e1.sum(axis=0) / common)))
    (n0, n1), (v0, v1) = spreads
    if mean_weights:
        for_each = [
            weight * f**2 / common**2 for weight, f in zip(mean_weights, (f0, f1), strict=True)
        ]
        v0, v1 = max(v0, float((for_each[0] * s0).sum())), max(v1, float((for_each[1] * s1).sum()))
        expected = [mean * arm.weight.sum(axis=1) for arm in (baseline, candidate)]
        n0, n1 = (
            max(own, float((each * s).sum()))
            for own, each, s in zip((n0, n1), for_each, expected, strict=True)
        )
    units = _units(f0, baseline, f1, candidate)
    return Estimate(
        baseline=r0,
        candidate=r1,
        d=d,
        variance=v0 + v1,
        null_variance=n0 + n1,
        pooled=float((f0 * n0_weight * mean).sum() / common),
        units=units,
        degrees=_degrees(n0, n1, units),
    )


def _units(f0: Array, baseline: Arm, f1: Array, candidate: Arm) -> tuple[float, float]:
    return (
        effective_units((f0[:, None] * baseline.weight).sum(axis=0)),
        effective_units((f1[:, None] * candidate.weight).sum(axis=0)),
    )
