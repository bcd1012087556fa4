"""A deploy seen by what calls the service: do requests that passed through the new build fare
otherwise than those that passed through the old one, at the same time?

Each caller's entry events are divided by which build of the called service their trace met; a
trace that met both is in neither. They are judged with the deploy's own deltas, as one family.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from events.store.read import Statement, moment, run
from insights import scan
from insights.cohorts import Builds, Callers, Comparison, Scope
from insights.comparison import NothingToCompare, cut_of, totals_of
from insights.deltas import Delta, measured
from insights.findings import Finding
from insights.parts import parts
from insights.slices import step_of
from insights.totals import Totals, shared_slices
from insights.verdicts import Judged

LEVELS = 3  # how far up the chain of calls
MOST = 6  # services, the nearest and busiest first
SAMPLE = 4000


def seen_by(together: Comparison) -> list[Totals]:
    """Of each service that calls the one of `together`: two builds in the time that they share.

    Empty where nothing calls it.
    """
    builds = together.cohorts
    if not isinstance(builds, Builds):
        raise TypeError("callers are of builds")
    window = (together.since, together.until)
    found = []
    for service in callers_of(together.environment_id, builds.service, *window)[:MOST]:
        asked = Comparison(
            together.environment_id,
            Callers(builds.service, builds.baseline, builds.candidate),
            *window,
            scope=Scope(service),
            slice_s=step_of(together),
        )
        if (totals := _totals(asked)) is not None:
            found.append(totals)
    return found


def _totals(asked: Comparison) -> Totals | None:
    """None where no call of this service met either build alone."""
    cut, _ = cut_of([asked])
    if not cut.places:
        return None
    found = totals_of(asked, cut, lambda only: scan.source([asked], cut, only=only))
    return None if isinstance(found, NothingToCompare) else shared_slices(found)


def deltas_of(found: Totals) -> list[Delta]:
    """Those of the calling service as a whole, under its name, then of its routes."""
    whole = found.comparison.scope
    everything, *places = parts(found)
    listed = [named(one, whole) for one in measured(everything)]
    for place in places:
        if place.scope != whole:
            listed.extend(measured(place))
    return listed


def named(delta: Delta, whole: Scope) -> Delta:
    """A whole cohort's delta under its service's name."""
    return replace(delta, scope=whole) if delta.scope.whole else delta


def unnamed(one: Judged, whole: Scope) -> Judged:
    """The service's own delta as that of a whole cohort, which its routes' findings explain."""
    return (
        replace(one, delta=replace(one.delta, scope=Scope())) if one.delta.scope == whole else one
    )


def told(finding: Finding, whole: Scope) -> Finding:
    """A finding of a whole cohort under its service's name."""
    rename = [
        replace(one, delta=named(one.delta, whole)) for one in (finding.judged, *finding.also)
    ]
    return replace(finding, judged=rename[0], also=tuple(rename[1:]))


def callers_of(
    environment_id: int, service: str, since: datetime, until: datetime
) -> tuple[str, ...]:
    """Services whose spans are above the service's entry events, direct callers first."""
    found: list[str] = []
    below = [service]
    for _ in range(LEVELS):
        above = [one for one in _above(environment_id, below, since, until) if one != service]
        below = [one for one in above if one not in found]
        found += below
        if not below:
            break
    return tuple(found)


def _above(
    environment_id: int, services: Sequence[str], since: datetime, until: datetime
) -> list[str]:
    parameters: dict[str, Any] = {
        "environment": environment_id,
        "services": list(services),
        "since": moment(since),
        "until": moment(until),
    }
    during = """environment = {environment:UInt32} AND time >= {since:DateTime64(6, 'UTC')}
        AND time < {until:DateTime64(6, 'UTC')}"""
    called = f"""SELECT trace, parent FROM events WHERE {during} AND entry AND parent != 0
        AND has({{services:Array(String)}}, service)
        ORDER BY cityHash64(trace) LIMIT {SAMPLE}"""  # noqa: S608  # constant fragments only
    rows = run(
        Statement(
            f"""SELECT up.service AS caller, count() AS calls
            FROM ({called}) AS down INNER JOIN (
                SELECT trace, span, service FROM events WHERE {during}
                    AND trace IN (SELECT trace FROM ({called}))
            ) AS up ON down.trace = up.trace AND down.parent = up.span
            WHERE NOT has({{services:Array(String)}}, up.service)
            GROUP BY caller ORDER BY calls DESC""",  # noqa: S608  # constant fragments only
            parameters,
        )
    ).rows
    return [row["caller"] for row in rows]
