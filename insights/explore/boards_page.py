"""Boards: the list, a board's panels, each of which asks for its own answer."""

import secrets
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from events.fields import listed
from events.query.spec import QueryError
from events.store import progress
from events.store.read import QueryStopped, QueryTooLarge
from insights.explore import keeping
from insights.explore.answers import answer_of
from insights.explore.place import place
from insights.explore.question import WINDOWS, read
from insights.explore.said import said
from insights.explore.service_board import Shown, is_heard, panels, services
from web.pages import page
from web.request import whole


@require_GET
def show_boards(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    here = place(request, project, environment)
    where, user = here.access.environment, here.access.user
    context = here.context(
        "boards",
        boards=keeping.boards(where, user).prefetch_related("panels"),
        services=services(where.id, here.now),
        saved=[(one, said(one.address)) for one in keeping.saved(where, user)],
        recent=[(one, said(one.address)) for one in keeping.recent(where, user)],
    )
    return page(request, "insights/explore/boards.html", context)


@require_GET
def show_board(request: HttpRequest, project: str, environment: str, board_id: int) -> HttpResponse:
    here = place(request, project, environment)
    board = get_object_or_404(
        keeping.boards(here.access.environment, here.access.user), id=board_id
    )
    shown = [Shown(one.title, one.address, one.note, one.id) for one in board.panels.all()]
    context = here.context("boards", board=board, title=board.name, about=board.about)
    return _board(request, context, shown)


@require_GET
def show_service(
    request: HttpRequest, project: str, environment: str, service: str
) -> HttpResponse:
    here = place(request, project, environment)
    if not is_heard(here.access.environment.id, service, here.now):
        raise Http404(f"No requests of {service} came in the last 24 hours.")
    window = request.GET.get("window", "")
    window = window if window in WINDOWS else "6h"
    context = here.context(
        "boards", title=service, about="Made by itself for each service.", service=service,
        window=window, windows=[(name, pair[1]) for name, pair in WINDOWS.items()],
    )  # fmt: skip
    fields = listed(here.access.environment.id, service)
    return _board(request, context, panels(service, window, fields))


def _board(request: HttpRequest, context: dict[str, Any], shown: list[Shown]) -> HttpResponse:
    context["panels"] = [(one, said(one.address)) for one in shown]
    return page(request, "insights/explore/board.html", context)


@require_GET
def show_panel(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """One panel: pictures, or the first of the events or traces; `panel` keeps ids apart."""
    here = place(request, project, environment)
    number = request.GET.get("panel", "0")
    context = here.context(address=here.question.address())
    ask = progress.watched(here.access.environment.id, secrets.token_hex(8))
    try:
        answer = answer_of(
            here.access.environment,
            read(request.GET),
            here.kinds,
            now=here.now,
            ask=ask,
            base=here.base,
            prefix=f"panel-{whole(number) or 0}-",
        )
        context["answer"] = answer
    except (QueryError, QueryTooLarge, QueryStopped) as error:
        context["problem"] = str(error)
    return page(
        request,
        "insights/explore/panel.html",
        context,
        fragment="insights/explore/_panel.html",
    )
