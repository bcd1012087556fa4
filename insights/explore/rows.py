"""Events as people read them: with all they hold and the flags that their traces saw."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.query.rows import EVENT
from events.store.read import Statement, moment, run, utc


@dataclass(frozen=True, slots=True)
class Event:
    """One event as stored, with the flags that its trace saw."""

    time: datetime
    service: str
    name: str
    kind: str
    entry: bool
    trace: str
    span: str
    parent: str
    route: str
    method: str
    status_code: int
    error: bool
    duration_ms: float
    user_id: str
    build_id: str
    sample_rate: float
    attributes: list[tuple[str, str]]
    flags: list[tuple[str, str]]


def events_around(
    environment_id: int, trace_id: int, around: datetime, *, span: int = 0
) -> list[Event]:
    """Events of one trace in order of time, or of one span of it; `around` is near to them."""
    parameters = {
        "environment": environment_id,
        "trace": str(trace_id),
        "span": span,
        "around": moment(around),
        "limit": 1000,
    }
    where = (
        "environment = {environment:UInt32} AND trace = toUInt128({trace:String})"
        " AND ({span:UInt64} = 0 OR span = {span:UInt64})"
        " AND time >= {around:DateTime64(6, 'UTC')} - INTERVAL 1 HOUR"
        " AND time <= {around:DateTime64(6, 'UTC')} + INTERVAL 1 HOUR"
    )
    sql = f"SELECT {EVENT} FROM events WHERE {where} ORDER BY time LIMIT {{limit:UInt32}}"  # noqa: S608
    return events_from(environment_id, run(Statement(sql, parameters)).rows)


def events_from(environment_id: int, rows: list[dict[str, Any]]) -> list[Event]:
    """Rows of `events.query.rows.EVENT` with the flags that their traces saw. One statement."""
    flags = _flags(environment_id, rows)
    return [
        Event(
            time=utc(row["time"]),
            service=row["service"],
            name=row["name"],
            kind=row["kind"],
            entry=bool(row["entry"]),
            trace=row["trace_hex"].rjust(32, "0"),
            span=row["span_hex"].rjust(16, "0"),
            parent=row["parent_hex"] and row["parent_hex"].rjust(16, "0"),
            route=row["route"],
            method=row["method"],
            status_code=int(row["status_code"]),
            error=bool(row["error"]),
            duration_ms=float(row["duration_ms"]),
            user_id=row["user_id"],
            build_id=row["build_id"],
            sample_rate=float(row["sample_rate"]),
            attributes=_attributes(row),
            flags=flags.get(row["trace_text"], []),
        )
        for row in rows
    ]


def _attributes(row: dict[str, Any]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for kind in ("strings", "integers", "floats", "booleans", "lists"):
        for name, value in row[kind].items():
            found[name] = str(value).lower() if kind == "booleans" else str(value)
    return sorted(found.items())


def _flags(environment_id: int, rows: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """The variants that each row's trace saw, by trace."""
    if not rows:
        return {}
    times = [row["time"] for row in rows]
    found = run(
        Statement(
            """SELECT toString(trace) AS trace_text, arraySort(groupUniqArrayArray(pairs)) AS seen
            FROM exposures
            WHERE environment = {environment:UInt32}
              AND hour >= toStartOfHour({since:DateTime64(6, 'UTC')}) - INTERVAL 1 HOUR
              AND hour <= {until:DateTime64(6, 'UTC')} + INTERVAL 1 HOUR
              AND trace IN (SELECT toUInt128(arrayJoin({traces:Array(String)})))
            GROUP BY trace""",
            {
                "environment": environment_id,
                "since": moment(min(times)),
                "until": moment(max(times)),
                "traces": sorted({row["trace_text"] for row in rows}),
            },
        )
    ).rows
    return {
        row["trace_text"]: [tuple(pair.split("\x1f", 1)) for pair in row["seen"]] for row in found
    }
