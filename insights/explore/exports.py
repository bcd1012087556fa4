"""An answer as files: the table as CSV, the events as NDJSON, whole and exact."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from events.query.answer import answered, asked_of
from events.query.parsing import MAX_LIMIT_WITHOUT_SERIES
from events.query.rows import Page, events_of
from events.query.spec import RATES, Query, QueryError
from events.store.read import run
from insights.explore.meant import meant
from insights.explore.place import Place, place
from insights.explore.question import EARLIER
from insights.explore.rows import events_from
from web.errors import ApiError

EVENTS = 10_000
Sent = TypeVar("Sent", HttpResponse, StreamingHttpResponse)
MARKS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@require_GET
def as_csv(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """Every group, up to MAX_LIMIT_WITHOUT_SERIES, with numbers as they are.

    Changes from step to step are known from the steps only, so that these keep steps and limit.
    """
    here = place(request, project, environment)
    query = _meant(here)
    if not any(one.op in RATES for one in query.calculations):
        query = replace(query, granularity_s=None, limit=MAX_LIMIT_WITHOUT_SERIES)
    try:
        found = answered(here.access.environment.id, query)
    except QueryError as error:
        raise _refused(error) from None
    out = io.StringIO()
    before = EARLIER[here.question.earlier][1] if "compare" in found else ""
    csv.writer(out).writerows(
        [_plain(cell) for cell in row] for row in _table(found, query, before)
    )
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    return _file(response, here, "explore.csv")


def _table(found: dict[str, Any], query: Query, before: str) -> Iterator[list[Any]]:
    """The head, the groups, and what is beyond the limit; `before` names the earlier time's."""
    by = query.breakdowns
    calculated = [one.key for one in query.calculations]
    then = [f"{one}, {before}" for one in calculated] if before else []
    yield [*by, *calculated, *then]
    earlier = {
        tuple(row["data"][one] for one in by): row["data"]
        for row in found.get("compare", {}).get("results", [])
    }
    for row in found["results"]:
        data = row["data"]
        old = earlier.get(tuple(data[one] for one in by), {})
        cells = [data[one] for one in (*by, *calculated)]
        yield [*cells, *(old.get(one) for one in calculated if before)]
    if "other" in found:
        rest = [f"other ({found['other']['groups']} groups)", *[""] * len(by)]
        yield [*rest[: len(by)], *(found["other"]["data"][one] for one in calculated)]


@require_GET
def as_ndjson(request: HttpRequest, project: str, environment: str) -> StreamingHttpResponse:
    """The newest events, EVENTS at most, one JSON object a line, with all attributes."""
    here = place(request, project, environment)
    query = replace(_meant(here), calculations=(), breakdowns=(), orders=(), havings=())
    try:
        rows = run(events_of(asked_of(here.access.environment.id, query), Page(EVENTS))).rows
    except QueryError as error:
        raise _refused(error) from None
    lines = _lines(here.access.environment.id, rows)
    response = StreamingHttpResponse(lines, content_type="application/x-ndjson")
    return _file(response, here, "events.ndjson")


def _meant(here: Place) -> Any:
    try:
        zone = here.access.environment.zone
        return meant(here.question, here.kinds, now=here.now, zone=zone).query
    except QueryError as error:
        raise _refused(error) from None


def _refused(error: QueryError) -> ApiError:
    return ApiError(422, "invalid_query", f"{error.field}: {error}", field=error.field)


def _lines(environment_id: int, rows: list[dict[str, Any]]) -> Iterator[bytes]:
    for at in range(0, len(rows), 1000):
        part = rows[at : at + 1000]
        for event, row in zip(events_from(environment_id, part), part, strict=True):
            own = {
                "time": event.time, "service": event.service, "name": event.name,
                "kind": event.kind, "trace_id": event.trace, "span_id": event.span,
                "parent_id": event.parent or None, "route": event.route or None,
                "method": event.method or None, "status_code": event.status_code or None,
                "error": event.error, "duration_ms": event.duration_ms,
                "user_id": event.user_id or None, "build_id": event.build_id or None,
                "sample_rate": event.sample_rate, "flags": dict(event.flags),
            }  # fmt: skip
            for kind in ("strings", "integers", "floats", "booleans", "lists"):
                own |= row[kind]
            yield orjson.dumps(own) + b"\n"


def _plain(value: Any) -> Any:
    """A cell as a spreadsheet may read it: text that looks like a formula is kept text."""
    if isinstance(value, str) and value.startswith(MARKS_OF_FORMULAS):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, list) else value


def _file(response: Sent, here: Place, name: str) -> Sent:
    name = f"{here.access.project.slug}-{here.access.environment.slug}-{name}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
