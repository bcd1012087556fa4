"""A view's answer → the whole page, or the fragment of it that htmx asked for at the same URL."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from web.request import wants_fragment


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    fragment: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Renders `template`, or `fragment` to htmx; the view, never the request, names both.

    `access` in the context gives the header its project, environment and time zone; `now` is
    there for every time in words, so that one page has one now.
    """
    chosen = fragment if fragment and wants_fragment(request) else template
    response = render(request, chosen, {"now": timezone.now(), **context}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    if request.user.is_authenticated:
        response.setdefault("Cache-Control", "private, no-cache")
    return response
