"""A flag's comparison within each build that served it: is it there only with one of them?

The same scan as any comparison's, with builds in the place of routes, so that every measure has
its interval and its verdict within each build.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from events.query.flags import SEPARATOR
from events.store.read import Statement, run
from insights import scan
from insights.build_words import said
from insights.cohorts import Comparison, Scope, Variants
from insights.comparison import NothingToCompare, cut_of, totals_of
from insights.delta import Delta
from insights.deltas import measured
from insights.entries import entries
from insights.examine import Result
from insights.parts import parts
from insights.results import delta_json
from insights.slices import step_of
from insights.totals import Cut, shared_slices
from insights.verdicts import Evidence, Judged, judge
from insights.where import narrowed

MOST = 8
GROWN = 1.25  # by how much the events grow before they are divided again
USUAL = ("latency_mean", "error_rate")
APART = 3.0  # standard errors
ABSENT = 0.35  # of the strongest build's effect, up to which another build has none


def by_build(result: Result, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """For the page and the API; None where one build served all. `before` is the last answer,
    kept while hardly more has come. Raises StoreUnavailable and QueryTooLarge."""
    comparison = result.comparison
    if not isinstance(comparison.cohorts, Variants):
        return None
    events = sum(result.events)
    if before and events < GROWN * before["events"]:
        return before
    lead = result.findings[0].delta if result.findings else None
    scope = narrowed(comparison, lead.scope) if lead else comparison.scope
    inside = replace(comparison, scope=scope, slice_s=step_of(comparison))
    builds = _builds(inside)
    if len(builds) < 2:
        return None
    withheld = next((one.reason for one in result.judged if one.withheld), "")
    judged = _judged(inside, builds, result.evidence, withheld)
    measures = tuple(dict.fromkeys((*_found(result), *USUAL)))[:2]
    kept = [one for one in judged if one.delta.measure in measures]
    main = [one for one in kept if one.delta.measure == measures[0]]
    return {
        "events": events,
        "scope": scope.as_json(),
        "measures": list(measures),
        "sentence": f"{withheld[:1].upper()}{withheld[1:]}."
        if withheld
        else said([one.delta for one in main], only_with(main), builds),
        "rows": [
            _row(one) for one in sorted(kept, key=lambda one: measures.index(one.delta.measure))
        ],
    }


def _found(result: Result) -> list[str]:
    """The measures that the leading scope's findings are of, the mean for any latency."""
    return [
        "latency_mean" if one.delta.is_latency else one.delta.measure
        for one in result.findings
        if one.delta.scope == result.findings[0].delta.scope
    ]


def _builds(inside: Comparison) -> list[Scope]:
    """The busiest builds of services that had several, as places: the build stands as route."""
    where, parameters = entries(inside.environment_id, inside.since, inside.until)
    for name, value in inside.scope.as_json().items():
        where.append(f"{name} = {{{name}:String}}")
        parameters[name] = value
    rows = run(
        Statement(
            f"""SELECT service, build_id, count() AS events FROM events
            WHERE {" AND ".join(where)} AND build_id != ''
            GROUP BY service, build_id ORDER BY events DESC""",  # noqa: S608  # constants only
            parameters,
        )
    ).rows
    several = {row["service"] for row in rows}
    several = {name for name in several if sum(row["service"] == name for row in rows) > 1}
    found = [Scope(row["service"], row["build_id"]) for row in rows if row["service"] in several]
    return found[:MOST]


def _judged(
    inside: Comparison, builds: Sequence[Scope], evidence: Evidence, withheld: str
) -> list[Judged]:
    cut, _ = cut_of([inside])
    placed = Cut(
        tuple(builds),
        {name: np.full(len(builds) + 1, own[-1]) for name, own in cut.thresholds.items()},
    )

    def source(only: str) -> scan.Source:
        extra = ("service AS build_of", "build_id AS build")
        every = scan.source([inside], cut, extra=extra, only=only)
        keys = [f"{one.service}{SEPARATOR_TEXT}{one.route}" for one in builds]
        return scan.Source(
            f"""(SELECT * REPLACE (transform(concat(build_of, '{SEPARATOR}', build),
                    {{builds:Array(String)}}, range({len(builds)}),
                    toUInt16({scan.NO_PLACE})) AS place,
                    bitOr(bitAnd(band, 56), bitShiftRight(band, 3)) AS band)
                FROM {every.sql} WHERE place != {scan.NO_PLACE})""",  # noqa: S608  # constants only
            every.parameters | {"builds": keys},
        )

    found = totals_of(inside, placed, source)
    if isinstance(found, NothingToCompare):
        return []
    found = shared_slices(found)
    deltas = [one for place in parts(found, whole=False) for one in measured(place)]
    return judge(deltas, evidence, elapsed_s=found.seconds[1], withheld=withheld)


SEPARATOR_TEXT = "\x1f"


def _row(one: Judged) -> dict[str, Any]:
    found = delta_json(one)
    scope = found.pop("scope")
    return {**found, "service": scope.get("service", ""), "build": scope.get("route", "")}


def only_with(rows: Sequence[Judged]) -> Delta | None:
    """The one build with which the effect is there, where it is clearly not with the others."""
    tested = [one.delta for one in rows if one.delta.tested and one.delta.error > 0]
    if len(tested) < 2:
        return None
    strong = max(tested, key=lambda one: abs(one.d) / one.error)
    if abs(strong.d) < APART * strong.error:
        return None
    for other in tested:
        if other is strong:
            continue
        apart = abs(strong.d - other.d)
        if apart < APART * math.hypot(strong.error, other.error):
            return None
        if other.d / strong.d > ABSENT:
            return None
    return strong
