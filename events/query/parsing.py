"""A question as JSON, after Honeycomb's query specification, into a frozen Query.

Whatever is not understood is refused with the field it stands in; nothing is ignored.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from events.query.spec import (
    COMPARISONS,
    FILTER_OPERATORS,
    OPERATIONS,
    RATES,
    WITHOUT_COLUMN,
    Calculation,
    Derived,
    Filter,
    Having,
    Order,
    Query,
    QueryError,
    Scalar,
)

MOST = 100  # calculations, filters, breakdowns
DEFAULT_LIMIT, MAX_LIMIT, MAX_LIMIT_WITHOUT_SERIES = 100, 1000, 10_000
DEFAULT_RANGE_S = 7200
MAX_POINTS = 2000
MAX_SERIES_ROWS = 200_000
MAX_PATTERN = 1000
MAX_EXPRESSION = 2000
MAX_SPAN_S = 10 * 366 * 86_400
EARLIEST, LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
UNSUPPORTED = {
    "formulas": "Formulas, arithmetic over calculations such as SUM / COUNT, are not answered. Ask"
    " for the calculations they are made of and combine the numbers that come back. Arithmetic"
    " within one event goes into calculated_fields."
}
UNSUPPORTED_OF_CALCULATIONS = {
    "filters": "A calculation has no filters of its own. Ask once per filter, or take SUM of a"
    " field that calculated_fields computes, such as IF($error, 1, 0)."
}
KNOWN = {
    "calculations", "filters", "filter_combination", "required_filters", "breakdowns", "orders",
    "havings", "limit", "start_time", "end_time", "time_range", "granularity", "disable_series",
    "calculated_fields", "compare_time_offset_seconds", "entry_only",
}  # fmt: skip

T = TypeVar("T")


def parse(spec: Any, now: datetime) -> Query:
    """Raises QueryError naming the field."""
    if type(spec) is not dict:
        raise QueryError("", "A query is a JSON object.")
    for name, value in spec.items():
        if name in UNSUPPORTED and value:
            raise QueryError(name, UNSUPPORTED[name])
        if name not in KNOWN and name not in UNSUPPORTED:
            raise QueryError(name[:100], "There is no such part of a query.")
    since, until = _times(spec, now)
    calculations = tuple(_each(spec, "calculations", _calculation)) or (Calculation("COUNT", None),)
    breakdowns = tuple(_each(spec, "breakdowns", _breakdown))
    if len(set(breakdowns)) != len(breakdowns):
        raise QueryError("breakdowns", "A column is named twice.")
    if taken := {one.key for one in calculations}.intersection(breakdowns):
        raise QueryError("breakdowns", f"{taken.pop()} names a calculation in the answer already.")
    combination = spec.get("filter_combination")
    if combination not in (None, "AND", "OR"):
        raise QueryError("filter_combination", "Must be AND or OR.")
    no_series = _yes(spec, "disable_series")
    most = MAX_LIMIT_WITHOUT_SERIES if no_series else MAX_LIMIT
    limit = _whole(spec, "limit", DEFAULT_LIMIT, most)
    granularity_s = None if no_series else _granularity(spec, since, until, limit, breakdowns)

    for place, one in enumerate(calculations):
        if one.op in RATES and granularity_s is None:
            raise QueryError(
                f"calculations.{place}.op", f"{one.op} is a change between steps: give granularity."
            )

    def order(value: dict[str, Any], field: str) -> Order:
        return _order(value, field, calculations, breakdowns)

    def having(value: dict[str, Any], field: str) -> Having:
        return _having(value, field, calculations)

    filters, required = (_each(spec, name, _filter) for name in ("filters", "required_filters"))
    if required and combination != "OR":
        raise QueryError("required_filters", "Goes beside filters that are combined with OR.")
    return Query(
        calculations,
        (*filters, *required),
        len(filters) if combination == "OR" else 0,
        breakdowns,
        tuple(_each(spec, "orders", order)),
        tuple(_each(spec, "havings", having)),
        limit,
        since,
        until,
        granularity_s,
        _earlier(spec, since),
        _derived(spec),
        _yes(spec, "entry_only"),
    )


def _each(spec: dict[str, Any], name: str, read: Callable[[Any, str], T]) -> list[T]:
    values = spec.get(name)
    if values is None:
        return []
    if type(values) is not list or len(values) > MOST:
        raise QueryError(name, f"Must be an array of at most {MOST}.")
    return [read(value, f"{name}.{place}") for place, value in enumerate(values)]


def _parts(
    value: Any, field: str, names: set[str], unsupported: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The object itself. Of what it may not have, `unsupported` says what to do instead."""
    if type(value) is not dict:
        raise QueryError(field, "Must be an object.")
    for name in value:
        if name not in names:
            why = (unsupported or {}).get(name, "There is no such part.")
            raise QueryError(f"{field}.{name[:100]}", why)
    return value


