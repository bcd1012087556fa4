"""The JSON API of this room: questions to the events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Body, Path, Router

from events.export import export
from events.query.answer import answer
from events.query.spec import QueryError
from events.store.client import StoreUnavailable
from events.store.read import QueryTooLarge
from projects.access import api_environment
from web.errors import ApiError

router = Router(tags=["events"])


@contextmanager
def _told() -> Iterator[None]:
    """Why there is no answer, as an ApiError."""
    try:
        yield
    except QueryError as error:
        raise ApiError(422, "invalid_query", str(error), field=error.field or None) from None
    except QueryTooLarge as error:
        raise ApiError(422, "query_too_large", str(error)) from None
    except StoreUnavailable:
        raise ApiError(
            503,
            "store_unavailable",
            "The event store does not answer. Ask again in a moment.",
            retry_after_s=2,
        ) from None


@router.post(
    "/query",
    summary="Ask the events; the specification is Honeycomb's",
    response=dict[str, Any],
)
def query(
    request: HttpRequest, project: Path[str], environment: Path[str], spec: Body[dict[str, Any]]
) -> HttpResponse:
    """Every aggregate is weighted by the events' sample rates; a flag is the column flags.KEY."""
    found = api_environment(request, project, environment)
    with _told():
        given = answer(found.id, spec)
    # Not by ninja, which reads thousands of numbers once more before it writes them.
    return HttpResponse(orjson.dumps(given), content_type="application/json")


@router.post("/export", summary="The raw events of a query, as NDJSON or Parquet")
def export_events(
    request: HttpRequest, project: Path[str], environment: Path[str], spec: Body[dict[str, Any]]
) -> StreamingHttpResponse:
    """A query's times and filters, `format` (ndjson or parquet) and `limit`; oldest first."""
    found = api_environment(request, project, environment)
    with _told():
        chunks, content_type = export(found.id, spec)
    return StreamingHttpResponse(chunks, content_type=content_type)
