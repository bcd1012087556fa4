"""The SQL of a scan: which events belong to which cohort, and the sums that are taken of them.

Cohorts are numbered from 1: a comparison's baseline has an odd number and its candidate the next.
Many flags are scanned at once, each with its own start, as one pass over the events costs about
the same for one flag as for twenty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from events.query.flags import SEPARATOR
from events.store.read import moment
from insights.cohorts import Builds, Callers, Comparison, Instances, Moment, Variants
from insights.entries import entries
from insights.statistics.quantiles import BINS_PER_E
from insights.totals import BUCKETS, CAP, QUANTILES, Cut

NO_PLACE = 65535
OTHER_ROUTES = "(other routes)"
UNSLICED_S = 10**9
More = tuple[Sequence[str], str]  # columns and a condition beyond the usual ones
THIN = "trace % {thin:UInt32} = 0"
FEW_FLAGS = 4
# A flag and its variant as a number: half of it the flag's hash, half the pair's.
FLAG_KEY = "bitShiftRight(cityHash64(flag), 32)"
PAIR_KEY = f"""bitOr(
    bitAnd(cityHash64(substring(pair, 1, position(pair, '{SEPARATOR}') - 1)), 18446744069414584320),
    bitAnd(cityHash64(pair), 4294967295))"""
FLAG_OF_KEY = "bitShiftRight(key, 32)"
FAILED = "(error OR status_code >= 400)"
KNOWN_BEFORE = timedelta(hours=6)  # how far back an instance is looked for to be an old one


@dataclass(frozen=True, slots=True)
class Source:
    """A sub-select of events with their `cohort`, and the parameters that it binds."""

    sql: str
    parameters: dict[str, Any]


def _micros(time: datetime) -> int:
    return round(time.timestamp() * 1e6)


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
    """Entry events with what a sum is grouped by. `cohort` is an expression, 0 for none."""
    extra, only = more
    where, parameters = _where(comparisons)
    if only:
        where.append(only)
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
        user_id != '' AS named, if(named, cityHash64(user_id), cityHash64(trace)) AS unit,
        toUInt8(unit % {{buckets:UInt8}}) AS bucket, status_code AS code, error, {BIN} AS bin,
        sample_rate AS w, duration_ms AS ms{"".join(f", {one}" for one in extra)}
        FROM events WHERE {" AND ".join(where)}"""  # noqa: S608  # constant fragments only
    return Source(sql, parameters)


def source(
    comparisons: Sequence[Comparison],
    cut: Cut,
    *,
    thin: int = 1,
    extra: Sequence[str] = (),
    only: str = "",
) -> Source:
    """Events with their cohort. `thin` keeps one trace of so many, for a first impression.

    `extra` are more columns, as expressions over the events with their names; `only` is one more
    condition on the events.
    """
    first = comparisons[0].cohorts
    if thin > 1:  # asked of the tables themselves: a join names its columns anew
        only = " AND ".join(filter(None, (only, THIN)))
    found = (
        _variants(comparisons, cut, (extra, only), THIN if thin > 1 else "1")
        if isinstance(first, Variants)
        else _one(comparisons[0], cut, (extra, only))
    )
    steps = [one.slice_s or UNSLICED_S for one in comparisons for _ in (0, 1)]
    found.parameters["steps"] = steps
    found.parameters["thin"] = thin
    slice = "intDiv(toUnixTimestamp(time), {steps:Array(UInt32)}[cohort])"
    if not any(one.slice_s for one in comparisons):
        slice = "0"
    sql = f"""(SELECT *, {slice} AS slice
        FROM ({found.sql}) WHERE cohort > 0 AND place != {NO_PLACE})"""  # noqa: S608
    return Source(sql, found.parameters)


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


