"""A Question → the specification that `events.query` takes: texts become numbers, times, lists."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from events.event import ALIASES
from events.query.catalog import Known
from events.query.parsing import EARLIEST, LATEST, parse
from events.query.spec import FILTER_OPERATORS, Query, QueryError
from insights.explore.question import EARLIER, WINDOWS, Having, Question, Where, split
from insights.series import step_seconds

POINTS = 120
LIMIT = 50
NUMBERS = ("integer", "number")


@dataclass(frozen=True, slots=True)
class Meant:
    """A question that can be asked, and the time it is about."""

    query: Query
    since: datetime
    until: datetime


def meant(
    question: Question, known: Iterable[Known], *, now: datetime, zone: tzinfo, points: int = POINTS
) -> Meant:
    """Raises QueryError, its field one of the form's."""
    since, until = window(question, now=now, zone=zone)
    types = {one.name: one.type for one in known}
    types |= {alias: types.get(column, "text") for alias, column in ALIASES.items()}
    spec: dict[str, Any] = {
        "calculations": [
            _calculation(one, f"calculations.{place}")
            for place, one in enumerate(question.show or ("COUNT",))
        ],
        "filters": [
            _filter(one, types.get(one.field, "text"), f"filters.{place}")
            for place, one in enumerate(question.where)
        ],
        "required_filters": [
            _filter(one, types.get(one.field, "text"), f"required_filters.{place}")
            for place, one in enumerate(question.also)
        ],
        "filter_combination": "OR" if question.any else "AND",
        "breakdowns": list(question.by),
        "calculated_fields": [
            {"name": name, "expression": expression} for name, expression in question.derived
        ],
        "havings": [_having(one, f"havings.{at}") for at, one in enumerate(question.having)],
        "orders": _orders(question),
        "limit": _whole(question.limit, "limit") if question.limit else LIMIT,
        "start_time": since.timestamp(),
        "end_time": until.timestamp(),
        "granularity": _whole(question.step, "granularity")
        if question.step
        else step_seconds(since, until, points),
        "entry_only": question.events != "all",
    }
    if question.earlier:
        spec["compare_time_offset_seconds"] = EARLIER[question.earlier][0]
    query = parse(spec, now)
    return Meant(query, query.since, query.until)


def window(question: Question, *, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The time asked for; written times are local ones of the environment."""
    if not question.since:
        return now - timedelta(seconds=WINDOWS[question.window][0]), now
    since = moment(question.since, zone, "start_time")
    until = moment(question.until, zone, "end_time") if question.until else now
    if since >= until:
        raise QueryError("start_time", "The time asked for must begin before it ends.")
    return since, until


def moment(text: str, zone: tzinfo, field: str) -> datetime:
    """A time as written: local unless it names its offset."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        found = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        if not EARLIEST <= found <= LATEST:
            raise ValueError
    except (ValueError, OverflowError):
        message = "Write a time such as 2026-11-24T14:30, from 1971 to 2200."
        raise QueryError(field, message) from None
    return found


def _calculation(text: str, field: str) -> dict[str, Any]:
    op, column = split(text)
    if not op:
        raise QueryError(f"{field}.op", f"Choose what to show of {column[:100]}.")
    return {"op": op, "column": column} if column else {"op": op}


def _filter(one: Where, type: str, field: str) -> dict[str, Any]:
    name, op, text = one.field, one.op, one.value
    if not name:
        raise QueryError(f"{field}.column", f"Say which field {op} {text[:60]!r} is about.")
    if op not in FILTER_OPERATORS:
        raise QueryError(f"{field}.op", f"There is no operator {op[:40]}.")
    if op in ("exists", "does-not-exist"):
        return {"column": name, "op": op}
    field = f"{field}.value"
    if op in ("in", "not-in"):
        values = [_typed(value, type, field) for value in _listed(text, field)]
        return {"column": name, "op": op, "value": values}
    return {"column": name, "op": op, "value": _typed(text, type, field)}


def _listed(text: str, field: str) -> list[str]:
    """Values between commas; one that holds a comma itself stands in double quotes."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except csv.Error:
        raise QueryError(field, 'Write values as a, b, "c, with a comma".') from None
    return [value.strip() for row in rows for value in row if value.strip()]


def _typed(text: str, type: str, field: str) -> str | int | float | bool:
    if type in NUMBERS:
        return _number(text, field)
    if type == "boolean":
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise QueryError(field, "Write true or false.")
        return text.lower() in ("true", "1", "yes")
    return text


def _number(text: str, field: str) -> int | float:
    try:
        found = float(text.replace(",", "")) if text.count(",") else float(text)
        if not math.isfinite(found):
            raise ValueError
        return int(text) if text.lstrip("+-").isdecimal() else found
    except ValueError:
        raise QueryError(field, f"A number is wanted, not {text[:40]!r}.") from None


def _whole(text: str, field: str) -> int:
    found = _number(text, field)
    if found != int(found):
        raise QueryError(field, "A whole number is wanted.")
    return int(found)


def _having(one: Having, field: str) -> dict[str, Any]:
    if not one.calculation:
        raise QueryError(f"{field}.calculate_op", "Say which of the calculations is meant.")
    op, column = split(one.calculation)
    named = {"calculate_op": op, "op": one.op or ">"}
    if column:
        named["column"] = column
    return {**named, "value": _number(one.value, f"{field}.value")}


def _orders(question: Question) -> list[dict[str, Any]]:
    if not question.sort:
        return []
    order = "ascending" if question.ascending else "descending"
    if question.sort in question.by:
        return [{"column": question.sort, "order": order}]
    return [{**_calculation(question.sort, "orders.0"), "order": order}]
