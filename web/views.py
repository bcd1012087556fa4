"""The theme, and the page that shows every component with example data."""

from datetime import UTC, datetime

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from web import patterns
from web.pages import page

THEMES = ("auto", "light", "dark")
YEAR_S = 60 * 60 * 24 * 365


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remembers the theme in a cookie, so that the server writes it and nothing flashes."""
    chosen = request.POST.get("theme", "")
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}):
        target = "/"
    if chosen in THEMES and request.user.is_authenticated:
        request.user.theme = chosen
        request.user.save(update_fields=["theme"])
    return remember_theme(HttpResponseRedirect(target), chosen)


def remember_theme(response: HttpResponse, chosen: str) -> HttpResponse:
    """Puts the theme into the cookie that base.html reads; also when somebody signs in."""
    if chosen == "auto":
        response.delete_cookie("theme")
    elif chosen in THEMES:
        response.set_cookie(
            "theme",
            chosen,
            max_age=YEAR_S,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response


@require_GET
def show_patterns(request: HttpRequest) -> HttpResponse:
    """For whoever builds pages: shown in DEBUG and to people who are signed in."""
    if not settings.DEBUG and not request.user.is_authenticated:
        raise Http404
    now = datetime(2026, 11, 24, 14, 8, 12, tzinfo=UTC)
    return page(request, "web/patterns.html", {**patterns.examples(now), "now": now})
