"""A view's answer → the whole page, or the fragment of it that htmx asked for at the same URL."""

import logging
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.safestring import mark_safe

from web.request import wants_fragment

log = logging.getLogger("flipscope.web")
LATER = "<!-- the rest of the page -->"


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
    _kept_private(request, response)
    return response


def page_in_two(
    request: HttpRequest, template: str, context: dict[str, Any], *, fragment: str
) -> HttpResponseBase:
    """As `page`, but what stands before `{{ rest }}` is sent, and painted, while that is made.

    The rest is the fragment that htmx gets alone. Once something is sent there is no other
    status, so what fails from there on is said in the page.
    """
    if wants_fragment(request):
        return page(request, template, context, fragment=fragment)
    context = {"now": timezone.now(), **context}
    frame = render_to_string(template, {**context, "rest": mark_safe(LATER)}, request)  # noqa: S308  # ours
    first, _, last = frame.partition(LATER)

    def parts() -> Iterator[str]:
        yield first
        try:
            made = render_to_string(fragment, context, request)
        except Exception:
            log.exception("page.broken_off", extra={"template": fragment})
            made = render_to_string("web/_broken_off.html", request=request)
        yield made + last

    response = StreamingHttpResponse(parts())
    _kept_private(request, response)
    return response


def _kept_private(request: HttpRequest, response: HttpResponseBase) -> None:
    patch_vary_headers(response, ["HX-Request"])
    if request.user.is_authenticated:
        response.setdefault("Cache-Control", "private, no-cache")
