"""A deploy seen by what calls the service: do requests that passed through the new build fare
otherwise than those that passed through the old one, at the same time?

The caller's entry events are divided by which build of the called service their trace met.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from events.store.read import Statement, moment, run
from insights import scan
from insights.cohorts import Builds, Callers, Comparison, Moment
from insights.comparison import NothingToCompare, cut_of, side_by_side, totals_of
from insights.examine import Plan, Result, judged_side_by_side
from insights.health import Health
from insights.totals import Cut

LEVELS = 3  # how far up the chain of calls
SAMPLE = 4000
SLICES = 24
SHORTEST_S = 60


def examined(comparison: Comparison) -> Result | None:
    """None where nothing calls the service, or no call met either build alone.

    `comparison` is of two builds. Raises NothingToCompare where they did not run side by side.
    """
    builds = comparison.cohorts
    if not isinstance(builds, Builds):
        raise TypeError("callers are of builds")
    together = side_by_side(comparison)
    window = (together.since, together.until)
    services = callers_of(comparison.environment_id, builds.service, *window)
    if not services:
        return None
    seconds = (together.until - together.since).total_seconds()
    step = max(SHORTEST_S, round(seconds / SLICES))
    everything = Comparison(
        comparison.environment_id, Moment(together.since), *window, slice_s=step
    )
    cut = _of_services(cut_of([everything])[0], services)
    if not cut.places:
        return None

    def source(only: str) -> scan.Source:
        return _through(scan.source([everything], cut, only=only), builds)

    asked = Comparison(
        comparison.environment_id,
        Callers(builds.service, builds.baseline, builds.candidate),
        *window,
        slice_s=step,
    )
    found = totals_of(asked, cut, source)
    if isinstance(found, NothingToCompare):
        return None
    return judged_side_by_side(asked, found, Plan(), Health())


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


def _of_services(cut: Cut, services: Sequence[str]) -> Cut:
    """Only the places of these services."""
    kept = [number for number, place in enumerate(cut.places) if place.service in services]
    return Cut(
        tuple(cut.places[number] for number in kept),
        {name: own[[*kept, len(own) - 1]] for name, own in cut.thresholds.items()},
    )


def _through(every: scan.Source, builds: Builds) -> scan.Source:
    """Events by the build that their trace met; what met both is in no cohort."""
    parameters = dict(every.parameters)
    parameters |= {
        "called": builds.service,
        "old_build": builds.baseline,
        "new_build": builds.candidate,
    }

    def met(build: str) -> str:
        return f"""trace IN (SELECT trace FROM events WHERE environment = {{environment:UInt32}}
            AND entry AND service = {{called:String}} AND build_id = {{{build}:String}}
            AND time >= {{since:DateTime64(6, 'UTC')}} AND time < {{until:DateTime64(6, 'UTC')}})"""  # noqa: S608  # constant fragments only

    own = f"""multiIf({met("old_build")} AND {met("new_build")}, 0, {met("old_build")}, 1,
        {met("new_build")}, 2, 0)"""
    return scan.Source(
        f"""(SELECT * FROM (SELECT * REPLACE (toUInt16({own}) AS cohort) FROM {every.sql})
            WHERE cohort > 0)""",  # noqa: S608  # constant fragments only
        parameters,
    )
