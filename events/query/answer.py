"""A question's answer as the API gives it: results, series, and what is beyond the limit."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from events.query.calculations import EXACT_ROWS, steps, value
from events.query.columns import resolve
from events.query.spec import PERCENTILES, RATES, Query, QueryError, parse
from events.query.sql import Asked
from events.store.read import BadPattern, Result, Statement, run

Run = Callable[[Statement], Result]


def answer(
    environment_id: int, spec: Any, *, now: datetime | None = None, ask: Run = run
) -> dict[str, Any]:
    """Raises QueryError for what can't be asked, QueryTooLarge, StoreUnavailable."""
    return answered(environment_id, parse(spec, now or datetime.now(UTC)), ask=ask)


def answered(environment_id: int, query: Query, *, ask: Run = run) -> dict[str, Any]:
    """The same for a query that is parsed already; `ask` puts a statement to the store."""
    try:
        return _whole(environment_id, query, ask)
    except BadPattern as error:
        raise QueryError(_pattern(query), f"Not a regular expression: {error}.") from None


def _pattern(query: Query) -> str:
    """The first part of a query that holds a regular expression."""
    for place, one in enumerate(query.filters):
        if one.op in ("matches", "does-not-match"):
            return f"filters.{place}.value"
    return "calculated_fields"


def _whole(environment_id: int, query: Query, ask: Run) -> dict[str, Any]:
    began = time.monotonic()
    asked = asked_of(environment_id, query)
    if any(one.op in PERCENTILES for one in query.calculations):
        expected = sum(row["rows"] for row in ask(asked.estimate()).rows)
        asked = replace(asked, rounded=expected > EXACT_ROWS)
    given, keys = _answer(asked, ask)
    if query.earlier_s is not None:
        before = replace(asked, query=query.earlier)
        given["compare"] = _earlier(before, keys, ask, query.earlier_s)
        given["events_read"] += given["compare"].pop("events_read")
    given["took_ms"] = round((time.monotonic() - began) * 1000, 1)
    return given


def asked_of(environment_id: int, query: Query) -> Asked:
    """A query with its columns looked up. Raises QueryError."""
    return Asked(environment_id, query, resolve(environment_id, _named(query), query.derived))


def _answer(asked: Asked, ask: Run) -> tuple[dict[str, Any], list[int]]:
    query = asked.query
    found = ask(asked.results())
    rows, beyond = found.rows[: query.limit], len(found.rows) > query.limit
    keys = [row["key"] for row in rows]
    series = _series(asked, keys, ask) if query.granularity_s is not None else []
    given: dict[str, Any] = {
        "results": [{"data": _data(query, row)} for row in rows],
        "series": series,
    }
    _rates(query, given)
    if beyond:
        rest = ask(asked.other(keys)).rows[0]
        given["other"] = {
            "groups": rest["groups"],
            "data": {
                one.key: None if one.op in RATES else value(one, rest[f"c{place}"])
                for place, one in enumerate(query.calculations)
            },
        }
    given["events_read"] = found.read_rows or sum(row["raw"] for row in found.rows)
    return given, keys


def _earlier(asked: Asked, keys: list[int], ask: Run, by_s: int) -> dict[str, Any]:
    """The earlier time's answer for the groups of today's, its steps named by today's times."""
    query = replace(asked.query, limit=max(asked.query.limit, 1))
    found = ask(asked.results(keys))
    series = _series(asked, keys, ask) if query.granularity_s is not None else []
    for point in series:
        at = datetime.fromisoformat(point["time"]).timestamp() + by_s
        point["time"] = _moment(int(at))
    given: dict[str, Any] = {
        "start_time": query.since.isoformat().replace("+00:00", "Z"),
        "end_time": query.until.isoformat().replace("+00:00", "Z"),
        "results": [{"data": _data(query, row)} for row in found.rows],
        "series": series,
    }
    _rates(query, given)
    given["events_read"] = found.read_rows or sum(row["raw"] for row in found.rows)
    return given


def _series(asked: Asked, keys: list[int], ask: Run) -> list[dict[str, Any]]:
    query = asked.query
    points = {
        (row["bucket"], *_group(query, row)): _data(query, row)
        for row in ask(asked.series(keys)).rows
    }
    if any(one.op == "CONCURRENCY" for one in query.calculations):
        for row in ask(asked.concurrency(keys)).rows:
            point = points.setdefault((row["bucket"], *_group(query, row)), _nothing(query, row))
            point["CONCURRENCY"] = row["c"]
    ordered = sorted(points.items(), key=lambda item: item[0][0])
    return [{"time": _moment(key[0]), "data": data} for key, data in ordered]


def _group(query: Query, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[f"b{place}"] for place in range(len(query.breakdowns)))


def _nothing(query: Query, row: dict[str, Any]) -> dict[str, Any]:
    """A step in which no event began, though some were under way."""
    data = {name: row[f"b{place}"] for place, name in enumerate(query.breakdowns)}
    empty: dict[str, Any] = {"COUNT": 0, "COUNT_DISTINCT": 0, "HEATMAP": []}
    return data | {one.key: empty.get(one.op) for one in query.calculations}


def _rates(query: Query, given: dict[str, Any]) -> None:
    """Turns each RATE_* of the series into changes; a result's is the mean change of a step."""
    for one in query.calculations:
        if one.op not in RATES:
            continue
        lines: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for point in given["series"]:
            group = tuple(point["data"][name] for name in query.breakdowns)
            lines.setdefault(group, []).append(point["data"])
        for line in lines.values():
            changes = steps([data[one.key] for data in line])
            for data, change in zip(line, changes, strict=True):
                data[one.key] = change
        for row in given["results"]:
            group = tuple(row["data"][name] for name in query.breakdowns)
            known = [data[one.key] for data in lines.get(group, []) if data[one.key] is not None]
            row["data"][one.key] = sum(known) / len(known) if known else None


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
        data[one.key] = value(one, row[f"c{place}"])
    return data


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
