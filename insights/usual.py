"""Before and after, less what usually happens: the difference of differences.

A level that was an hour ago is no prediction of one now: what the same measure does at this time of
earlier days and weeks by itself (`insights.placebos`) is taken from the difference, on the log
scale. Intervals hold the sampling and how far levels move by themselves, added in squares. Evidence
is the lesser of that for the plain difference and for what is beyond the usual one: an allowance
that is itself wrong must not make a claim.
"""

import math
from dataclasses import replace

from insights.delta import LEVEL, Delta
from insights.placebos import Drifts, Usual
from insights.statistics import before_after, sequences
from insights.verdicts import margin
from web import words

CLAIMABLE = math.log(20)
AS_USUAL = "levels usually move like this at this time of day"


def beyond(delta: Delta, drifts: Drifts) -> Delta:
    """A before-and-after delta held against its route's usual difference and against drift."""
    if not (delta.is_latency or follows_failures(delta)):
        return delta
    usual = drifts.usual(delta)
    moves = math.sqrt(usual.variance + (drifts.latency if delta.is_latency else drifts.errors) ** 2)
    found = _latency(delta, usual, moves) if delta.is_latency else _rate(delta, usual, moves)
    found = replace(found, drift_degrees=float(before_after.PRIOR_PLACEBOS + drifts.count))
    found = _widened(found, delta)
    if delta.log_e >= CLAIMABLE > found.log_e:
        return replace(found, reason=AS_USUAL)
    by_itself = found.by_itself(1 - LEVEL)
    if found.tested and not found.reason and by_itself >= margin(found):
        moved = words.points(by_itself) if found.is_rate else words.relative(math.expm1(by_itself))
        return replace(found, reason=f"levels move by up to {moved} here when nothing changes")
    return found


def follows_failures(delta: Delta) -> bool:
    """Whether what failures usually do says what this share usually does."""
    return delta.measure == "error_rate" or delta.measure.startswith("status_code:5")


def _latency(delta: Delta, usual: Usual, moves: float) -> Delta:
    d = delta.d - usual.log_ratio
    baseline = delta.baseline * math.exp(usual.log_ratio)
    error = math.hypot(delta.error, math.sqrt(usual.variance))
    log_e, z = _evidence(delta, usual.log_ratio, d, error)
    return replace(
        delta,
        baseline=baseline,
        ratio=math.exp(d),
        difference=delta.candidate - baseline,
        d=d,
        error=error,
        log_e=log_e,
        z=z,
        drift=moves,
    )


def _rate(delta: Delta, usual: Usual, moves: float) -> Delta:
    baseline = min(delta.baseline * math.exp(usual.log_ratio), 1.0)
    d = delta.candidate - baseline
    error = math.hypot(delta.error, baseline * math.sqrt(usual.variance))
    log_e, z = _evidence(delta, baseline - delta.baseline, d, error)
    return replace(
        delta,
        baseline=baseline,
        ratio=delta.candidate / baseline if baseline > 0 else None,
        difference=d,
        d=d,
        error=error,
        log_e=log_e,
        z=z,
        drift=baseline * moves,
    )


def _evidence(delta: Delta, shift: float, d: float, error: float) -> tuple[float, float]:
    """ln of the lesser e-value, and its score. `shift` is what usually happens."""
    if not shift or delta.error <= 0 or delta.z <= 0:
        return delta.log_e, delta.z
    z = (math.copysign(delta.z, delta.d) - shift / delta.error) * delta.error / error
    if z * d <= 0 or d * delta.d <= 0:
        return min(delta.log_e, 0.0), 0.0
    other = sequences.log_e_value(abs(z), error * delta.scale)
    return min(delta.log_e, other), min(delta.z, abs(z))


def _widened(found: Delta, before: Delta) -> Delta:
    """The intervals of `before`, moved to where the difference is now and widened by drift."""
    difference, ratio = before.difference_interval, before.ratio_interval
    more = found.by_itself(1 - LEVEL)
    if found.is_rate:
        if difference:
            low, high = _around(found.d, before.d, difference, more)
            difference = max(low, -1.0), min(high, 1.0)
        if ratio and found.baseline > 0 and found.candidate > 0:
            logs = math.log(ratio[0]), math.log(ratio[1])
            relative = more / min(found.baseline, found.candidate)
            ratio = _exp(_around(_log(found), _log(before), logs, relative))
        else:
            ratio = None
    elif ratio:
        ratio = _exp(_around(found.d, before.d, (math.log(ratio[0]), math.log(ratio[1])), more))
        difference = (found.baseline * (ratio[0] - 1), found.baseline * (ratio[1] - 1))
    return replace(found, ratio_interval=ratio, difference_interval=difference)


def _log(delta: Delta) -> float:
    return math.log(delta.candidate / delta.baseline)


def _exp(bounds: tuple[float, float]) -> tuple[float, float]:
    return math.exp(max(bounds[0], -700.0)), math.exp(min(bounds[1], 700.0))


def _around(
    now: float, before: float, bounds: tuple[float, float], more: float
) -> tuple[float, float]:
    low, high = bounds
    return now - math.hypot(before - low, more), now + math.hypot(high - before, more)


def gate(delta: Delta, drifts: Drifts) -> str:
    """Why a difference is not claimed, "" where it stands out from what levels do by themselves.

    `delta` is what is beyond the usual difference.
    """
    if delta.is_rate:
        if abs(delta.difference) <= before_after.SMALLEST_RATE_CHANGE:
            return "before and after, only more than half a point is told from drift"
        rates = (delta.baseline, delta.candidate)
        log_ratio, variance = before_after.log_ratio_of_rates(rates, delta.events, delta.error)
        drift = drifts.errors
    else:
        log_ratio, variance, drift = delta.d, delta.error**2, drifts.latency
    if before_after.stands_out(log_ratio, variance, drift, drifts.count):
        return ""
    return "levels move this much by themselves at other times"
