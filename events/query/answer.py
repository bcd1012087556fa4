"""A question's answer as the API gives it: results, series, and what is beyond the limit."""

import math
import time
from datetime import UTC, datetime
from typing import Any

from events.query.columns import resolve
from events.query.spec import Query, parse
from events.query.sql import Asked
from events.store.read import run


def answer(environment_id: int, spec: Any, *, now: datetime | None = None) -> dict[str, Any]:
    """Raises QueryError for what can't be asked, QueryTooLarge, StoreUnavailable."""
    began = time.monotonic()
    query = parse(spec, now or datetime.now(UTC))
    asked = Asked(environment_id, query, resolve(environment_id, _named(query)))
    found = run(asked.results())
    rows, beyond = found.rows[: query.limit], len(found.rows) > query.limit
    keys = [row["key"] for row in rows]
    read = found.read_rows or sum(row["raw"] for row in found.rows)
    answered: dict[str, Any] = {
        "results": [{"data": _data(query, row)} for row in rows],
        "series": [],
    }
    if query.granularity_s is not None:
        answered["series"] = [
            {"time": _moment(row["bucket"]), "data": _data(query, row)}
            for row in run(asked.series(keys)).rows
        ]
    if beyond:
        rest = run(asked.other(keys)).rows[0]
        answered["other"] = {
            "groups": rest["groups"],
            "data": {
                one.key: _value(rest[f"c{place}"]) for place, one in enumerate(query.calculations)
            },
        }
    answered["events_read"] = read
    answered["took_ms"] = round((time.monotonic() - began) * 1000, 1)
    return answered


def _named(query: Query) -> dict[str, str]:
    """Each column of a query with the first field it stands in."""
    named: dict[str, str] = {}
    for place, calculation in enumerate(query.calculations):
        if calculation.column is not None:
            named.setdefault(calculation.column, f"calculations.{place}.column")
    for place, one in enumerate(query.filters):
        named.setdefault(one.column, f"filters.{place}.column")
    for place, name in enumerate(query.breakdowns):
        named.setdefault(name, f"breakdowns.{place}")
    return named


def _data(query: Query, row: dict[str, Any]) -> dict[str, Any]:
    data = {name: row[f"b{place}"] for place, name in enumerate(query.breakdowns)}
    for place, one in enumerate(query.calculations):
        data[one.key] = _value(row[f"c{place}"])
    return data


def _value(value: Any) -> Any:
    """Whole numbers without a fraction; what could not be computed is null."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
