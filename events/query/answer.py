"""A question's answer as the API gives it: results, series, and what is beyond the limit."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from events.query.calculations import EXACT_ROWS, rest, steps, value
from events.query.columns import Resolved, resolve
from events.query.parsing import parse
from events.query.spec import PERCENTILES, RATES, Query, QueryError
from events.query.sql import Asked
from events.store.read import BadPattern, Result, Statement, run

Run = Callable[[Statement], Result]
ESTIMATED_S = 60


def answer(
    environment_id: int, spec: Any, *, now: datetime | None = None, ask: Run = run
) -> dict[str, Any]:
    """Raises QueryError for what can't be asked, QueryTooLarge, StoreUnavailable."""
    return answered(environment_id, parse(spec, now or datetime.now(UTC)), ask=ask)


def answered(environment_id: int, query: Query, *, ask: Run = run) -> dict[str, Any]:
    """The same for a query that is parsed already; `ask` puts a statement to the store."""
    given, missing = begun(environment_id, query, ask)
    completed(given, missing, ask)
    return given


@dataclass(frozen=True, slots=True)
class Missing:
    """What a begun answer lacks: the steps of these groups, and as many of the earlier time."""

    asked: Asked
    keys: tuple[int, ...] | None  # None: of all groups
    steps: bool


def begun(
    environment_id: int, query: Query, ask: Run = run, *, most_lines: int | None = None
) -> tuple[dict[str, Any], Missing]:
    """The results first; the steps come with `completed`, if they are not there already.

    `most_lines` is how many of the first groups get steps, where not all of them are looked at.
    Raises as `answer` does.
    """
    began = time.monotonic()
    asked = asked_of(environment_id, query)
    if any(one.op in PERCENTILES for one in query.calculations):
        asked = replace(asked, rounded=_expected(asked, ask) > EXACT_ROWS)
    given, keys = _answer(asked, ask)
    if query.earlier_s is not None:
        before = replace(asked, query=query.earlier)
        given["compare"] = _earlier(before, keys, ask, query.earlier_s)
        given["events_read"] += given["compare"].pop("events_read")
    given["took_ms"] = _since(began)
    whole = "other" not in given and not query.havings and query.earlier_s is None
    few = most_lines is None or len(keys) <= most_lines
    wanted = None if whole and few else tuple(keys[:most_lines])
    return given, Missing(asked, wanted, query.granularity_s is not None and not asked.rolled)


def completed(given: dict[str, Any], missing: Missing, ask: Run = run) -> None:
    """Adds the steps to a begun answer. Raises QueryTooLarge, QueryStopped, StoreUnavailable."""
    began = time.monotonic()
    asked, query = missing.asked, missing.asked.query
    keys = None if missing.keys is None else list(missing.keys)
    if missing.steps:
        given["series"] = _series(asked, keys, ask)
        if query.earlier_s is not None:
            before = replace(asked, query=query.earlier)
            given["compare"]["series"] = _moved(_series(before, keys, ask), query.earlier_s)
    for one in (given, given.get("compare")):
        if one is not None and query.granularity_s is not None:
            _rates(query, one)
    given["took_ms"] = round(given["took_ms"] + _since(began), 1)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


_estimates: dict[tuple[Any, ...], tuple[float, int]] = {}


