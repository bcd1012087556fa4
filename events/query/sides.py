"""Two cohorts of one question side by side: their measures, over time, by alike requests, by span.

The side of an event is as in contrast.py: 1, 0, or NULL for neither or both. All are weighted.
"""

from collections.abc import Sequence
from dataclasses import replace

from events.query.calculations import ROUNDED, WEIGHT, bin_of
from events.query.contrast import Contrast
from events.query.sql import Asked
from events.store.read import Statement

MOST_ALIKE = 500
MOST_SPANS = 300
MOST_TRACES = 20_000  # of each side, for the comparison of spans


def side_of(asked: Asked, first: Sequence[int], second: Sequence[int]) -> str:
    """1 where all filters of `first` hold, 0 where all of `second` do, NULL for both or neither."""
    a, b = f"({asked.all_of(first)})", f"({asked.all_of(second)})"
    return f"multiIf({a} AND NOT {b}, 1, {b} AND NOT {a}, 0, NULL)"


def together(contrast: Contrast, step_s: int, by: Sequence[str], both: str) -> Statement:
    """Everything that is counted of either side, from one reading of the events.

    A row a side (1, 0, or 2 for what belongs to both, which counts for neither) with the measures
    n, events, users, errors, mean, q. `kind` tells of what: "all", "step" (bucket), "alike" (k:
    the values of `by` as texts), "status" (status_code), "bin" (bin of duration_ms); at most
    MOST_ALIKE * 2 of each kind.
    """
    columns = contrast.asked.resolved.columns
    keys = ", ".join(f"ifNull(toString({columns[name].sql}), '')" for name in by)
    side = f"if({both}, 2, {contrast.side})"
    value = "duration_ms"
    if contrast.many:
        value = ROUNDED.format(value)
    return contrast.statement(
        f"""SELECT side, bucket, k, code, bin,
            multiIf(grouping(bucket) = 0, 'step', grouping(k) = 0, 'alike',
                grouping(code) = 0, 'status', grouping(bin) = 0, 'bin', 'all') AS kind,
            sum(w) AS n, count() AS events, uniqExact(nullIf(user, '')) AS users,
            sum(w * failed) / n AS errors, sum(w * took) / n AS mean,
            quantilesExactWeighted(0.5, 0.95, 0.99)(rounded, weight) AS q
        FROM (
            SELECT {side} AS side,
                intDiv(toUnixTimestamp(time), {{step:UInt32}}) * {{step:UInt32}} AS bucket,
                array({keys}) AS k, status_code AS code, {bin_of("duration_ms")} AS bin,
                sample_rate AS w, user_id AS user, error AS failed, duration_ms AS took,
                {value} AS rounded, {WEIGHT} AS weight
            {contrast.asked.source(f"AND isNotNull({side})")}
        )
        GROUP BY GROUPING SETS ((side), (side, bucket), (side, k), (side, code), (side, bin))
        ORDER BY n DESC LIMIT {MOST_ALIKE * 2} BY kind""",  # noqa: S608
        step=step_s,
    )


def both_of(asked: Asked, first: Sequence[int], second: Sequence[int]) -> str:
    """Whether an event belongs to both cohorts."""
    return f"({asked.all_of(first)}) AND ({asked.all_of(second)})"


def spans(contrast: Contrast) -> Statement:
    """A row a side and kind of span in the traces of either side.

    side, service, what, traces (that have it), spans, own_ms (the sum of their own time, less what
    their children took), errors; all_traces of that side. Traces of one side are taken by a hash
    of their id, MOST_TRACES at most.
    """
    chosen = f"""SELECT trace, any({contrast.side}) AS side, any(sample_rate) AS w
        {_source(contrast)} AND trace != 0 GROUP BY trace
        HAVING uniqExact({contrast.side}) = 1
        ORDER BY cityHash64(trace) LIMIT {MOST_TRACES} BY side"""
    window = """environment = {environment:UInt32}
        AND time >= {since:DateTime64(6, 'UTC')} - INTERVAL 10 MINUTE
        AND time < {until:DateTime64(6, 'UTC')} + INTERVAL 10 MINUTE
        AND trace IN (SELECT arrayJoin(chosen).1)"""
    # A scalar, as a subquery's name stands for the subquery itself, which would run five times.
    return contrast.statement(
        f"""WITH (SELECT groupArray((trace, assumeNotNull(side), w)) FROM ({chosen})) AS chosen,
            arraySum(arrayMap(one -> if(one.2 = 1, one.3, 0), chosen)) AS of_first,
            arraySum(arrayMap(one -> if(one.2 = 0, one.3, 0), chosen)) AS of_second
        SELECT c.side AS side, s.service AS service, s.what AS what, sum(c.w * s.n) AS spans,
            sum(c.w) AS traces, sum(c.w * s.own) AS own_ms, sum(c.w * s.failed) AS errors,
            any(if(c.side = 1, of_first, of_second)) AS all_traces
        FROM (
            SELECT e.trace AS trace, service, what, count() AS n, sum(error) AS failed,
                sum(greatest(duration_ms - ifNull(spent, 0), 0)) AS own
            FROM (SELECT trace, span, service, duration_ms, error,
                    if(route = '' OR kind = 'client', name, concat(method, ' ', route)) AS what
                FROM events WHERE {window}) AS e
            LEFT JOIN (SELECT trace, parent, sum(duration_ms) AS spent FROM events
                WHERE {window} AND parent != 0 GROUP BY trace, parent) AS below
            ON e.trace = below.trace AND e.span = below.parent
            GROUP BY trace, service, what
        ) AS s
        INNER JOIN (
            SELECT one.1 AS trace, one.2 AS side, one.3 AS w
            FROM (SELECT arrayJoin(chosen) AS one)
        ) AS c ON s.trace = c.trace
        GROUP BY side, service, what ORDER BY own_ms DESC LIMIT {MOST_SPANS * 2}"""  # noqa: S608
    )


def _source(contrast: Contrast) -> str:
    return contrast.asked.source(f"AND isNotNull({contrast.side})")


def narrowed(asked: Asked, filters: int) -> Asked:
    """The same question whose filters from a place on are only known to `all_of`."""
    return replace(asked, apart=frozenset(range(filters, len(asked.query.filters))))
