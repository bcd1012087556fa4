"""Judged deltas → findings: what a person should be told, worst first, said once.

One finding a scope and kind (latency, errors, status code). The whole cohort's finding is folded
into its routes' where nothing is left of it without them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from insights.delta import LEVEL
from insights.deltas import Delta, measured, of_successes
from insights.parts import part
from insights.statistics import sequences
from insights.totals import Totals
from insights.verdicts import FIRST_CODE_OF_ERRORS, Judged

LATENCIES = ("latency_mean", "latency_p50", "latency_p95", "latency_p99")
REMAINS = math.log(20)


@dataclass(frozen=True, slots=True)
class Finding:
    """A decided delta to be told, with what else was found in the same scope."""

    judged: Judged
    also: tuple[Judged, ...] = ()
    successes: tuple[float, float, float] | None = None  # ratio and interval, where failures differ

    @property
    def delta(self) -> Delta:
        return self.judged.delta


def findings(judged: Sequence[Judged], totals: Totals | None = None) -> list[Finding]:
    """Worse before better, strongest first. `totals` allow whole-cohort findings to be folded."""
    decided = [one for one in judged if one.verdict in ("worse", "better") and _telling(one.delta)]
    groups: dict[tuple[object, str, str], list[Judged]] = {}
    for one in decided:
        key = (one.delta.scope, _kind(one.delta), one.verdict)
        groups.setdefault(key, []).append(one)
    leaders = [min(group, key=_preference) for group in groups.values()]
    leaders = [one for one in leaders if not _said_by_errors(one, leaders)]
    kept = [one for one in leaders if not _explained_by_routes(one, leaders, totals)]
    kept = [one for one in kept if not _said_by_failures(one, kept, totals)]
    strongest: dict[tuple[object, str], float] = {}
    for one in kept:
        place = (one.delta.scope, one.verdict)
        strongest[place] = max(strongest.get(place, 0.0), _strength(one.delta))
    # Scopes by their strongest; inside a scope latency leads, as its sentence carries the others.
    kept.sort(
        key=lambda one: (
            one.verdict != "worse",
            -strongest[one.delta.scope, one.verdict],
            not one.delta.is_latency,
            -_strength(one.delta),
        )
    )
    return [
        Finding(
            one,
            tuple(
                other
                for other in kept
                if other is not one
                and other.delta.scope == one.delta.scope
                and other.verdict == one.verdict
            ),
            successes(one, totals) if _fails_otherwise(one, kept) else None,
        )
        for one in kept
    ]


def _telling(delta: Delta) -> bool:
    """Shares of successes mirror those of failures, which say it better."""
    code = _code(delta)
    return delta.measure != "traffic" and (code is None or code >= FIRST_CODE_OF_ERRORS)


def _code(delta: Delta) -> int | None:
    name, _, code = delta.measure.partition(":")
    return int(code) if name == "status_code" else None


def _kind(delta: Delta) -> str:
    return "latency" if delta.is_latency else delta.measure


def _preference(one: Judged) -> int:
    return LATENCIES.index(one.delta.measure) if one.delta.is_latency else 0


def _said_by_errors(one: Judged, leaders: Sequence[Judged]) -> bool:
    """A 5xx share that rises as much as the error rate is the same finding."""
    code = _code(one.delta)
    return code is not None and any(
        other.delta.measure == "error_rate"
        and other.delta.scope == one.delta.scope
        and abs(other.delta.difference - one.delta.difference) <= 0.2 * abs(other.delta.difference)
        for other in leaders
    )


def successes(one: Judged, totals: Totals | None) -> tuple[float, float, float] | None:
    """The ratio of mean latency among successful requests alone, with its 95% interval."""
    if totals is None or not one.delta.is_latency:
        return None
    scope = one.delta.scope
    if not scope.whole and scope not in totals.places:
        return None
    found = of_successes(part(totals, None if scope.whole else totals.places.index(scope)))
    if found is None or found.variance <= 0:
        return None
    error = math.sqrt(found.variance)
    half = sequences.half_width(error, error, found.degrees, 1 - LEVEL)
    if not math.isfinite(half) or half > 20:
        return None
    return math.exp(found.d), math.exp(found.d - half), math.exp(found.d + half)


def _said_by_failures(one: Judged, leaders: Sequence[Judged], totals: Totals | None) -> bool:
    """Whether latency moved only because more requests fail, and failures are faster or slower.

    Then successful requests alone show no such difference: their interval holds "the same" and
    not what all requests together show.
    """
    if not one.delta.is_latency or not _fails_otherwise(one, leaders):
        return False
    alone = successes(one, totals)
    if alone is None:
        return False
    _, low, high = alone
    return low <= 1 <= high and not low <= math.exp(one.delta.d) <= high


def _fails_otherwise(one: Judged, leaders: Sequence[Judged]) -> bool:
    return any(other.delta.scope == one.delta.scope and other.delta.is_rate for other in leaders)


def _explained_by_routes(one: Judged, leaders: Sequence[Judged], totals: Totals | None) -> bool:
    """Whether a whole-cohort finding vanishes without the routes that show it themselves."""
    if not one.delta.scope.whole or totals is None:
        return False
    same = {
        other.delta.scope
        for other in leaders
        if not other.delta.scope.whole
        and _kind(other.delta) == _kind(one.delta)
        and other.verdict == one.verdict
    }
    places = frozenset(i for i, scope in enumerate(totals.places) if scope in same)
    if not places:
        return False
    if len(places) == len(totals.places):
        return len(places) == 1
    rest = part(totals, None, without=places)
    if not min(rest.events()):
        return True
    left = [delta for delta in measured(rest) if delta.measure == one.delta.measure]
    return not any(delta.log_e >= REMAINS and delta.d * one.delta.d > 0 for delta in left)


def _strength(delta: Delta) -> float:
    """The nearer end of the interval, on a scale on which 10 points of errors weigh as ×2.7."""
    if delta.is_rate:
        bounds = delta.difference_interval or (delta.difference, delta.difference)
        return 10 * min(abs(bounds[0]), abs(bounds[1])) + abs(delta.difference)
    bounds = delta.ratio_interval or (1.0, 1.0)
    return min(abs(math.log(bounds[0])), abs(math.log(bounds[1])))
