"""The events themselves behind a question: newest first, as traces, or as all they hold."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.query.sql import Asked
from events.store.read import Statement, moment

EVENT = """time, service, name, kind, entry, toString(trace) AS trace_text,
    lower(hex(trace)) AS trace_hex, lower(hex(span)) AS span_hex,
    if(parent = 0, '', lower(hex(parent))) AS parent_hex, route, method, status_code, error,
    duration_ms, user_id, build_id, sample_rate, strings, integers, floats, booleans, lists"""
ORDERS = {
    "newest": "time DESC",
    "slowest": "duration_ms DESC, time DESC",
    "oldest": "time",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Which of a question's events: `limit` of them in one of ORDERS, from a time on."""

    limit: int
    order: str = "newest"
    before: datetime | None = None


def events_of(asked: Asked, page: Page) -> Statement:
    """A row per event: EVENT's columns."""
    return _rows(asked, page, EVENT)


def traces_of(asked: Asked, page: Page) -> Statement:
    """A row per trace that has an event of the question, by its first such event.

    trace_hex, time, name, services, spans (of the question), errors, duration_ms (the longest).
    """
    order = {"slowest": "duration_ms DESC, time DESC", "oldest": "time"}.get(
        page.order, "time DESC"
    )
    inner = f"""SELECT trace, events.time AS at, service, error, duration_ms AS took, method,
            if(route = '', name, route) AS part
        {asked.source(_before(page) + " AND trace != 0")}"""
    sql = f"""SELECT lower(leftPad(hex(trace), 32, '0')) AS trace_hex, min(at) AS time,
            argMax(part, took) AS what, argMax(method, took) AS verb,
            arraySort(groupUniqArray(service)) AS services, count() AS spans,
            countIf(error) AS errors, max(took) AS duration_ms
        FROM ({inner}) GROUP BY trace ORDER BY {order} LIMIT {{limit:UInt32}}"""  # noqa: S608
    return asked.statement(sql, **_parameters(page))


def _rows(asked: Asked, page: Page, columns: str) -> Statement:
    order = ORDERS.get(page.order, ORDERS["newest"])
    sql = f"SELECT {columns} {asked.source(_before(page))} ORDER BY {order} LIMIT {{limit:UInt32}}"
    return asked.statement(sql, **_parameters(page))


def _before(page: Page) -> str:
    return "AND time < {before:DateTime64(6, 'UTC')}" if page.before else ""


def _parameters(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = {"limit": page.limit}
    if page.before:
        found["before"] = moment(page.before)
    return found
