"""The error rate and the shares of status codes of one scope, with intervals and e-values."""

import math
from collections.abc import Iterator

import numpy as np

from insights.delta import (
    ENOUGH_HITS,
    ENOUGH_UNITS,
    LEVEL,
    Delta,
    Tested,
    distinct,
    score,
    too_few,
)
from insights.parts import Part
from insights.statistics import counts, sequences
from insights.statistics.totals import Arm, Estimate
from insights.totals import FIRST_CODE_OF_FAILURES as FAILURES
from insights.totals import Array

STATUS_CODES_SHOWN = 8


def rates(of: Part) -> Iterator[Delta]:
    """The error rate, then the most frequent status codes in their order."""
    yield _rate(of, "error_rate", of.sums("failed"), "error")
    for code, value in _status_codes(of):
        yield _rate(of, f"status_code:{code}", value, str(code) if code >= FAILURES else "")


def _status_codes(of: Part) -> Iterator[tuple[int, Array]]:
    grids = {code: of.grid(grid) for code, grid in of.totals.codes.items()}
    sizes = {code: float(grid.sum()) for code, grid in grids.items()}
    often = sorted((code for code in sizes if sizes[code]), key=lambda code: -sizes[code])
    for code in sorted(often[:STATUS_CODES_SHOWN]):
        yield code, grids[code]


def _rate(of: Part, measure: str, value: Array, hit: str) -> Delta:
    """A share of events: compared plainly, with an exact e-value where few units have it."""
    arms = of.arms(value)
    outcome = measure.partition(":")[2] or "error"
    weights = of.mean_weights(outcome)
    estimate = of.rate(outcome)
    if estimate is None:
        raise ValueError("a scope with two cohorts has a common stratum")
    error = math.sqrt(estimate.variance)
    test = _tested(of, estimate, arms, hit)
    return Delta(
        measure=measure,
        scope=of.scope,
        baseline=estimate.baseline,
        candidate=estimate.candidate,
        ratio=estimate.candidate / estimate.baseline if estimate.baseline > 0 else None,
        difference=estimate.d,
        ratio_interval=_ratio_interval(estimate, error),
        difference_interval=_difference_interval(estimate, error, _independent(of, arms, weights)),
        events=of.events(),
        units=of.units(),
        d=estimate.d,
        error=error,
        scale=1 / max(estimate.pooled, 1e-9),
        degrees=estimate.degrees,
        log_e=test.log_e,
        tested=not test.reason,
        reason=test.reason,
        z=test.z,
        unit=of.totals.units.noun,
    )


def _tested(of: Part, estimate: Estimate, arms: tuple[Arm, Arm], hit: str) -> Tested:
    """The evidence, and why intervals can't be relied on yet.

    The exact e-value needs cohorts that were there together, at one share of the units; it may
    claim from the first errors on. Where many units have one, it is averaged with the usual one.
    `hit` is "" for outcomes that nearly every unit has, whose units are not counted.
    """
    seen: tuple[float, float] = of.units()
    if of.uneven:  # a slow cohort's units are seen more often
        seen = (float(arms[0].weight.sum()), float(arms[1].weight.sum()))
    share = seen[1] / sum(seen) if sum(seen) else 0.5
    parts = []
    hits = of.hits(hit)
    exact = of.totals.together and of.totals.events.shape[1] == 1 and not of.is_remainder
    if exact and hit:
        log_exact = counts.log_e_value(hits[0], hits[1], share)
        up = hits[1] > share * sum(hits)
        parts.append(log_exact if up == (estimate.d > 0) else min(log_exact, 0.0))
    reason = too_few(of, estimate, ENOUGH_UNITS)
    null_error = math.sqrt(estimate.null_variance)
    expected = sum(hits) * min(share, 1 - share) if hit else _hits(of, arms)
    enough = expected >= ENOUGH_HITS
    z = 0.0
    if not reason and enough and null_error > 0:
        z = sequences.small_sample(score(estimate.d, estimate.null_variance), estimate.degrees)
        parts.append(sequences.log_e_value(z, null_error / max(estimate.pooled, 1e-9)))
    if not parts:
        return Tested(reason=reason)
    return Tested(float(np.logaddexp.reduce(parts)) - math.log(len(parts)), z, reason)


def _hits(of: Part, arms: tuple[Arm, Arm]) -> float:
    """About how many units have the rarer of an outcome and its absence, in the smaller cohort."""
    weight = sum(float(arm.weight.sum()) for arm in arms)
    hit = sum(float(arm.value.sum()) for arm in arms)
    return distinct(of, sum(of.events()) * min(hit, weight - hit) / weight if weight else 0.0)


def _independent(
    of: Part, arms: tuple[Arm, Arm], weights: tuple[float, float] | None
) -> tuple[float, float]:
    """Units of each cohort, as if all their events stood for as many as `weights` say a hit would.

    Of 40 users whose 100 kept events stand for 500, there are 40 if each stands for five, and 4 if
    a hit may be met in one that stands for fifty.
    """
    units = of.units()
    if weights is None:
        return units
    kept = of.events()
    represented = [float(arm.weight.sum()) for arm in arms]
    first, second = (
        min(n * total / (each * events), n) if each and events else 0.0
        for n, total, each, events in zip(units, represented, weights, kept, strict=True)
    )
    return first, second


def _difference_interval(
    estimate: Estimate, error: float, units: tuple[float, float]
) -> tuple[float, float] | None:
    """Always valid; where no unit of either cohort has a hit, an exact upper bound either way.

    None where that excludes nothing: a share of 100% could have been missed on one side.
    """
    if estimate.pooled == 0 or error == 0:
        once = -math.log((1 - LEVEL) / 4)  # a mixture that starts at none
        if min(units) <= once:
            return None
        return -once / units[0], once / units[1]
    half = sequences.half_width(error, error / estimate.pooled, estimate.degrees, 1 - LEVEL)
    if not math.isfinite(half):
        return None
    return max(estimate.d - half, -1.0), min(estimate.d + half, 1.0)


def _ratio_interval(estimate: Estimate, error: float) -> tuple[float, float] | None:
    """On the log scale, by the difference's relative error; None where a share is 0."""
    if estimate.baseline <= 0 or estimate.candidate <= 0 or error == 0:
        return None
    relative = error / min(estimate.baseline, estimate.candidate)
    half = sequences.half_width(relative, relative, estimate.degrees, 1 - LEVEL)
    if not math.isfinite(half) or half > 20:
        return None
    d = math.log(estimate.candidate / estimate.baseline)
    return math.exp(d - half), math.exp(d + half)
