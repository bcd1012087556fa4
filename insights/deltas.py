"""Totals → deltas: every measure of every scope, with its interval and its e-value.

Measures: latency mean, p50, p95 and p99, error rate, the share of each status code, and traffic.
Verdicts are not decided here: they depend on all deltas of the comparison (`insights.verdicts`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insights.cohorts import Scope
from insights.comparison import BUCKETS, Cells, Totals
from insights.statistics import counts, quantiles, sequences
from insights.statistics.totals import Arm, Array, Estimate, compare_means, compare_rates

LEVEL = 0.95
QUANTILES = {"latency_p50": 0.50, "latency_p95": 0.95, "latency_p99": 0.99}
ENOUGH_UNITS = 20.0
ENOUGH_UNITS_MEAN = 30.0
ENOUGH_HITS = 10.0
STATUS_CODES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Delta:
    """One measure's difference in one scope.

    Latencies in ms, rates as fractions of 1. `d` is what is tested: ln(ratio) for latencies and
    traffic, the plain difference for rates; `error` its standard error and `scale` the factor that
    makes it a log ratio's. `log_e` is ln of the e-value; `tested` says whether enough was seen.
    Intervals are None where nothing is excluded or a ratio has no denominator.
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
    reason: str = ""  # why it is not tested

    @property
    def is_latency(self) -> bool:
        return self.measure.startswith("latency_")

    @property
    def is_rate(self) -> bool:
        return self.measure == "error_rate" or self.measure.startswith("status_code:")