def _expected(asked: Asked, ask: Run) -> int:
    """How many rows will be read, roughly; remembered for a while, as asking takes time too."""
    query = asked.query
    minutes = (query.since.timestamp() // 600, query.until.timestamp() // 600)
    key = (asked.environment_id, query.entry_only, bool(asked.resolved.flags), *minutes)
    at, found = _estimates.get(key, (-math.inf, 0))
    if time.monotonic() - at > ESTIMATED_S or found < EXACT_ROWS / 2:
        if len(_estimates) > 1000:
            _estimates.clear()
        found = sum(row["rows"] for row in ask(asked.estimate()).rows)
        _estimates[key] = (time.monotonic(), found)
    return found


def asked_of(environment_id: int, query: Query) -> Asked:
    """A query with its columns looked up and its patterns tried. Raises QueryError."""
    resolved = resolve(environment_id, _named(query), query.derived)
    _try_patterns(query, resolved)
    return Asked(environment_id, query, resolved)


def _try_patterns(query: Query, resolved: Resolved) -> None:
    """Raises QueryError for a regular expression that the engine can't compile, with its field."""
    patterns: dict[str, object] = {
        f"{query.filter_field(place)}.value": one.value
        for place, one in enumerate(query.filters)
        if one.op in ("matches", "does-not-match")
    }
    patterns |= {field: resolved.parameters[name] for name, field in resolved.patterns.items()}
    for field, pattern in patterns.items():
        try:
            run(Statement("SELECT match('', {pattern:String})", {"pattern": pattern}))
        except BadPattern as error:
            raise QueryError(field, f"Not a regular expression: {error}.") from None


def _answer(asked: Asked, ask: Run) -> tuple[dict[str, Any], list[int]]:
    query = asked.query
    if asked.rolled:
        return _rolled(asked, ask), []
    found = ask(asked.results())
    rows, beyond = found.rows[: query.limit], len(found.rows) > query.limit
    keys, data = [row["key"] for row in rows], _reader(query)
    given: dict[str, Any] = {"results": [{"data": data(row)} for row in rows], "series": []}
    if beyond:
        given["other"] = _other(asked, rows, keys, ask)
    given["events_read"] = _read(found)
    return given, keys


def _rolled(asked: Asked, ask: Run) -> dict[str, Any]:
    """Results and series from one statement."""
    found = ask(asked.series(None))
    whole = next((row for row in found.rows if row["whole"]), None)
    if whole is None:  # nothing matched, and nothing is what there is of it
        whole = ask(asked.results()).rows[0]
    steps = [row for row in found.rows if not row["whole"]]
    return {
        "results": [{"data": _reader(asked.query)(whole)}],
        "series": _points(asked, steps, None, ask),
        "events_read": _read(found),
    }


def _other(asked: Asked, rows: list[dict[str, Any]], keys: list[int], ask: Run) -> dict[str, Any]:
    query = asked.query
    if asked.counted and (data := rest(query, rows)) is not None:
        return {"groups": rows[0]["groups"] - len(rows), "data": data}
    row = ask(asked.other(keys)).rows[0]
    return {
        "groups": row["groups"],
        "data": {
            one.key: None if one.op in RATES else value(one, row[f"c{place}"])
            for place, one in enumerate(query.calculations)
        },
    }


def _read(found: Result) -> int:
    return found.read_rows or sum(row["raw"] for row in found.rows)


def _earlier(asked: Asked, keys: list[int], ask: Run, by_s: int) -> dict[str, Any]:
    """The earlier time's answer for the groups of today's."""
    query = asked.query
    given: dict[str, Any] = {
        "start_time": query.since.isoformat().replace("+00:00", "Z"),
        "end_time": query.until.isoformat().replace("+00:00", "Z"),
    }
    if asked.rolled:
        given |= _rolled(asked, ask)
        _moved(given["series"], by_s)
        return given
    found, data = ask(asked.results(keys)), _reader(query)
    return given | {
        "results": [{"data": data(row)} for row in found.rows],
        "series": [],
        "events_read": _read(found),
    }


def _moved(series: list[dict[str, Any]], by_s: int) -> list[dict[str, Any]]:
    """Steps of the earlier time, named by today's times."""
    for point in series:
        at = datetime.fromisoformat(point["time"]).timestamp() + by_s
        point["time"] = _moment(int(at))
    return series


def _series(asked: Asked, keys: list[int] | None, ask: Run) -> list[dict[str, Any]]:
    return _points(asked, ask(asked.series(keys)).rows, keys, ask)


def _points(
    asked: Asked, rows: list[dict[str, Any]], keys: list[int] | None, ask: Run
) -> list[dict[str, Any]]:
    query, data = asked.query, _reader(asked.query)
    if all(one.op != "CONCURRENCY" for one in query.calculations):  # the statement orders them
        return [{"time": _moment(row["bucket"]), "data": data(row)} for row in rows]
    points = {(row["bucket"], *_group(query, row)): data(row) for row in rows}
    for row in ask(asked.concurrency(keys)).rows:
        point = points.setdefault((row["bucket"], *_group(query, row)), _nothing(query, row))
        point["CONCURRENCY"] = row["c"]
    ordered = sorted(points.items(), key=lambda item: item[0][0])
    return [{"time": _moment(key[0]), "data": found} for key, found in ordered]


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
        named.setdefault(one.column, f"{query.filter_field(place)}.column")
    for place, name in enumerate(query.breakdowns):
        named.setdefault(name, f"breakdowns.{place}")
    return named


def _reader(query: Query) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What reads a row as the answer gives it: there may be thousands."""
    names = [(name, f"b{place}") for place, name in enumerate(query.breakdowns)]
    slots = [(one.key, one, f"c{place}") for place, one in enumerate(query.calculations)]

    def data(row: dict[str, Any]) -> dict[str, Any]:
        found = {name: row[slot] for name, slot in names}
        for key, one, slot in slots:
            found[key] = value(one, row[slot])
        return found

    return data


@lru_cache(maxsize=10_000)  # each group has the same steps
def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
