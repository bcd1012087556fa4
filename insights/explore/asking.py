"""Asking what a page wants to know: watched under its token, and in words where it fails."""

import secrets
from collections.abc import Callable
from typing import Any

from events.query.spec import QueryError
from events.store import progress
from events.store.read import QueryStopped, QueryTooLarge, Result, Statement

PARTS = {
    "calculations": "Show",
    "filters": "Where",
    "breakdowns": "Split by",
    "havings": "Only groups with",
    "orders": "Order",
    "calculated_fields": "Fields of your own",
    "start_time": "From",
    "end_time": "To",
    "granularity": "Steps",
    "compare_time_offset_seconds": "Beside",
    "limit": "Limit",
}
UNANSWERED = (QueryError, QueryTooLarge, QueryStopped)


def asker(environment_id: int, token: str) -> Callable[[Statement], Result]:
    """`run` under the page's token; under one of its own where the page sent none."""
    known = progress.TOKEN.match(token)
    return progress.watched(environment_id, token if known else secrets.token_hex(8))


def unanswered(error: Exception) -> dict[str, Any]:
    """For the page: `problem` in words with the `part` that is wrong, or `stopped`."""
    if isinstance(error, QueryStopped):
        return {"stopped": True}
    part = _line(error.field) if isinstance(error, QueryError) else "too large"
    return {"problem": str(error), "part": part}


def _line(field: str) -> str:
    """A part of a specification as the form names it: "filters.1.value" → "Where, line 2"."""
    name, _, rest = field.partition(".")
    place, _, _ = rest.partition(".")
    part = PARTS.get(name, name.replace("_", " "))
    return f"{part}, line {int(place) + 1}" if place.isdecimal() else part
