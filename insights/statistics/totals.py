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
    return float(_effective(weight.reshape(-1)))


def _effective(weight: Array) -> Array:
    """`effective_units` over the last axis."""
    squares = (weight**2).sum(axis=-1)
    found: Array = weight.sum(axis=-1) ** 2 / np.where(squares > 0, squares, 1.0)
    return found


def _overlap(weight: Array) -> tuple[Array, Array, Array]:
    """Factors for both cohorts' totals, events, and events of both; the last axis is strata."""
    events = weight.sum(axis=-1)
    total = events.sum(axis=0)
    safe = np.where(total > 0, total, 1.0)
    return events[::-1] / safe, events, safe


def _spread(residuals: Array) -> Array:
    """K/(K−1)·Σe² over the buckets that hold anything (the last axis), centred residuals."""
    buckets = np.maximum(np.count_nonzero(residuals, axis=-1), 2)
    found: Array = buckets / (buckets - 1) * (residuals**2).sum(axis=-1)
    return found


def _degrees(variance: Array, units: Array) -> Array:
    """Satterthwaite's, of two cohorts' variances."""
    parts = (variance**2 / np.maximum(units - 1, 1e-9)).sum(axis=0)
    found: Array = np.where(
        parts > 0, variance.sum(axis=0) ** 2 / np.where(parts > 0, parts, 1.0), 0.0
    )
    return found


def _estimates(known: NDArray[np.bool_], columns: dict[str, Array]) -> list[Estimate | None]:
    """One estimate a scope from arrays over scopes; units of both cohorts last."""
    rows = zip(known.tolist(), *(column.T.tolist() for column in columns.values()), strict=True)
    return [
        Estimate(**{**dict(zip(columns, row, strict=True)), "units": tuple(row[-1])})
        if there
        else None
        for there, *row in rows
    ]


def compare_means(baseline: Arm, candidate: Arm) -> Estimate | None:
    """The ratio of two weighted means. None where a cohort holds nothing or only zeros."""
    return means(*_stacked(baseline, candidate))[0]


def _stacked(baseline: Arm, candidate: Arm) -> tuple[Array, Array]:
    """Weights and values of one scope as those of many."""
    return (
        np.stack([baseline.weight, candidate.weight])[:, None],
        np.stack([baseline.value, candidate.value])[:, None],
    )


def means(weight: Array, value: Array) -> list[Estimate | None]:
    """`compare_means` of many scopes in one pass; shape (cohort, scope, stratum, bucket).

    Residuals are taken from the stratum's pooled mean (each stratum's own means are too small in
    thin strata); with one stratum that is each cohort's own mean.
    """
    factor, events, total = _overlap(weight)
    sums = value.sum(axis=-1)
    a = (factor * sums).sum(axis=-1)
    common = (factor[0] * events[0]).sum(axis=-1)
    known = (common > 0) & (a > 0).all(axis=0)
    a, common = np.where(known, a, 1.0), np.where(known, common, 1.0)
    ratio = a[1] / a[0]
    mean = (sums[1] / ratio[:, None] + sums[0]) / total
    own = np.stack([mean, ratio[:, None] * mean])
    residuals = factor[..., None] * (value - own[..., None] * weight)
    variance = _spread(residuals.sum(axis=-2) / a[..., None])
    units = _units(factor, weight)
    both = variance.sum(axis=0)
    return _estimates(
        known,
        {
            "baseline": a[0] / common,
            "candidate": a[1] / common,
            "d": np.log(ratio),
            "variance": both,
            "null_variance": both,
            "pooled": a.sum(axis=0) / (2 * common),
            "degrees": _degrees(variance, units),
            "units": units,
        },
    )


def compare_counts(baseline: Array, candidate: Array, seconds: tuple[float, float]) -> Estimate:
    """Events a second: ln of their ratio, over buckets. Both must hold something."""
    r0, r1 = baseline.sum() / seconds[0], candidate.sum() / seconds[1]
    v0, v1 = (
        len(n) / (len(n) - 1) * float(((n - n.mean()) ** 2).sum()) / float(n.sum()) ** 2
        for n in (baseline, candidate)
    )
    units = (effective_units(baseline), effective_units(candidate))
    degrees = _degrees(np.array([v0, v1]), np.array(units))
    return Estimate(
        baseline=float(r0),
        candidate=float(r1),
        d=float(np.log(r1 / r0)),
        variance=v0 + v1,
        null_variance=v0 + v1,
        pooled=float((r0 + r1) / 2),
        units=units,
        degrees=float(degrees),
    )


def share_variances(weight: Array, value: Array) -> list[list[tuple[float, float] | None]]:
    """By scope and cohort, a share of events and its variance over units, strata by overlap.

    None where too few units' worth of events lie on either side to tell.
    """
    factor = _overlap(weight)[0][..., None]
    weight, value = (factor * weight).sum(axis=-2), (factor * value).sum(axis=-2)
    total = weight.sum(axis=-1)
    safe = np.where(total > 0, total, 1.0)
    own = value.sum(axis=-1) / safe
    enough = (total > 0) & (np.minimum(own, 1 - own) * _effective(weight) >= 1)
    variance = _spread((value - own[..., None] * weight) / safe[..., None])
    return [
        [(p, v) if known else None for p, v, known in zip(*cohorts, strict=True)]
        for cohorts in zip(own.T.tolist(), variance.T.tolist(), enough.T.tolist(), strict=True)
    ]


def compare_rates(
    baseline: Arm, candidate: Arm, mean_weights: tuple[float, float] | None = None
) -> Estimate | None:
    """The difference of two shares (values are Σw over the events that count)."""
    least = np.array(mean_weights)[:, None] if mean_weights else None
    return rates(*_stacked(baseline, candidate), least)[0]


def rates(weight: Array, value: Array, mean_weights: Array | None = None) -> list[Estimate | None]:
    """`compare_rates` of many scopes in one pass; shape (cohort, scope, stratum, bucket).

    ln(ratio) fails where a share is 0, so shares are compared plainly; tests use the variance
    under no difference, intervals the variance at the estimated difference. Variances are at least
    those of independent events that each stand for `mean_weights` events (by cohort and scope):
    spread between units reads too low while none of the few heavy events has been seen.
    """
    factor, events, total = _overlap(weight)
    common = (factor[0] * events[0]).sum(axis=-1)
    known = common > 0
    common = np.where(known, common, 1.0)
    sums = value.sum(axis=-1)
    rate = (factor * sums).sum(axis=-1) / common
    d = rate[1] - rate[0]
    mean = sums.sum(axis=0) / total
    own = np.stack([mean - d[:, None] * factor[0], mean + d[:, None] * factor[1]])
    weights = factor[..., None]
    null, variance = (
        _spread((weights * (value - of[..., None] * weight)).sum(axis=-2) / common[:, None])
        for of in (np.stack([mean, mean]), own)
    )
    if mean_weights is not None:
        each = mean_weights[..., None] * factor**2 / common[:, None] ** 2
        variance = np.maximum(variance, (each * sums).sum(axis=-1))
        null = np.maximum(null, (each * mean * events).sum(axis=-1))
    units = _units(factor, weight)
    return _estimates(
        known,
        {
            "baseline": rate[0],
            "candidate": rate[1],
            "d": d,
            "variance": variance.sum(axis=0),
            "null_variance": null.sum(axis=0),
            "pooled": (factor[0] * events[0] * mean).sum(axis=-1) / common,
            "degrees": _degrees(null, units),
            "units": units,
        },
    )


def _units(factor: Array, weight: Array) -> Array:
    return _effective((factor[..., None] * weight).sum(axis=-2))