def _variants(comparisons: Sequence[Comparison], cut: Cut, more: More, traces: str) -> Source:
    """Traces that saw exactly one variant of a flag, joined to their entry events.

    The fold over a trace's pieces comes first, on keys of numbers (`PAIR_KEY`), as texts are dear
    to copy and to compare; a trace that saw two variants of a flag has two keys with its half.
    """
    hits = _hits(comparisons, cut, "0", more)
    cohorts: dict[str, list[int]] = {}  # a baseline may serve several comparisons
    flags, starts, ends = [], [], []
    for place, one in enumerate(comparisons):
        of = one.cohorts
        if not isinstance(of, Variants):
            raise TypeError("only variants are scanned together")
        flags.append(of.flag)
        for arm, variant in enumerate((of.baseline, of.candidate)):
            cohorts.setdefault(f"{of.flag}\x1f{variant}", []).append(2 * place + arm + 1)
            starts.append(_micros(one.since))
            ends.append(_micros(one.until))
    parameters = hits.parameters | {
        "pairs": list(cohorts),
        "pair_numbers": list(range(1, len(cohorts) + 1)),
        "cohorts": list(cohorts.values()),
        "flags": sorted(set(flags)),
        "starts": starts,
        "ends": ends,
    }
    own_windows = ""
    if len({(one.since, one.until) for one in comparisons}) > 1:
        own_windows = """AND toUnixTimestamp64Micro(time) >= {starts:Array(Int64)}[cohort]
            AND toUnixTimestamp64Micro(time) < {ends:Array(Int64)}[cohort]"""
    own_keys = f"arrayMap(pair -> {PAIR_KEY}, pairs)"
    if len(set(flags)) <= FEW_FLAGS:
        own_keys = f"""arrayFilter(key -> has(
            arrayMap(flag -> {FLAG_KEY}, {{flags:Array(String)}}), {FLAG_OF_KEY}), {own_keys})"""
    sql = f"""SELECT * FROM (
        SELECT hit.*, arrayJoin(numbers) AS cohort
        FROM (
            SELECT trace, groupUniqArrayArray({own_keys}) AS every,
                arrayMap(key -> {FLAG_OF_KEY}, every) AS asked,
                if(arrayUniq(asked) = length(asked), every, arrayFilter(
                    (key, flag) -> countEqual(asked, flag) = 1, every, asked)) AS once,
                arrayFlatten(arrayMap(
                    key -> {{cohorts:Array(Array(UInt16))}}[transform(key,
                        arrayMap(pair -> {PAIR_KEY}, {{pairs:Array(String)}}),
                        {{pair_numbers:Array(UInt16)}}, toUInt16(0))],
                    once)) AS numbers
            FROM exposures
            WHERE environment = {{environment:UInt32}} AND trace != 0 AND {traces}
                AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}}) - INTERVAL 1 HOUR
                AND hour <= {{until:DateTime64(6, 'UTC')}} + INTERVAL 1 HOUR
                AND hasAny(flags, {{flags:Array(String)}})
            GROUP BY trace
        ) AS seen INNER JOIN ({hits.sql}) AS hit ON seen.trace = hit.trace)
        WHERE cohort > 0 {own_windows}"""  # noqa: S608  # constant fragments only
    return Source(sql, parameters)


def shares(found: Source) -> Source:
    """Events by cohort and slice: whether a variant's share of traffic changed."""
    return Source(
        f"SELECT cohort, slice, count() AS events FROM {found.sql} GROUP BY cohort, slice",  # noqa: S608
        found.parameters,
    )


def sums(found: Source, cut: Cut) -> Source:
    """Σ over cohort, slice, place, bucket, status code and failure."""
    parameters = dict(found.parameters)
    columns = [
        *("sum(w) AS weight", "sum(w * w) AS squares", "sum(w * ms) AS total_ms"),
        "sum(w * error) AS failed",
        *(
            "count() AS events",
            "countIf(named) AS named",
            "sum(w * least(ms, {cap:Array(Float64)}[place + 1])) AS capped_ms",
        ),
        "sum(w * least(ms, {all_cap:Float64})) AS all_capped_ms",
    ]
    parameters["cap"] = cut.thresholds[CAP][:-1].tolist()
    parameters["all_cap"] = float(cut.thresholds[CAP][-1])
    for name in QUANTILES:
        parameters[name] = cut.thresholds[name][:-1].tolist()
        parameters[f"all_{name}"] = float(cut.thresholds[name][-1])
        columns.append(f"sumIf(w, ms > {{{name}:Array(Float64)}}[place + 1]) AS above_{name}")
        columns.append(f"sumIf(w, ms > {{all_{name}:Float64}}) AS all_above_{name}")
    return Source(
        f"""SELECT cohort, slice, place, bucket, code, error, {", ".join(columns)}
            FROM {found.sql} GROUP BY cohort, slice, place, bucket, code, error""",  # noqa: S608
        parameters,
    )


def bins(found: Source) -> Source:
    """Σw and Σw² over cohort, slice, place and latency bin."""
    return Source(
        f"""SELECT cohort, slice, place, bin, sum(w) AS weight, sum(w * w) AS squares
            FROM {found.sql} GROUP BY cohort, slice, place, bin""",  # noqa: S608
        found.parameters,
    )


def units(found: Source) -> Source:
    """Distinct units of each cohort, by bucket and by place. `uniq` is exact up to 65,536."""
    return Source(
        f"""SELECT grouping(place) AS all_places, cohort, place, bucket,
                uniq(unit) AS units
            FROM {found.sql}
            GROUP BY GROUPING SETS ((cohort, bucket), (cohort, place))""",  # noqa: S608
        found.parameters,
    )


def hits(found: Source) -> Source:
    """Distinct units with a failure, and with each status code from 400 on; few have one.

    `found` must be a source of such events only.
    """
    return Source(
        f"""SELECT grouping(place) AS all_places, grouping(code) AS all_codes,
                cohort, place, code, error, uniqExact(unit) AS units
            FROM {found.sql}
            GROUP BY GROUPING SETS (
                (cohort, error), (cohort, code), (cohort, place, error), (cohort, place, code))""",  # noqa: S608
        found.parameters,
    )
