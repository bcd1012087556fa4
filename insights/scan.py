"""The events of a scan: which belong to which cohort, and where each of them counts.

Cohorts are numbered from 1: a comparison's baseline has an odd number and its candidate the next.
Many flags are scanned at once, each with its own start, as one pass over the events costs about
the same for one flag as for twenty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from events.query.flags import SEPARATOR
from events.store.read import moment
from insights.cohorts import Builds, Callers, Comparison, Instances, Moment, Variants
from insights.entries import entries
from insights.folded import folded
from insights.statistics.quantiles import BINS_PER_E
from insights.totals import BUCKETS, QUANTILES, Cut

NO_PLACE = 65535
OTHER_ROUTES = "(other routes)"
UNSLICED_S = 10**9
More = tuple[Sequence[str], Sequence[str]]  # columns and conditions beyond the usual ones
THIN = "trace % {thin:UInt32} = 0"
UNIT = "if(user_id != '', cityHash64(user_id), cityHash64(trace))"
FAILED = "(error OR status_code >= 400)"
KNOWN_BEFORE = timedelta(hours=6)  # how far back an instance is looked for to be an old one
BANDS = (*QUANTILES, *(f"all_{name}" for name in QUANTILES))


@dataclass(frozen=True, slots=True)
class Source:
    """A sub-select of events with their `cohort`, and the parameters that it binds.

    `folded`, where there is one, yields each event once, its cohorts as the bits of `mine`.
    """

    sql: str
    parameters: dict[str, Any]
    folded: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a scan: events of a time, or of one in so many users."""

    during: tuple[datetime, datetime] | None = None
    users: tuple[int, int] = (0, 1)  # which part, of how many


ALL = Piece()


def _where(comparisons: Sequence[Comparison]) -> tuple[list[str], dict[str, Any]]:
    """The entry events that any of the comparisons may need. All share environment and scope."""
    first = comparisons[0]
    where, parameters = entries(
        first.environment_id,
        min(one.since for one in comparisons),
        max(one.until for one in comparisons),
    )
    parameters |= {"bins": BINS_PER_E, "buckets": BUCKETS}
    service = first.scope.service
    if not isinstance(first.cohorts, Variants | Callers) and first.cohorts.service:
        service = first.cohorts.service
    if service:
        where.append("service = {service:String}")
        parameters["service"] = service
    if first.scope.route:
        where.append("route = {route:String}")
        parameters["route"] = first.scope.route
    return where, parameters


BIN = "toInt16(floor(log(greatest(duration_ms, 0.001)) * {bins:UInt16}))"


def profile(comparisons: Sequence[Comparison]) -> Source:
    """Latency bins of each route, whoever was served: places and thresholds come from these."""
    where, parameters = _where(comparisons)
    cohorts = comparisons[0].cohorts
    if isinstance(cohorts, Builds):
        where.append("build_id IN ({baseline:String}, {candidate:String})")
        parameters |= {"baseline": cohorts.baseline, "candidate": cohorts.candidate}
    sql = f"""SELECT service, route, {BIN} AS bin, sum(sample_rate) AS weight, count() AS events
        FROM events WHERE {" AND ".join(where)} GROUP BY service, route, bin"""  # noqa: S608
    return Source(sql, parameters)


def _hits(comparisons: Sequence[Comparison], cut: Cut, cohort: str, more: More) -> Source:
    """Entry events with what a sum is grouped by. `cohort` is an expression, 0 for none.

    `band` holds a bit for each threshold that the latency is above.
    """
    extra, only = more
    where, parameters = _where(comparisons)
    where.extend(only)
    above = []
    for bit, name in enumerate(BANDS):
        if name in QUANTILES:
            parameters[name] = cut.thresholds[name][:-1].tolist()
            above.append(f"{1 << bit} * (duration_ms > {{{name}:Array(Float64)}}[place + 1])")
        else:
            parameters[name] = float(cut.thresholds[name.removeprefix("all_")][-1])
            above.append(f"{1 << bit} * (duration_ms > {{{name}:Float64}})")
    keys, numbers, others = [], [], {}
    for number, place in enumerate(cut.places):
        if place.route == OTHER_ROUTES:
            others[place.service] = number
        else:
            keys.append(f"{place.service}\x1f{place.route}")
            numbers.append(number)
    parameters |= {
        "keys": keys,
        "numbers": numbers,
        "services": list(others) or [""],
        "others": list(others.values()) or [NO_PLACE],
    }
    sql = f"""SELECT trace, time, {cohort} AS own,
        transform(concat(service, '{SEPARATOR}', route), {{keys:Array(String)}},
            {{numbers:Array(UInt16)}}, transform(service, {{services:Array(String)}},
            {{others:Array(UInt16)}}, toUInt16({NO_PLACE}))) AS place,
        user_id != '' AS named, {UNIT} AS unit,
        toUInt8(unit % {{buckets:UInt8}}) AS bucket, status_code AS code, error, {BIN} AS bin,
        toUInt8({" + ".join(above)}) AS band,
        sample_rate AS w, duration_ms AS ms{"".join(f", {one}" for one in extra)}
        FROM events WHERE {" AND ".join(where)} AND place != {NO_PLACE}"""  # noqa: S608  # constant fragments only
    return Source(sql, parameters)


