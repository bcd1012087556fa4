"""Routes with little traffic are pooled into one scope a service: is a pooled finding theirs?

Pooled routes differ, so a shift of traffic among them reads as latency or failures. A finding of a
pool is held within each of its routes (overlap weights, as anywhere): where it vanishes there, the
shift explains it and nothing is claimed.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from events.store.read import Statement, columns
from insights import scan
from insights.cohorts import Comparison
from insights.delta import Delta
from insights.findings import Finding
from insights.statistics.strata import holds_within
from insights.totals import BUCKETS, CAP, Cut
from insights.verdicts import Judged
from insights.where import outcome

MOST_ROUTES = 200
SHIFTED = "traffic shifted among these routes, which differ from each other"


def without_shifts(
    comparison: Comparison, cut: Cut, judged: list[Judged], findings: list[Finding]
) -> tuple[list[Judged], list[Finding]]:
    """Both without what a shift among a pool's routes explains.

    Raises StoreUnavailable and QueryTooLarge.
    """
    shifted = {
        (one.delta.scope, _kind(one.delta))
        for one in findings
        if one.delta.scope.route == scan.OTHER_ROUTES and is_a_shift(comparison, one.delta, cut)
    }
    if not shifted:
        return judged, findings

    def gone(one: Judged) -> bool:
        decided = one.verdict in ("worse", "better")
        return decided and (one.delta.scope, _kind(one.delta)) in shifted

    return (
        [
            replace(one, verdict="unknown", reason=SHIFTED, more_s=None) if gone(one) else one
            for one in judged
        ],
        [
            replace(one, also=tuple(other for other in one.also if not gone(other)))
            for one in findings
            if not gone(one.judged)
        ],
    )


def _kind(delta: Delta) -> str:
    return "latency" if delta.is_latency else delta.measure


def is_a_shift(comparison: Comparison, delta: Delta, cut: Cut) -> bool:
    """Whether a pool's difference is hardly there within its routes."""
    place = cut.places.index(delta.scope)
    mean = delta.measure in ("latency_mean", "latency_p50")
    own = Cut(
        (delta.scope,),
        {name: values[[place, place]] for name, values in cut.thresholds.items()},
    )
    y = f"least(duration_ms, {float(own.thresholds[CAP][0])!r})" if mean else None
    y = y or f"toFloat64({outcome(delta, own)})"
    source = scan.source([comparison], cut, extra=("route AS route_of", f"{y} AS y"))
    found = columns(
        Statement(
            f"""SELECT route_of, slice, cohort, bucket, sum(w) AS weight, sum(w * y) AS total
            FROM {source.sql} WHERE place = {{pool:UInt16}}
            GROUP BY route_of, slice, cohort, bucket""",  # noqa: S608  # constant fragments only
            source.parameters | {"pool": place},
        )
    ).columns
    weight, value = _grids(found)
    return not holds_within(weight, value, mean=mean)


def _grids(found: dict[str, Any]) -> tuple[Any, Any]:
    """Σw and Σw·y by (cohort, route and slice, bucket), the busiest routes, others together."""
    routes, place = np.unique(np.asarray(found.get("route_of", ()), dtype=str), return_inverse=True)
    weight = np.asarray(found.get("weight", ()), dtype=np.float64)
    traffic = np.bincount(place, weights=weight, minlength=len(routes))
    rank = np.argsort(np.argsort(-traffic))
    number = np.minimum(rank[place], MOST_ROUTES)
    slices, slice = np.unique(np.asarray(found.get("slice", ()), np.int64), return_inverse=True)
    strata = min(len(routes), MOST_ROUTES + 1) * len(slices)
    grids = np.zeros((2, 2, strata, BUCKETS))
    index = (
        np.asarray(found.get("cohort", ()), dtype=np.int64) - 1,
        number * len(slices) + slice,
        np.asarray(found.get("bucket", ()), dtype=np.int64),
    )
    np.add.at(grids[0], index, weight)
    np.add.at(grids[1], index, np.asarray(found.get("total", ()), dtype=np.float64))
    return grids[0], grids[1]
