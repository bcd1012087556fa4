"""The request as our views know it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class Request(HttpRequest):
    """A request that passed the middleware: `htmx` tells how the browser asks."""

    htmx: HtmxDetails


MOST_DIGITS = 18  # so that whatever is read fits PostgreSQL's bigint


def whole(text: str) -> int | None:
    """The whole number that a part of a request says, or None: "²" is a digit and no number."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a piece of the page, not for a page it navigates to or restores."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    if not htmx:  # also false where the request does not come from htmx
        return False
    return not htmx.boosted and not htmx.history_restore_request
