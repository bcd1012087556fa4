"""Totals → deltas: every measure of every scope, with its interval and its e-value.

Measures: latency mean, p50, p95 and p99, error rate, the share of each status code, and traffic.
Verdicts are not decided here: they depend on all deltas of the comparison (`insights.verdicts`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from insights.cohorts import Scope
from insights.parts import Part, part
from insights.statistics import counts, quantiles, sequences
from insights.statistics.totals import (
    Arm,
    Estimate,
    compare_counts,
    compare_means,
    compare_rates,
    share_error,
)
from insights.totals import FIRST_CODE_OF_FAILURES as FAILURES
from insights.totals import QUANTILES, SUCCEEDED, Array, Totals

LEVEL = 0.95
HARM_LEVEL_ALPHA = 0.10  # both sides; one side of it is the 95% bound of a guard
ENOUGH_UNITS = 20.0
ENOUGH_UNITS_MEAN = 30.0
ENOUGH_HITS = 10.0
STATUS_CODES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Delta:
    """One measure's difference in one scope.

    Latencies in ms, rates as fractions of 1. `d` is what is reported: ln(ratio) for latencies and
    traffic, the plain difference for rates; `error` its standard error and `scale` the factor that
    makes it a log ratio's. `log_e` is ln of the e-value, −∞ where nothing may be claimed; `tested`
    says whether enough was seen for intervals to be relied on, `reason` why not. Intervals are
    None where nothing is excluded or a ratio has no denominator.
    """

    measure: str
    scope: Scope
    baseline: float
    candidate: float
    ratio: float | None
    difference: float
    ratio_interval: tuple[float, float] | None
    difference_interval: tuple[float, float] | None
    events: tuple[int, int]
    units: tuple[int, int]
    d: float
    error: float
    scale: float
    degrees: float
    log_e: float
    tested: bool
    reason: str = ""

    @property
    def is_latency(self) -> bool:
        return self.measure.startswith("latency_")

    @property
    def is_rate(self) -> bool:
        return self.measure == "error_rate" or self.measure.startswith("status_code:")

    @property
    def harm_excluded(self) -> float:
        """By how much it is at most higher (95%, one-sided, at every look), on the scale of `d`."""
        if not self.tested:
            return math.inf
        half = sequences.half_width(
            self.error, self.error * self.scale, self.degrees, HARM_LEVEL_ALPHA
        )
        return self.d + half


def deltas(totals: Totals) -> list[Delta]:
    """Every measure of the whole cohort, then of each place, busiest first."""
    found: list[Delta] = []
    for place in (None, *range(len(totals.places))):
        found.extend(measured(part(totals, place)))
    return found


def measured(of: Part) -> Iterator[Delta]:
    """All measures of one scope; nothing where the cohorts share no place and time in it."""
    if not of.keep or not of.shared():
        return
    yield from _latencies(of)
    yield _rate(of, "error_rate", of.sums("failed"), "error")
    for code, value in _status_codes(of):
        yield _rate(of, f"status_code:{code}", value, str(code) if code >= FAILURES else "")
    if (traffic := _traffic(of)) is not None:
        yield traffic


def _status_codes(of: Part) -> Iterator[tuple[int, Array]]:
    grids = {code: of.grid(grid) for code, grid in of.totals.codes.items()}
    sizes = {code: float(grid.sum()) for code, grid in grids.items()}
    often = sorted((code for code in sizes if sizes[code]), key=lambda code: -sizes[code])
    for code in sorted(often[:STATUS_CODES_SHOWN]):
        yield code, grids[code]


def _too_few(estimate: Estimate, enough: float) -> str:
    if min(estimate.units) >= enough:
        return ""
    return f"too few users on one side so far: at least {enough:.0f} are needed"


def _latencies(of: Part) -> Iterator[Delta]:
    mean = compare_means(*of.arms(of.sums("total_ms")))
    if mean is not None:
        yield _mean(of, mean)
    histograms = of.histograms()
    if min(own.total() for own in histograms) > 0:
        for name in QUANTILES:
            yield _quantile(of, name, histograms)


def _mean(of: Part, mean: Estimate) -> Delta:
    """Reported as it is, tested with values above the pooled p99 cut down to it.

    The tail of a plain mean is where false alarms in small cohorts come from.
    """
    capped = compare_means(*of.arms(of.sums("capped_ms"))) or mean
    reason = _too_few(mean, ENOUGH_UNITS_MEAN)
    z = sequences.small_sample(_score(capped.d, capped.variance), capped.degrees)
    error = math.sqrt(capped.variance)
    log_e = sequences.log_e_value(z, error) if error > 0 else 0.0
    if (capped.d > 0) != (mean.d > 0):
        log_e = min(log_e, 0.0)  # test and estimate disagree in sign: nothing to claim
    return _log_delta(of, "latency_mean", mean, reason, log_e)


def of_successes(of: Part) -> Estimate | None:
    """Mean latency of the requests that succeeded, for where failures are faster or slower."""
    weight, value = (of.grid(of.totals.sums[name]) for name in SUCCEEDED)
    return compare_means(Arm(weight[0], value[0]), Arm(weight[1], value[1]))


def _quantile(
    of: Part,
    name: str,
    histograms: tuple[quantiles.Histogram, quantiles.Histogram, quantiles.Histogram],
) -> Delta:
    """Tested as the share of events above the pooled quantile, reported as the quantiles."""
    share = QUANTILES[name]
    pooled = histograms[2]
    arms = of.arms(of.sums(f"above_{name}"))
    test = compare_rates(*arms)
    if test is None:
        raise ValueError("a scope with two cohorts has a common stratum")
    values = [own.log_quantile(share) for own in histograms[:2]]
    errors = [
        quantiles.log_error(own, share, error)
        for own, error in zip(histograms[:2], _share_errors(arms, share), strict=True)
    ]
    reason = _too_few(test, ENOUGH_UNITS)
    if not reason and _hits(of, arms) < ENOUGH_HITS:
        reason = "too few requests this slow"
    z = sequences.small_sample(_score(test.d, test.null_variance), test.degrees)
    scale = max(math.sqrt(test.null_variance) * quantiles.slope(pooled, share), 1e-6)
    log_e = sequences.log_e_value(z, scale)
    estimate = Estimate(
        baseline=math.exp(values[0]),
        candidate=math.exp(values[1]),
        d=values[1] - values[0],
        variance=errors[0] ** 2 + errors[1] ** 2,
        null_variance=test.null_variance,
        pooled=math.exp(pooled.log_quantile(share)),
        units=test.units,
        degrees=test.degrees,
    )
    if (test.d > 0) != (estimate.d > 0):
        log_e = min(log_e, 0.0)
    return _log_delta(of, f"latency_{name}", estimate, reason, log_e)


def _share_errors(arms: tuple[Arm, Arm], share: float) -> list[float]:
    """Standard errors of each cohort's share below its own quantile.

    A cohort with too little on one side of the threshold borrows the other's variation, at its
    own size.
    """
    own = [share_error(arm, share) for arm in arms]
    sizes = [float(arm.weight.sum()) for arm in arms]
    found = []
    for place, error in enumerate(own):
        other = own[1 - place]
        if error is not None:
            found.append(error)
        elif other is not None:
            found.append(other * math.sqrt(sizes[1 - place] / max(sizes[place], 1e-9)))
        else:
            found.append(0.5)
    return found


def _hits(of: Part, arms: tuple[Arm, Arm]) -> float:
    """About how many units exceed a threshold, times the smaller cohort's share of units.

    Units are taken as distinct until the events above outnumber them.
    """
    weight = sum(float(arm.weight.sum()) for arm in arms)
    above = sum(float(arm.value.sum()) for arm in arms)
    units = of.units()
    everyone = sum(units)
    if not everyone or not weight:
        return 0.0
    events = sum(of.events()) * above / weight
    return everyone * -math.expm1(-events / everyone) * min(units) / everyone


def _score(d: float, variance: float) -> float:
    return abs(d) / math.sqrt(variance) if variance > 0 else 0.0


def _log_delta(
    of: Part, measure: str, estimate: Estimate, reason: str, log_e: float = -math.inf
) -> Delta:
    """A delta whose difference is bounded on the log scale."""
    error = math.sqrt(estimate.variance)
    half = sequences.half_width(error, error, estimate.degrees, 1 - LEVEL)
    bounds = None
    if math.isfinite(half) and half < 20:
        bounds = (math.exp(estimate.d - half), math.exp(estimate.d + half))
    base = estimate.baseline
    return Delta(
        measure=measure,
        scope=of.scope,
        baseline=base,
        candidate=estimate.candidate,
        ratio=math.exp(estimate.d),
        difference=estimate.candidate - base,
        ratio_interval=bounds,
        difference_interval=(base * (bounds[0] - 1), base * (bounds[1] - 1)) if bounds else None,
        events=of.events(),
        units=of.units(),
        d=estimate.d,
        error=error,
        scale=1.0,
        degrees=estimate.degrees,
        log_e=-math.inf if reason else log_e,
        tested=not reason,
        reason=reason,
    )


def _rate(of: Part, measure: str, value: Array, hit: str) -> Delta:
    """A share of events: compared plainly, with an exact e-value where few units have it."""
    arms = of.arms(value)
    estimate = compare_rates(*arms)
    if estimate is None:
        raise ValueError("a scope with two cohorts has a common stratum")
    error = math.sqrt(estimate.variance)
    log_e, reason = _rate_evidence(of, estimate, arms, hit)
    return Delta(
        measure=measure,
        scope=of.scope,
        baseline=estimate.baseline,
        candidate=estimate.candidate,
        ratio=estimate.candidate / estimate.baseline if estimate.baseline > 0 else None,
        difference=estimate.d,
        ratio_interval=_ratio_interval(estimate, error),
        difference_interval=_difference_interval(estimate, error, of.units()),
        events=of.events(),
        units=of.units(),
        d=estimate.d,
        error=error,
        scale=1 / max(estimate.pooled, 1e-9),
        degrees=estimate.degrees,
        log_e=log_e,
        tested=not reason,
        reason=reason,
    )


def _rate_evidence(
    of: Part, estimate: Estimate, arms: tuple[Arm, Arm], hit: str
) -> tuple[float, str]:
    """ln E, and why intervals can't be relied on yet.

    The exact e-value needs cohorts that were there together, at one share of the units; it may
    claim from the first errors on. Where many units have one, it is averaged with the usual one.
    `hit` is "" for outcomes that nearly every unit has, whose units are not counted.
    """
    units = of.units()
    share = units[1] / sum(units) if sum(units) else 0.5
    parts = []
    hits = of.hits(hit)
    exact = of.totals.together and of.totals.events.shape[1] == 1 and not of.is_remainder
    if exact and hit:
        log_exact = counts.log_e_value(hits[0], hits[1], share)
        up = hits[1] > share * sum(hits)
        parts.append(log_exact if up == (estimate.d > 0) else min(log_exact, 0.0))
    reason = _too_few(estimate, ENOUGH_UNITS)
    null_error = math.sqrt(estimate.null_variance)
    expected = sum(hits) * min(share, 1 - share) if hit else _hits(of, arms)
    enough = expected >= ENOUGH_HITS
    if not reason and enough and null_error > 0:
        z = sequences.small_sample(_score(estimate.d, estimate.null_variance), estimate.degrees)
        parts.append(sequences.log_e_value(z, null_error / max(estimate.pooled, 1e-9)))
    if not parts:
        return -math.inf, reason
    return float(np.logaddexp.reduce(parts)) - math.log(len(parts)), reason


def _difference_interval(
    estimate: Estimate, error: float, units: tuple[int, int]
) -> tuple[float, float] | None:
    """Always valid; where no unit of either cohort has a hit, an exact upper bound either way."""
    if estimate.pooled == 0 or error == 0:
        if not min(units):
            return None
        bound = [-math.log((1 - LEVEL) / 4) / n for n in units]  # a mixture that starts at none
        return max(-bound[0], -1.0), min(bound[1], 1.0)
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


def _traffic(of: Part) -> Delta | None:
    """Requests of this scope per unit of the whole cohort; a second, before and after."""
    by_bucket = of.totals.sums["weight"][:, :, of.keep, :].sum(axis=(1, 2))
    if not of.totals.together:
        estimate: Estimate | None = compare_counts(by_bucket[0], by_bucket[1], of.totals.seconds)
    else:
        units = of.totals.units.by_bucket
        estimate = compare_means(Arm(units[:1], by_bucket[:1]), Arm(units[1:], by_bucket[1:]))
    if estimate is None:
        return None
    return _log_delta(of, "traffic", estimate, _too_few(estimate, ENOUGH_UNITS))
