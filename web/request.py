"""The request as our views know it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class Request(HttpRequest):
    """A request that passed the middleware: `htmx` tells how the browser asks."""

    htmx: HtmxDetails


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a piece of the page, not for a page it navigates to or restores."""
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    if not htmx:  # also false where the request does not come from htmx
        return False
    return not htmx.boosted and not htmx.history_restore_request
