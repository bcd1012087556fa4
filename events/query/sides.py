"""Two cohorts of one question side by side: their measures, over time, by alike requests, by span.

The side of an event is as in contrast.py: 1, 0, or NULL for neither or both. All are weighted.
"""

from collections.abc import Sequence
from dataclasses import replace

from events.query.calculations import WEIGHT, bin_of
from events.query.contrast import Contrast
from events.query.sql import Asked
from events.store.read import Statement

MOST_ALIKE = 500
MOST_SPANS = 300
MOST_TRACES = 20_000  # of each side, for the comparison of spans
MEASURES = f"""sum(sample_rate) AS n, count() AS events, uniqExact(nullIf(user_id, '')) AS users,
    sum(sample_rate * error) / n AS errors, sum(sample_rate * duration_ms) / n AS mean,
    quantilesExactWeighted(0.5, 0.95, 0.99)(duration_ms, {WEIGHT}) AS q"""


def side_of(asked: Asked, first: Sequence[int], second: Sequence[int]) -> str:
    """1 where all filters of `first` hold, 0 where all of `second` do, NULL for both or neither."""
    a, b = f"({asked.all_of(first)})", f"({asked.all_of(second)})"
    return f"multiIf({a} AND NOT {b}, 1, {b} AND NOT {a}, 0, NULL)"


def overlap(contrast: Contrast, first: Sequence[int], second: Sequence[int]) -> Statement:
    """n: how much belongs to both cohorts, and so to neither side."""
    asked = contrast.asked
    both = f"AND ({asked.all_of(first)}) AND ({asked.all_of(second)})"
    return contrast.statement(f"SELECT sum(sample_rate) AS n {asked.source(both)}")


def measures(contrast: Contrast) -> Statement:
    """A row a side: n, events, users, errors, mean, q, statuses (map), bins (map)."""
    return contrast.statement(
        f"""SELECT {contrast.side} AS side, {MEASURES},
            sumMap(map(status_code, sample_rate)) AS statuses,
            sumMap(map({bin_of("duration_ms")}, sample_rate)) AS bins
        {_source(contrast)} GROUP BY side"""
    )


def over_time(contrast: Contrast, step_s: int) -> Statement:
    """A row a side and step: bucket and the measures."""
    return contrast.statement(
        f"""SELECT {contrast.side} AS side,
            intDiv(toUnixTimestamp(time), {{step:UInt32}}) * {{step:UInt32}} AS bucket, {MEASURES}
        {_source(contrast)} GROUP BY side, bucket ORDER BY bucket""",
        step=step_s,
    )


def alike(contrast: Contrast, by: Sequence[str]) -> Statement:
    """A row a side and kind of request (k: its values of `by`, as texts) with the measures."""
    columns = contrast.asked.resolved.columns
    keys = ", ".join(f"ifNull(toString({columns[name].sql}), '')" for name in by)
    return contrast.statement(
        f"""SELECT {contrast.side} AS side, array({keys}) AS k, {MEASURES}
        {_source(contrast)} GROUP BY side, k ORDER BY n DESC LIMIT {MOST_ALIKE * 2}"""
    )


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
        AND trace IN (SELECT trace FROM chosen)"""
    return contrast.statement(
        f"""WITH chosen AS ({chosen})
        SELECT c.side AS side, s.service AS service, s.what AS what, sum(c.w * s.n) AS spans,
            sum(c.w) AS traces, sum(c.w * s.own) AS own_ms, sum(c.w * s.failed) AS errors,
            any(t.all_traces) AS all_traces
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
        INNER JOIN chosen AS c ON s.trace = c.trace
        INNER JOIN (SELECT side, sum(w) AS all_traces FROM chosen GROUP BY side) AS t
            ON t.side = c.side
        GROUP BY side, service, what ORDER BY own_ms DESC LIMIT {MOST_SPANS * 2}"""  # noqa: S608
    )


def _source(contrast: Contrast) -> str:
    return contrast.asked.source(f"AND isNotNull({contrast.side})")


def narrowed(asked: Asked, filters: int) -> Asked:
    """The same question whose filters from a place on are only known to `all_of`."""
    return replace(asked, apart=frozenset(range(filters, len(asked.query.filters))))
