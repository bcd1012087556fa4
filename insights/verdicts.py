"""Deltas → verdicts: worse, better, no meaningful difference, or not known yet.

The family is one comparison: all scopes × measures together hold 5% false discoveries by weighted
e-BH. Half of the weight stands on the whole cohort, half on routes (by traffic and evenly).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from insights import fixed_length, waiting
from insights.cohorts import Scope
from insights.deltas import Delta
from insights.statistics import multiple

Verdict = Literal["worse", "better", "no_difference", "unknown"]
Evidence = Literal["randomised", "concurrent", "before_after"]

LATENCY_MARGIN = math.log(1.05)
RATE_MARGIN = 0.001
TRAFFIC_MARGIN = math.log(1.10)
MEASURE_WEIGHTS = {
    "latency_mean": 0.20,
    "latency_p50": 0.20,
    "latency_p95": 0.25,
    "error_rate": 0.28,
}
OTHER_WEIGHT = 0.07
FIRST_CODE_OF_ERRORS = 400
CALLERS_PART = 0.3  # of a deploy's family, for what its callers show


@dataclass(frozen=True, slots=True)
class Judged:
    """A delta with its verdict; `more_s` is how much longer an answer takes, as a range.

    `withheld`: the comparison is not what it seems, so nothing at all is claimed of it.
    """

    delta: Delta
    verdict: Verdict
    evidence: Evidence
    reason: str = ""
    more_s: tuple[float, float | None] | None = None
    withheld: bool = False


Gate = Callable[[Delta], str]


def judge(
    deltas: Sequence[Delta],
    evidence: Evidence,
    *,
    elapsed_s: float,
    withheld: str = "",
    gate: Gate | None = None,
    length: fixed_length.FixedLength | None = None,
    weights: Sequence[float] | None = None,
) -> list[Judged]:
    """Verdicts in the order of `deltas`.

    `weights` are the family's, where they are not those of one comparison by itself.
    `length` is the plan of a known length, after this look; half of the chance of error is its own.
    `withheld` says why nothing may be claimed at all (a sample-ratio mismatch); `gate` returns the
    reason why one delta may not be claimed, or "" (before and after).
    """
    weights = family_weights(deltas) if weights is None else weights
    rate = multiple.RATE - (fixed_length.ALPHA if length else 0.0)
    claims = claimed(deltas, weights, rate)
    if length:
        claims |= fixed_length.claimed(length, deltas)
    judged = [
        _one(delta, evidence, index in claims, withheld, gate) for index, delta in enumerate(deltas)
    ]
    if withheld:
        return judged
    open_ones = [
        index
        for index, one in enumerate(judged)
        if one.verdict == "unknown" and one.delta.measure != "traffic"
    ]
    goals = [-math.log(rate * max(weights[index], 1e-4)) for index in open_ones]
    asked = [deltas[index] for index in open_ones]
    waits = waiting.remaining(asked, goals, [margin(delta) for delta in asked], elapsed_s)
    for index, wait in zip(open_ones, waits, strict=True):
        judged[index] = replace(judged[index], more_s=wait)
    return judged


def claimed(
    deltas: Sequence[Delta], weights: Sequence[float], rate: float = multiple.RATE
) -> set[int]:
    """Which deltas the family's weighted e-BH lets be called a difference."""
    family = [index for index, weight in enumerate(weights) if weight > 0]
    if not family:
        return set()
    answers, _ = multiple.rejected(
        [deltas[index].log_e for index in family], [weights[index] for index in family], rate
    )
    return {index for index, answer in zip(family, answers, strict=True) if answer}


def _one(
    delta: Delta,
    evidence: Evidence,
    claimed: bool,  # noqa: FBT001  # private, one caller
    withheld: str,
    gate: Gate | None,
) -> Judged:
    if delta.tested and within_margin(delta) and not withheld:
        return Judged(delta, "no_difference", evidence)
    reason = withheld
    if not reason and claimed and delta.measure != "traffic":
        blocked = gate(delta) if gate else ""
        if not blocked:
            return Judged(delta, "worse" if _is_worse(delta) else "better", evidence)
        reason = blocked
    return Judged(delta, "unknown", evidence, reason or delta.reason, withheld=bool(withheld))


def _is_worse(delta: Delta) -> bool:
    """Slower, more errors, more of a status code from 400 on, less of one below."""
    up = delta.d > 0
    if delta.measure.startswith("status_code:"):
        return up == (int(delta.measure.partition(":")[2]) >= FIRST_CODE_OF_ERRORS)
    return up


def margin(delta: Delta) -> float:
    """The smallest difference that matters, on the scale of `delta.d`."""
    if delta.is_rate:
        return RATE_MARGIN
    return TRAFFIC_MARGIN if delta.measure == "traffic" else LATENCY_MARGIN


def within_margin(delta: Delta) -> bool:
    if delta.is_rate and delta.difference_interval and delta.error == 0:
        low, high = delta.difference_interval
        return low >= -RATE_MARGIN and high <= RATE_MARGIN
    return abs(delta.d) + delta.half(waiting.NO_DIFFERENCE_ALPHA) <= margin(delta)


def family_weights(deltas: Sequence[Delta]) -> list[float]:
    """Each delta's part of the family, 0 for traffic, which is shown and not judged."""
    traffic: dict[Scope, float] = {}
    others: dict[Scope, int] = {}
    for delta in deltas:
        traffic[delta.scope] = float(sum(delta.events))
        if delta.measure not in MEASURE_WEIGHTS and delta.measure != "traffic":
            others[delta.scope] = others.get(delta.scope, 0) + 1
    places = [scope for scope in traffic if not scope.whole]
    everything = sum(traffic[scope] for scope in places) or 1.0
    has_whole = len(places) < len(traffic)
    scopes = {
        scope: 0.5
        if scope.whole and places
        else 1.0
        if scope.whole
        else (0.5 if has_whole else 1.0) * (traffic[scope] / everything + 1 / len(places)) / 2
        for scope in traffic
    }
    return [
        0.0
        if delta.measure == "traffic"
        else scopes[delta.scope]
        * MEASURE_WEIGHTS.get(delta.measure, OTHER_WEIGHT / max(others.get(delta.scope, 1), 1))
        for delta in deltas
    ]


def joint_weights(own: Sequence[Delta], callers: Sequence[Sequence[Delta]]) -> list[float]:
    """One family of a deploy's own deltas and those of each service that calls it, in this order.

    Callers have their part together, by their traffic and evenly.
    """
    weights = family_weights(own)
    if not callers:
        return weights
    traffic = [max((sum(delta.events) for delta in each), default=0) for each in callers]
    parts = [(n / (sum(traffic) or 1) + 1 / len(callers)) / 2 for n in traffic]
    return [
        *((1 - CALLERS_PART) * weight for weight in weights),
        *(
            CALLERS_PART * part * weight
            for each, part in zip(callers, parts, strict=True)
            for weight in _of_service(each)
        ),
    ]


def _of_service(deltas: Sequence[Delta]) -> list[float]:
    """A caller's weights: its service by name stands as the whole."""
    return family_weights(
        [replace(one, scope=Scope()) if not one.scope.route else one for one in deltas]
    )