def source(
    comparisons: Sequence[Comparison],
    cut: Cut,
    *,
    thin: int = 1,
    extra: Sequence[str] = (),
    only: str = "",
    piece: Piece = ALL,
) -> Source:
    """Events with their cohort. `thin` keeps one trace of so many, for a first impression.

    `extra` are more columns, as expressions over the events with their names; `only` is one more
    condition on the events.
    """
    first = comparisons[0].cohorts
    narrow = [only] if only else []
    bound: dict[str, Any] = {"thin": thin}
    if piece.during:
        bound |= dict(zip(("since", "until"), map(moment, piece.during), strict=True))
    if piece.users != ALL.users:
        narrow.append(f"intDiv({UNIT}, 65536) % {{parts:UInt32}} = {{part:UInt32}}")
        bound["part"], bound["parts"] = piece.users
    found = (
        _variants(comparisons, cut, (extra, narrow), thin, all_traces=piece.during is None)
        if isinstance(first, Variants)
        else _one(comparisons[0], cut, (extra, [*narrow, THIN] if thin > 1 else narrow))
    )
    bound["steps"] = [one.slice_s or UNSLICED_S for one in comparisons for _ in (0, 1)]
    slice = "intDiv(toUnixTimestamp(time), {steps:Array(UInt32)}[cohort])"
    if not any(one.slice_s for one in comparisons):
        slice = "0"
    sql = f"(SELECT *, {slice} AS slice FROM ({found.sql}) WHERE cohort > 0)"  # noqa: S608
    return replace(found, sql=sql, parameters=found.parameters | bound)


def _one(comparison: Comparison, cut: Cut, more: More) -> Source:
    """Two builds, what calls them, two generations of instances, or before and after."""
    of = comparison.cohorts
    bound: dict[str, Any] = {}
    if isinstance(of, Builds):
        bound = {"baseline": of.baseline, "candidate": of.candidate}
        own = (
            "transform(build_id, [{baseline:String}, {candidate:String}],"
            " [toUInt16(1), toUInt16(2)], toUInt16(0))"
        )
    elif isinstance(of, Callers):
        bound = {"called": of.service, "baseline": of.baseline, "candidate": of.candidate}
        old, new = _met("baseline"), _met("candidate")
        own = f"multiIf({old} AND {new}, 0, {old}, 1, {new}, 2, 0)"
    elif isinstance(of, Instances):
        bound = {"at": moment(of.at), "born": moment(of.at - KNOWN_BEFORE)}
        own = """multiIf(instance = '', 0, instance IN (
            SELECT instance FROM events WHERE environment = {environment:UInt32} AND entry
                AND service = {service:String} AND time >= {born:DateTime64(6, 'UTC')}
                AND time < {until:DateTime64(6, 'UTC')}
            GROUP BY instance HAVING min(time) >= {at:DateTime64(6, 'UTC')}), 2, 1)"""
    elif isinstance(of, Moment):
        bound = {"at": moment(of.at)}
        own = "if(time < {at:DateTime64(6, 'UTC')}, 1, 2)"
        if of.build:
            bound["candidate"] = of.build
            own = f"if(time >= {{at:DateTime64(6, 'UTC')}} AND build_id != {{candidate:String}}, 0, {own})"  # noqa: E501
    else:
        raise TypeError("variants are scanned together")
    hits = _hits([comparison], cut, own, more)
    return Source(f"SELECT *, own AS cohort FROM ({hits.sql})", hits.parameters | bound)  # noqa: S608


def _met(build: str) -> str:
    """Whether an event's trace met a build of the called service."""
    return f"""trace IN (SELECT trace FROM events WHERE environment = {{environment:UInt32}}
        AND entry AND service = {{called:String}} AND build_id = {{{build}:String}}
        AND time >= {{since:DateTime64(6, 'UTC')}} AND time < {{until:DateTime64(6, 'UTC')}})"""  # noqa: S608  # constant fragments only


def _variants(
    comparisons: Sequence[Comparison], cut: Cut, more: More, thin: int, *, all_traces: bool
) -> Source:
    """Traces that saw exactly one variant of a flag, joined to their entry events."""
    extra, only = more
    traces = ["trace != 0"]
    thinned = [THIN] if thin > 1 else []  # of the tables themselves: a join names columns anew
    if only or not all_traces:  # what is joined is no more than what is asked for
        where, _ = _where(comparisons)
        chosen = " AND ".join([*where, *only, *thinned])
        traces.append(f"trace IN (SELECT trace FROM events WHERE {chosen})")  # noqa: S608
    fold = folded(comparisons, " AND ".join([*traces, *thinned]))
    hits = _hits(comparisons, cut, "0", (extra, [*only, *thinned]))
    mine = f"bitAnd(seen.mine, {fold.within})" if fold.within else "seen.mine"
    joined = f"""SELECT hit.*, {mine} AS mine FROM ({hits.sql}) AS hit
        INNER JOIN ({fold.sql}) AS seen ON hit.trace = seen.trace"""  # noqa: S608  # constants only
    return Source(
        f"SELECT *, toUInt16(arrayJoin(bitPositionsToArray(mine))) AS cohort FROM ({joined})",  # noqa: S608
        hits.parameters | fold.parameters,
        f"({joined})",
    )