@dataclass(frozen=True, slots=True)
class Part:
    """The cells of one scope, as arms by stratum and bucket."""

    scope: Scope
    place: int | None
    cells: Cells
    stratum: NDArray[np.int64]
    strata: int
    totals: Totals

    def arms(self, value: Array | None = None) -> tuple[Arm, Arm]:
        """Σw and Σ`value` (default: nothing) of baseline and candidate."""
        weight = self._grid(self.cells.weight)
        values = self._grid(value) if value is not None else np.zeros_like(weight)
        return Arm(weight[0], values[0]), Arm(weight[1], values[1])

    def _grid(self, value: Array) -> Array:
        key = (self.cells.arm * self.strata + self.stratum) * BUCKETS + self.cells.bucket
        size = 2 * self.strata * BUCKETS
        grid: Array = np.bincount(key, weights=value, minlength=size).astype(np.float64)
        return grid.reshape(2, self.strata, BUCKETS)

    def balanced(self) -> Array:
        """Each cell's weight after the overlap weighting of its stratum."""
        weight = self._grid(self.cells.weight).sum(axis=2)
        total = weight.sum(axis=0)
        factor = weight[::-1] / np.where(total > 0, total, 1.0)
        balanced: Array = self.cells.weight * factor[self.cells.arm, self.stratum]
        return balanced

    def counted(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Events and distinct units of both cohorts."""
        events = [int(self.cells.events[self.cells.arm == arm].sum()) for arm in (0, 1)]
        units = self.totals.units
        seen = [
            units.whole.get(arm, 0)
            if self.place is None
            else units.by_place.get((arm, self.place), 0)
            for arm in (0, 1)
        ]
        return (events[0], events[1]), (seen[0], seen[1])


def part(totals: Totals, place: int | None, *, without: frozenset[int] = frozenset()) -> Part:
    """The cells of one place, or of all of them but `without`, each place a stratum of its own."""
    cells = totals.cells
    if place is not None:
        cells = cells.where(cells.place == place)
    elif without:
        cells = cells.where(~np.isin(cells.place, list(without)))
    slices = cells.slice - (cells.slice.min() if len(cells) else 0)
    key = slices * max(len(cells.places), 1) + (cells.place if place is None else 0)
    found, stratum = np.unique(key, return_inverse=True)
    scope = cells.places[place] if place is not None else Scope()
    return Part(scope, place, cells, stratum.astype(np.int64), len(found), totals)


def deltas(totals: Totals) -> list[Delta]:
    """Every measure of the whole cohort, then of each place, busiest first."""
    found: list[Delta] = []
    for place in (None, *range(len(totals.cells.places))):
        found.extend(measured(part(totals, place)))
    return found


def measured(of: Part) -> Iterator[Delta]:
    """All measures of one scope; nothing where a cohort has no events in it."""
    if not {0, 1} <= set(np.unique(of.cells.arm)):
        return
    yield from _latencies(of)
    yield _rate(of, "error_rate", of.cells.error, "error")
    for code in _status_codes(of.cells):
        yield _rate(of, f"status_code:{code}", of.cells.status == code, str(code))
    if (traffic := _traffic(of)) is not None:
        yield traffic


def _status_codes(cells: Cells) -> list[int]:
    seen = {
        int(code): float(cells.weight[cells.status == code].sum())
        for code in np.unique(cells.status)
        if code
    }
    return sorted(sorted(seen, key=lambda code: -seen[code])[:STATUS_CODES_SHOWN])


def _too_few(estimate: Estimate, enough: float) -> str:
    if min(estimate.units) >= enough:
        return ""
    return f"fewer than {enough:.0f} units' worth of traffic in a cohort"


def _latencies(of: Part) -> Iterator[Delta]:
    mean = compare_means(*of.arms(of.cells.total_ms))
    if mean is None:
        return
    error = math.sqrt(mean.variance)
    yield _log_delta(of, "latency_mean", mean, error, error, _too_few(mean, ENOUGH_UNITS_MEAN))
    weight = of.balanced()
    if not weight.sum():
        return
    pooled = quantiles.histogram(of.cells.bin, weight)
    own = [
        quantiles.histogram(of.cells.bin[of.cells.arm == a], weight[of.cells.arm == a])
        for a in (0, 1)
    ]
    for measure, share in QUANTILES.items():
        yield _quantile(of, measure, share, pooled, own)


def _quantile(
    of: Part,
    measure: str,
    share: float,
    pooled: quantiles.Histogram,
    own: list[quantiles.Histogram],
) -> Delta:
    """Tested as the share of events above the pooled quantile, reported as the quantiles."""
    threshold = pooled.log_quantile(share)
    above = _share_of_bin_above(of.cells.bin, threshold)
    test = compare_rates(*of.arms(of.cells.weight * above))
    values = [histogram.log_quantile(share) for histogram in own]
    if test is None:
        raise ValueError("a scope with two cohorts has a common stratum")
    errors = [
        quantiles.log_error(histogram, share, _share_error(of, arm, values[arm]))
        for arm, histogram in enumerate(own)
    ]
    steep = quantiles.slope(pooled, share)
    reason = _too_few(test, ENOUGH_UNITS)
    if not reason and _hits(of, above) < ENOUGH_HITS:
        reason = "too few requests this slow"
    z = sequences.small_sample(_score(test.d, test.null_variance), test.degrees)
    scale = max(math.sqrt(test.null_variance) * steep, 1e-6)
    estimate = Estimate(
        baseline=math.exp(values[0]),
        candidate=math.exp(values[1]),
        d=values[1] - values[0],
        variance=errors[0] ** 2 + errors[1] ** 2,
        null_variance=test.null_variance,
        pooled=math.exp(threshold),
        units=test.units,
        degrees=test.degrees,
    )
    error = math.sqrt(estimate.variance)
    log_e = sequences.log_e_value(z, scale)
    if (test.d > 0) != (estimate.d > 0):
        log_e = min(log_e, 0.0)  # test and estimate disagree in sign: nothing to claim
    return _log_delta(of, measure, estimate, error, error, reason, log_e)


def _share_of_bin_above(bins: NDArray[np.int64], threshold: float) -> Array:
    """1 for bins above the threshold, 0 below, the part of the bin that it falls into."""
    position = threshold * quantiles.BINS_PER_E
    return np.clip(bins + 1 - position, 0.0, 1.0)


def _share_error(of: Part, arm: int, threshold: float) -> float:
    """Standard error, over units, of one cohort's share below its own quantile."""
    above = _share_of_bin_above(of.cells.bin, threshold)
    weight = of.balanced()
    mask = of.cells.arm == arm
    n = np.bincount(of.cells.bucket[mask], weights=weight[mask], minlength=BUCKETS)
    s = np.bincount(of.cells.bucket[mask], weights=(weight * above)[mask], minlength=BUCKETS)
    residual = (s - s.sum() / n.sum() * n) / n.sum()
    filled = max(int((n > 0).sum()), 2)
    return math.sqrt(filled / (filled - 1) * float((residual**2).sum()))


def _hits(of: Part, above: Array) -> float:
    """About how many units exceed a threshold, times the smaller cohort's share of units.

    Units are taken as distinct until the events above outnumber them.
    """
    events = float((of.cells.events * above).sum())
    _, units = of.counted()
    everyone = sum(units)
    if not everyone:
        return 0.0
    distinct = everyone * -math.expm1(-events / everyone)
    return distinct * min(units) / everyone


def _score(d: float, variance: float) -> float:
    return abs(d) / math.sqrt(variance) if variance > 0 else 0.0


def _log_delta(
    of: Part,
    measure: str,
    estimate: Estimate,
    error: float,
    scale: float,
    reason: str,
    log_e: float | None = None,
) -> Delta:
    """A delta whose difference is tested and bounded on the log scale."""
    if log_e is None:
        z = sequences.small_sample(_score(estimate.d, error**2), estimate.degrees)
        log_e = sequences.log_e_value(z, scale) if scale > 0 else 0.0
    half = sequences.half_width(error, scale, estimate.degrees, 1 - LEVEL)
    ratio = math.exp(estimate.d)
    bounds = None
    if math.isfinite(half) and half < 20:
        bounds = (math.exp(estimate.d - half), math.exp(estimate.d + half))
    base = estimate.baseline
    events, units = of.counted()
    return Delta(
        measure=measure,
        scope=of.scope,
        baseline=base,
        candidate=estimate.candidate,
        ratio=ratio,
        difference=estimate.candidate - base,
        ratio_interval=bounds,
        difference_interval=(base * (bounds[0] - 1), base * (bounds[1] - 1)) if bounds else None,
        events=events,
        units=units,
        d=estimate.d,
        error=error,
        scale=1.0,
        degrees=estimate.degrees,
        log_e=log_e,
        tested=not reason,
        reason=reason,
    )


def _rate(of: Part, measure: str, counts_as: NDArray[np.bool_], hit: str) -> Delta:
    """A share of events: compared plainly, with an exact e-value where few units have it."""
    estimate = compare_rates(*of.arms(of.cells.weight * counts_as))
    if estimate is None:
        raise ValueError("a scope with two cohorts has a common stratum")
    events, units = of.counted()
    hits = [of.totals.units.hits.get((arm, of.place, hit), 0) for arm in (0, 1)]
    share = units[1] / sum(units) if sum(units) else 0.5
    log_exact = counts.log_e_value(hits[0], hits[1], share)
    error = math.sqrt(estimate.variance)
    null_error = math.sqrt(estimate.null_variance)
    log_e, reason = log_exact, _too_few(estimate, ENOUGH_UNITS)
    if not reason and sum(hits) * min(share, 1 - share) >= ENOUGH_HITS and null_error > 0:
        z = sequences.small_sample(_score(estimate.d, estimate.null_variance), estimate.degrees)
        usual = sequences.log_e_value(z, null_error / max(estimate.pooled, 1e-9))
        log_e = float(np.logaddexp(usual, log_exact) - math.log(2))
    if (share_up(hits, share) > 0) != (estimate.d > 0) and log_e == log_exact:
        log_e = min(log_e, 0.0)
    return Delta(
        measure=measure,
        scope=of.scope,
        baseline=estimate.baseline,
        candidate=estimate.candidate,
        ratio=estimate.candidate / estimate.baseline if estimate.baseline > 0 else None,
        difference=estimate.d,
        ratio_interval=_ratio_interval(estimate, error),
        difference_interval=_difference_interval(estimate, error, units),
        events=events,
        units=units,
        d=estimate.d,
        error=error,
        scale=1 / max(estimate.pooled, 1e-9),
        degrees=estimate.degrees,
        log_e=log_e,
        tested=not reason,
        reason=reason,
    )


def share_up(hits: list[int], share: float) -> float:
    """Positive when more of the units with a hit are in the candidate than its share of units."""
    return hits[1] - share * sum(hits)


def _difference_interval(
    estimate: Estimate, error: float, units: tuple[int, int]
) -> tuple[float, float] | None:
    """Always valid; where no unit of either cohort has a hit, an exact upper bound either way."""
    if estimate.pooled == 0 or error == 0:
        if not min(units):
            return None
        bound = [-math.log((1 - LEVEL) / 4) / n for n in units]  # rule of three, twice sided
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
    """Requests of this scope per unit of the whole cohort."""
    weight = of.cells.weight
    by_bucket = np.zeros((2, BUCKETS))
    np.add.at(by_bucket, (of.cells.arm, of.cells.bucket), weight)
    units = of.totals.units.by_bucket
    estimate = compare_means(Arm(units[:1], by_bucket[:1]), Arm(units[1:], by_bucket[1:]))
    if estimate is None:
        return None
    error = math.sqrt(estimate.variance)
    return _log_delta(of, "traffic", estimate, error, error, _too_few(estimate, ENOUGH_UNITS))
