"""Forms of Explore and of boards. Each: authorise → parse → one call → back, with a message."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST

from events.query.spec import QueryError
from insights.explore import keeping
from insights.explore.meant import moment
from insights.explore.models import Board, Panel, SavedQuery
from projects.access import Access, environment_for
from web.request import whole

Act = Callable[[], str]


@require_POST
def save_query(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    name, address = _text(request, "name"), _text(request, "address")
    return _done(
        request,
        _explore(access, address),
        lambda: f"Saved as {keeping.save(access, name, address).name}.",
    )


@require_POST
def add_comment(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    address, text = _text(request, "address"), _text(request, "text")

    def act() -> str:
        keeping.comment(access, address, text, timezone.now())
        return "Your comment is here and on the timeline."

    return _done(request, _explore(access, address), act)


@require_POST
def add_marker(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")

    now = timezone.now()

    def act() -> str:
        change = keeping.mark(
            access,
            title=_text(request, "title"),
            time=_time(access, _text(request, "time"), now),
            now=now,
            kind=_text(request, "kind"),
            service=_text(request, "service"),
            url=_text(request, "url"),
        )
        return f"{change.title} is marked."

    if _text(request, "back") == "timeline":
        return _done(request, f"{_base(access)}/timeline", act)
    return _done(request, _explore(access, _text(request, "address")), act)


@require_POST
def make_board(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    listed = f"{_base(access)}/boards"
    try:
        board = keeping.new_board(access, _text(request, "name"), _text(request, "about"))
    except keeping.KeepingError as error:
        return _told(request, listed, messages.ERROR, str(error))
    return _told(request, f"{listed}/{board.id}", messages.SUCCESS, f"{board.name} is made.")


@require_POST
def add_panel(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """To the board chosen, or to a new one of the name given."""
    access = environment_for(request, project, environment, "editor")
    address = _text(request, "address")
    chosen = _text(request, "board")

    def act() -> str:
        if (number := whole(chosen)) is not None:
            board = get_object_or_404(Board, environment=access.environment, id=number)
        else:
            board = keeping.new_board(access, _text(request, "new_board"))
        keeping.add_panel(
            access, board, _text(request, "title"), address, note=_text(request, "note")
        )
        return f"It is on the board {board.name}."

    return _done(request, _explore(access, address), act)


@require_POST
def change_panel(
    request: HttpRequest, project: str, environment: str, panel_id: int
) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    panel = get_object_or_404(Panel, board__environment=access.environment, id=panel_id)
    back = f"{_base(access)}/boards/{panel.board_id}"
    act = _text(request, "act")
    if act == "remove":
        title = panel.title
        keeping.remove(access, panel)
        return _told(request, back, messages.SUCCESS, f"{title} is off the board.")
    keeping.move(panel, -1 if act == "up" else 1)
    return HttpResponseRedirect(back)


@require_POST
def star_or_delete(
    request: HttpRequest, project: str, environment: str, what: str, thing_id: int
) -> HttpResponse:
    """A star needs no role: it is a person's own. Deleting needs an editor."""
    act = _text(request, "act")
    access = environment_for(
        request, project, environment, "editor" if act == "delete" else "viewer"
    )
    where = access.environment
    thing: Board | SavedQuery = (
        get_object_or_404(Board, environment=where, id=thing_id)
        if what == "board"
        else get_object_or_404(SavedQuery, environment=where, id=thing_id)
    )
    back = f"{_base(access)}/boards"
    if act == "delete":
        keeping.remove(access, thing)
        return _told(request, back, messages.SUCCESS, f"{thing.name} is deleted.")
    keeping.star(access.user, thing)
    return HttpResponseRedirect(back)


def _text(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\x00", "").strip()


def _time(access: Access, text: str, now: datetime) -> datetime:
    if not text:
        return now
    try:
        return moment(text, access.environment.zone, "time")
    except QueryError as error:
        raise keeping.KeepingError(str(error)) from None


def _base(access: Access) -> str:
    return f"/{access.project.slug}/{access.environment.slug}"


def _explore(access: Access, address: str) -> str:
    """Back to the question; what came is written anew, so that it can lead nowhere else."""
    try:
        known = keeping.canonical(address)
    except keeping.KeepingError:
        known = ""
    return f"{_base(access)}/explore" + (f"?{known}" if known else "")


def _done(request: HttpRequest, back: str, act: Act) -> HttpResponse:
    try:
        return _told(request, back, messages.SUCCESS, act())
    except keeping.KeepingError as error:
        return _told(request, back, messages.ERROR, str(error))


def _told(request: HttpRequest, address: str, level: int, message: str) -> HttpResponse:
    messages.add_message(request, level, message)
    return HttpResponseRedirect(quote(address, safe="/?&=%+:;,~-_.!*'()"))
