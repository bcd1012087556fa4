"""Calculations: the SQL of each slot of a row, and how what comes back is read.

All but COUNT_DISTINCT, MIN and MAX are weighted by the events' sample rates. RATE_* is the change
from one step to the next, so its SQL is that of the plain calculation and the difference is taken
where steps are known. CONCURRENCY is how many events were under way at once, on average.
"""

import itertools
import math
from functools import lru_cache
from typing import Any

from events.query.columns import Column
from events.query.spec import PERCENTILES, RATES, Calculation, Query, QueryError

# Quantiles want whole weights; a thousandth is fine enough for any sample rate.
WEIGHT = "toUInt64(round(sample_rate * 1000))"
# Bins of heatmaps and distributions: thirteen per cent wide, the same ones for every question.
BINS_A_UNIT = 8
# What all groups have is the sum of what each has: the rest beyond a limit needs no second scan.
ADDING = frozenset({"COUNT", "CONCURRENCY", "SUM", "AVG", *RATES})
# What is merged over steps in no time.
ROLLING = frozenset({"COUNT", "CONCURRENCY", "SUM", "AVG", "MIN", "MAX", "HEATMAP", *RATES})
ZERO = 0
# Beyond so many events, percentiles are exact to four digits: 13 of 52 bits of the fraction, which
# takes a tenth of the time and memory (measured: 3M events 7.3 s, rounded 0.8 s).
EXACT_ROWS = 1_000_000
LEAST_REST = 1e-6
ROUNDED = (
    "reinterpretAsFloat64(bitAnd(reinterpretAsUInt64(toFloat64({0})) + 274877906944,"
    " 18446743523953737728))"
)


def slot(
    one: Calculation, place: int, query: Query, columns: dict[str, Column], *, rounded: bool
) -> str:
    """The SQL of one calculation. Raises QueryError where its column is no number."""
    if one.op == "COUNT":
        return "sum(sample_rate)"
    if one.op == "CONCURRENCY":
        until = "toUnixTimestamp64Micro({until:DateTime64(6, 'UTC')})"
        since = "toUnixTimestamp64Micro({since:DateTime64(6, 'UTC')})"
        left = f"({until} - toUnixTimestamp64Micro(time))"
        return (
            f"sum(least(duration_ms * 1000, toFloat64({left})) * sample_rate) / ({until} - {since})"
        )
    assert one.column is not None  # noqa: S101  # as parsed
    column = columns[one.column]
    if one.op == "COUNT_DISTINCT":
        return f"uniqExact({column.sql})"
    number = column.number
    if number is None:
        raise QueryError(
            f"calculations.{place}.column",
            f"{one.op} wants a number; {column.name[:100]} is {column.type}.",
        )
    op = RATES.get(one.op, one.op)
    if op == "SUM":
        return f"sum({number} * sample_rate)"
    if op == "AVG":
        return f"sum({number} * sample_rate) / sumIf(sample_rate, isNotNull({number}))"
    if op in ("MIN", "MAX"):
        return f"{op.lower()}({number})"
    if op == "HEATMAP":
        return f"sumMapIf(map(assumeNotNull({bin_of(number)}), sample_rate), isNotNull({number}))"
    levels = sorted(
        {
            PERCENTILES[other.op]
            for other in query.calculations
            if other.op in PERCENTILES and other.column == one.column
        }
    )
    at = levels.index(PERCENTILES[one.op]) + 1
    asked = ", ".join(map(str, levels))  # one state for all levels of a column
    value = ROUNDED.format(number) if rounded else f"toFloat64({number})"
    return f"quantilesExactWeighted({asked})({value}, {WEIGHT})[{at}]"


def totals(query: Query, columns: dict[str, Column]) -> str:
    """Columns of a grouped statement: groups; t0… of all groups; of a mean its p0… and q0….

    A mean's own numerator and denominator: p0, q0 of the group, and t0, u0 of all groups.
    """
    found = ["count() OVER () AS groups, "]
    for place, one in enumerate(query.calculations):
        if one.op == "AVG" and one.column is not None:
            number = columns[one.column].number
            found.append(
                f"sum({number} * sample_rate) AS p{place}, "
                f"sumIf(sample_rate, isNotNull({number})) AS q{place}, "
                f"sum(p{place}) OVER () AS t{place}, sum(q{place}) OVER () AS u{place}, "
            )
        elif one.op not in RATES:
            found.append(f"sum(c{place}) OVER () AS t{place}, ")
    return "".join(found)


def rest(query: Query, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the groups beyond `rows` have, from what `totals` told; None where it is lost.

    A difference of two sums that are almost alike has few digits left.
    """
    found: dict[str, Any] = {}

    def left(total: str, own: str) -> float | None:
        given = float(rows[0][total] or 0.0)
        less = given - math.fsum(float(row[own] or 0.0) for row in rows)
        return less if math.isfinite(less) and abs(less) >= LEAST_REST * abs(given) else None

    for place, one in enumerate(query.calculations):
        if one.op in RATES:
            found[one.key] = None
        elif one.op == "AVG":
            over, under = left(f"t{place}", f"p{place}"), left(f"u{place}", f"q{place}")
            if over is None or not under:
                return None
            found[one.key] = value(one, over / under)
        elif (number := left(f"t{place}", f"c{place}")) is None:
            return None
        else:
            found[one.key] = value(one, number)
    return found


def bin_of(number: str) -> str:
    """The bin of a number: logarithmic on both sides of zero, whatever its range."""
    size = f"toInt32(floor(log(greatest(abs(toFloat64({number})), 1e-9)) * {BINS_A_UNIT})) + 1000"
    return f"multiIf({number} > 0, {size}, {number} < 0, -({size}), toInt32({ZERO}))"


@lru_cache(maxsize=4096)
def bounds(place: int) -> tuple[float, float]:
    """From and to of a bin's values."""
    if place == ZERO:
        return 0.0, 0.0
    exponent = abs(place) - 1000
    low, high = math.exp(exponent / BINS_A_UNIT), math.exp((exponent + 1) / BINS_A_UNIT)
    return (low, high) if place > 0 else (-high, -low)


def value(one: Calculation, found: Any) -> Any:
    """A slot's value as the answer gives it: whole numbers without a fraction, null for none."""
    if one.op == "HEATMAP":  # thousands of them an answer
        return [
            [*bounds(place), int(n) if n.is_integer() else n]
            for place, n in sorted(found.items())
            if n
        ]
    if isinstance(found, float):
        if not math.isfinite(found):
            return None
        return int(found) if found.is_integer() and abs(found) < 2**53 else found
    return found


def steps(values: list[Any]) -> list[Any]:
    """The change from each step to the next; the first has none before it."""
    changes: list[Any] = [None]
    for before, after in itertools.pairwise(values):
        changes.append(None if before is None or after is None else after - before)
    return changes[: len(values)]
