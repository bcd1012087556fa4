"""Latency: mean, p50, p95 and p99 of one scope, each with its interval and its e-value."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from insights.delta import (
    ENOUGH_HITS,
    ENOUGH_UNITS,
    FURTHEST,
    LEVEL,
    Delta,
    Tested,
    distinct,
    log_delta,
    score,
    symmetric,
    too_few,
)
from insights.parts import Part, Shares
from insights.statistics import quantiles, sequences
from insights.statistics.totals import (
    Arm,
    Estimate,
    compare_means,
)
from insights.totals import QUANTILES, SUCCEEDED
from web import words

ENOUGH_UNITS_MEAN = 30.0
SHORTEST_MS = 0.0011  # as a scan reads what took no time

Histograms = tuple[quantiles.Histogram, quantiles.Histogram, quantiles.Histogram]


def latencies(of: Part) -> Iterator[Delta]:
    mean = of.mean("total_ms")
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
    capped = of.mean("capped_ms") or mean
    reason = too_few(of, mean, ENOUGH_UNITS_MEAN)
    z = sequences.small_sample(score(capped.d, capped.variance), capped.degrees)
    error = math.sqrt(capped.variance)
    log_e = sequences.log_e_value(z, error) if error > 0 else 0.0
    if (capped.d > 0) != (mean.d > 0):
        log_e, z = min(log_e, 0.0), 0.0  # test and estimate disagree in sign: nothing to claim
    return log_delta(of, "latency_mean", mean, Tested(log_e, z, reason), symmetric(mean))


def of_successes(of: Part) -> Estimate | None:
    """Mean latency of the requests that succeeded, for where failures are faster or slower."""
    weight, value = (of.grid(of.totals.sums[name]) for name in SUCCEEDED)
    return compare_means(Arm(weight[0], value[0]), Arm(weight[1], value[1]))


def _quantile(of: Part, name: str, histograms: Histograms) -> Delta:
    """Tested as the share of events above the pooled quantile, reported as the quantiles."""
    share = QUANTILES[name]
    test = of.share(f"above_{name}")
    if test is None:
        raise ValueError("a scope with two cohorts has a common stratum")
    if of.uneven:
        least = sum(own.event_variance(share) for own in histograms[:2])
        test = replace(test, null_variance=max(test.null_variance, least))
    z = sequences.small_sample(score(test.d, test.null_variance), test.degrees)
    slope = quantiles.slope(histograms[2], share)
    scale = max(math.sqrt(test.null_variance) * slope, 1e-6)
    log_e = sequences.log_e_value(z, scale)
    values = [own.log_quantile(share) for own in histograms[:2]]
    d = values[1] - values[0]
    if (test.d > 0) != (d > 0):
        log_e, z = min(log_e, 0.0), 0.0
    reason = too_few(of, test, ENOUGH_UNITS)
    if not reason and histograms[2].alike:
        took = math.exp(values[0])
        reason = f"all requests took {words.milliseconds(took if took > SHORTEST_MS else 0.0)}"
    elif not reason and distinct(of, min(histograms[2].sides(share))) < ENOUGH_HITS:
        reason = "too few requests this slow"
    down, up, error = _quantile_bounds(of.share_errors(f"above_{name}"), histograms, share, test)
    estimate = Estimate(
        baseline=math.exp(values[0]),
        candidate=math.exp(values[1]),
        d=d,
        variance=error**2,
        null_variance=test.null_variance,
        pooled=math.exp(histograms[2].log_quantile(share)),
        units=test.units,
        degrees=test.degrees,
    )
    bounds = (d - down, d + up) if max(down, up) < FURTHEST else None
    return log_delta(of, f"latency_{name}", estimate, Tested(log_e, z, reason), bounds)


def _quantile_bounds(
    seen: Shares, histograms: Histograms, share: float, test: Estimate
) -> tuple[float, float, float]:
    """How far down and up the difference of ln Q may lie, valid at every look, and its error.

    Each cohort's ranks are read back at the sequence's own width, and the sides of both added in
    squares (Zou and Donner, "Construction of confidence limits about effect measures", Statistics
    in Medicine 2008). The error is the wider side over that width.
    """
    errors = _share_errors(seen, histograms[:2], share)
    usual = [
        max(quantiles.log_bounds(own, share, 2 * error)) / 2
        for own, error in zip(histograms[:2], errors, strict=True)
    ]
    error = math.hypot(*usual)
    width = sequences.half_width(error, error, test.degrees, 1 - LEVEL) / error
    if not math.isfinite(width):
        return math.inf, math.inf, error
    (down0, up0), (down1, up1) = (
        quantiles.log_bounds(own, share, width * error)
        for own, error in zip(histograms[:2], errors, strict=True)
    )
    down, up = math.hypot(down1, up0), math.hypot(up1, down0)
    return down, up, max(down, up) / width


def _share_errors(
    seen: Shares, histograms: Sequence[quantiles.Histogram], share: float
) -> list[float]:
    """Standard errors of each cohort's share below its own quantile.

    How much more a share varies over units than over events is taken at the threshold that was
    counted; a cohort with too little on one side of it borrows the other's.
    """
    inflations = []
    for found, own in zip(seen, histograms, strict=True):
        if found is not None:
            above, variance = found
            inflations.append(max(variance / own.event_variance(1 - above), 1.0))
        else:
            inflations.append(math.inf)
    least = min(inflations)
    if not math.isfinite(least):
        return [0.5, 0.5]
    return [
        min(math.sqrt(own.event_variance(share) * (one if math.isfinite(one) else least)), 0.5)
        for own, one in zip(histograms, inflations, strict=True)
    ]
