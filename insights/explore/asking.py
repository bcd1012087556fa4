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
    "required_filters": "And",
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
ALONE = {
    "start_time": "since",
    "end_time": "until",
    "granularity": "step",
    "limit": "limit",
    "compare_time_offset_seconds": "earlier",
}
IDS = {
    ("calculations", ""): "op",
    ("calculations", "column"): "of",
    ("filters", ""): "field",
    ("filters", "op"): "is",
    ("filters", "value"): "value",
    ("required_filters", ""): "also.field",
    ("required_filters", "op"): "also.is",
    ("required_filters", "value"): "also.value",
    ("breakdowns", ""): "by",
    ("havings", ""): "having",
    ("havings", "op"): "having_is",
    ("havings", "value"): "having_value",
    ("orders", ""): "sort",
    ("calculated_fields", ""): "name",
    ("calculated_fields", "expression"): "expression",
}
UNANSWERED = (QueryError, QueryTooLarge, QueryStopped)


def asker(environment_id: int, token: str) -> Callable[[Statement], Result]:
    """`run` under the page's token; under one of its own where the page sent none."""
    known = progress.TOKEN.match(token)
    return progress.watched(environment_id, token if known else secrets.token_hex(8))


def unanswered(error: Exception) -> dict[str, Any]:
    """For the page: `problem` in words with the `part` that is wrong, or `stopped`.

    `at` is the id of the form's own field, which the part leads to.
    """
    if isinstance(error, QueryStopped):
        return {"stopped": True}
    if not isinstance(error, QueryError):
        return {"problem": str(error), "too_large": True}
    return {"problem": str(error), "part": _line(error.field), "at": _id(error.field)}


def _line(field: str) -> str:
    """A part of a specification as the form names it: "filters.1.value" → "Where, line 2"."""
    name, _, rest = field.partition(".")
    place, _, _ = rest.partition(".")
    part = PARTS.get(name, name.replace("_", " "))
    return f"{part}, line {int(place) + 1}" if place.isdecimal() else part


def _id(field: str) -> str:
    """The id of what a part of a specification is written in: "filters.1.value" → "value-1"."""
    name, _, rest = field.partition(".")
    place, _, inner = rest.partition(".")
    if not place.isdecimal():
        return ALONE.get(name, "")
    found = IDS.get((name, inner), IDS.get((name, ""), ""))
    return f"{found}-{place}" if found and name != "orders" else found