def _column(value: Any, field: str) -> str:
    if type(value) is not str or not 0 < len(value) <= 500:
        raise QueryError(field, "Must be a column's name.")
    return _whole_characters(value, field)


def _whole_characters(text: str, field: str) -> str:
    """JSON can write half a character ("\\ud800"), which no event holds and UTF-8 can't carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueryError(field, "Holds half a character (a lone surrogate).") from None
    return text


def _calculation(value: Any, field: str) -> Calculation:
    parts = _parts(value, field, {"op", "column"}, UNSUPPORTED_OF_CALCULATIONS)
    op = parts.get("op")
    if op not in OPERATIONS:
        raise QueryError(f"{field}.op", f"Must be one of {', '.join(OPERATIONS)}.")
    if op in WITHOUT_COLUMN:
        if parts.get("column") is not None:
            raise QueryError(f"{field}.column", f"{op} {WITHOUT_COLUMN[op]} and takes no column.")
        return Calculation(op, None)
    return Calculation(op, _column(parts.get("column"), f"{field}.column"))


def _breakdown(value: Any, field: str) -> str:
    return _column(value, field)


def _filter(value: Any, field: str) -> Filter:
    parts = _parts(value, field, {"column", "op", "value"})
    column = _column(parts.get("column"), f"{field}.column")
    op, operand = parts.get("op"), parts.get("value")
    if op not in FILTER_OPERATORS:
        raise QueryError(f"{field}.op", f"Must be one of {', '.join(FILTER_OPERATORS)}.")
    if op in ("exists", "does-not-exist"):
        if operand is not None:
            raise QueryError(f"{field}.value", f"{op} takes no value.")
        return Filter(column, op, None)
    if op in ("in", "not-in"):
        if type(operand) is not list or not 0 < len(operand) <= 1000:
            raise QueryError(f"{field}.value", f"{op} takes an array of 1 to 1000 values.")
        return Filter(column, op, tuple(_scalar(one, f"{field}.value") for one in operand))
    found = _scalar(operand, f"{field}.value")
    if op in ("matches", "does-not-match") and (type(found) is not str or len(found) > MAX_PATTERN):
        raise QueryError(
            f"{field}.value",
            f"{op} takes a regular expression of at most {MAX_PATTERN} characters.",
        )
    return Filter(column, op, found)


def _scalar(value: Any, field: str) -> Scalar:
    if type(value) is bool:
        return value
    if type(value) is str and len(value) <= 65_536:
        return _whole_characters(value, field)
    if type(value) is int and abs(value) < 2**63:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    raise QueryError(field, "Must be text, a finite number of 64 bits, true or false.")


def _place(value: dict[str, Any], field: str, calculations: tuple[Calculation, ...]) -> int:
    op = value.get("calculate_op", value.get("op"))
    if op == "HEATMAP" or (type(op) is str and op in RATES):
        raise QueryError(field, f"{op} is no single number, so nothing can be ordered by it.")
    for place, calculation in enumerate(calculations):
        if (calculation.op, calculation.column) == (op, value.get("column")):
            return place
    raise QueryError(field, "Must be one of the query's calculations.")


def _order(
    value: Any, field: str, calculations: tuple[Calculation, ...], breakdowns: tuple[str, ...]
) -> Order:
    parts = _parts(value, field, {"op", "column", "order"})
    if parts.get("order") not in (None, "ascending", "descending"):
        raise QueryError(f"{field}.order", "Must be ascending or descending.")
    descending = parts.get("order") == "descending"
    if parts.get("op") is not None:
        return Order(_place(parts, field, calculations), None, descending)
    if parts.get("column") not in breakdowns:
        raise QueryError(f"{field}.column", "Must be one of the query's breakdowns.")
    return Order(None, breakdowns.index(parts["column"]), descending)


def _having(value: Any, field: str, calculations: tuple[Calculation, ...]) -> Having:
    parts = _parts(value, field, {"calculate_op", "column", "op", "value"})
    if parts.get("op") not in COMPARISONS:
        raise QueryError(f"{field}.op", f"Must be one of {', '.join(COMPARISONS)}.")
    limit: Any = parts.get("value")
    if type(limit) not in (int, float) or not math.isfinite(limit) or abs(limit) > 1e300:
        raise QueryError(f"{field}.value", "Must be a number.")
    named = {"op": parts.get("calculate_op"), "column": parts.get("column")}
    return Having(_place(named, f"{field}.calculate_op", calculations), parts["op"], float(limit))


def _whole(spec: dict[str, Any], name: str, default: int, most: int) -> int:
    value = spec.get(name)
    if value is None:
        return default
    if type(value) is not int or not 1 <= value <= most:
        raise QueryError(name, f"Must be a whole number from 1 to {most}.")
    return value


def _yes(spec: dict[str, Any], name: str) -> bool:
    if spec.get(name) not in (None, True, False):
        raise QueryError(name, "Must be true or false.")
    return bool(spec.get(name))


def _times(spec: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    start, end = _moment(spec, "start_time"), _moment(spec, "end_time")
    span = timedelta(seconds=_whole(spec, "time_range", DEFAULT_RANGE_S, MAX_SPAN_S))
    if start and end and spec.get("time_range") is not None:
        raise QueryError("time_range", "Give two of start_time, end_time and time_range.")
    if end is None:
        end = start + span if start and spec.get("time_range") is not None else now
        # What arrives while the question is asked is part of the answer.
        end = end + timedelta(microseconds=1) if end == now else end
    if start is None:
        start = end - span
    if not EARLIEST <= start < end <= LATEST:
        raise QueryError("start_time", "The time asked for must begin before it ends.")
    return start, end


def _earlier(spec: dict[str, Any], since: datetime) -> int | None:
    name = "compare_time_offset_seconds"
    if spec.get(name) is None:
        return None
    seconds = _whole(spec, name, 0, MAX_SPAN_S)
    if since - timedelta(seconds=seconds) < EARLIEST:
        raise QueryError(name, "The earlier time must begin after 1971.")
    return seconds


def _derived(spec: dict[str, Any]) -> tuple[Derived, ...]:
    fields = _each(spec, "calculated_fields", _calculated_field)
    if len({one.name for one in fields}) != len(fields):
        raise QueryError("calculated_fields", "A name stands twice.")
    return tuple(fields)


def _calculated_field(value: Any, field: str) -> Derived:
    parts = _parts(value, field, {"name", "expression"})
    name, expression = _column(parts.get("name"), f"{field}.name"), parts.get("expression")
    if type(expression) is not str or not 0 < len(expression) <= MAX_EXPRESSION:
        raise QueryError(
            f"{field}.expression", f"Must be an expression of at most {MAX_EXPRESSION} characters."
        )
    return Derived(name, _whole_characters(expression, f"{field}.expression"))


def _moment(spec: dict[str, Any], name: str) -> datetime | None:
    value = spec.get(name)
    if value is None:
        return None
    try:
        if type(value) is str:
            at = datetime.fromisoformat(value)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
        elif type(value) in (int, float):
            at = datetime.fromtimestamp(value, UTC)
        else:
            raise ValueError
        if not EARLIEST <= at <= LATEST:
            raise ValueError
    except (ValueError, OverflowError, OSError):
        raise QueryError(name, "Must be Unix seconds or RFC 3339, from 1971 to 2200.") from None
    return at


def _granularity(
    spec: dict[str, Any],
    since: datetime,
    until: datetime,
    limit: int,
    breakdowns: tuple[str, ...],
) -> int | None:
    if spec.get("granularity") is None:
        return None
    seconds = _whole(spec, "granularity", 1, 366 * 86_400)
    points = math.ceil((until - since).total_seconds() / seconds)
    most = MAX_POINTS if not breakdowns else min(MAX_POINTS, MAX_SERIES_ROWS // limit)
    if points > most:
        raise QueryError("granularity", f"Gives {points} points; at most {most} are answered.")
    return seconds
