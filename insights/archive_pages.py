"""Archiving a flag: a page that says who asks for it and what is in the way, and the way back."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from events.store.client import StoreUnavailable
from flags import archiving, editing
from flags.governance import Withheld, override_of
from flags.listening import state_now
from flags.models import Flag
from flags.views import sent_to
from flags.wrong import DefinitionError
from insights.hygiene import reported
from insights.reach import uses
from projects.access import Access, environment_for
from web.pages import page


@require_http_methods(["GET", "POST"])
def archive_flag(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    flag = _found(access, key)
    address = f"/{project}/{environment}/flags/{quote(key)}"
    if flag.archived_at is not None:
        return sent_to(request, address, messages.INFO, f"{key} is archived already.")
    if request.method == "GET":
        return _confirm(request, access, flag)
    try:
        _moved(archiving.archive, request, access, key)
    except (DefinitionError, Withheld) as error:
        return _confirm(request, access, flag, error.message)
    said = f"{key} is archived: no evaluator has it any more. Restore brings it back as it was."
    return sent_to(request, address, messages.SUCCESS, said)


@require_POST
def restore_flag(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    _found(access, key)
    address = f"/{project}/{environment}/flags/{quote(key)}"
    try:
        _moved(archiving.restore, request, access, key)
    except (DefinitionError, Withheld) as error:
        return sent_to(request, address, messages.ERROR, error.message)
    return sent_to(request, address, messages.SUCCESS, f"{key} is served again, as it was.")


def _moved(act: Callable[..., Flag], request: HttpRequest, access: Access, key: str) -> None:
    """Archives or restores as the form says. Raises DefinitionError and Withheld."""
    override = override_of(request.POST.get("override", ""), access.role)
    reason = request.POST.get("reason", "").strip()
    act(access.environment, key, actor=access.actor, reason=reason, override=override)


def _found(access: Access, key: str) -> Flag:
    flag = editing.find(access.environment, key)
    if flag is None:
        raise Http404(f"There is no flag {key} in {access.environment.slug}.")
    return flag


def _confirm(request: HttpRequest, access: Access, flag: Flag, error: str = "") -> HttpResponse:
    place, now = access.environment, timezone.now()
    evidence: dict[str, Any] = {}
    try:
        evidence = {
            "uses": uses(place.pk, flag.key, now),
            "seen": reported(place.pk, flag.key, now),
        }
    except StoreUnavailable:
        evidence = {"store_away": True}
    context = {
        "access": access,
        "section": "flags",
        "base": f"/{access.project.slug}/{place.slug}",
        "may_admin": access.can("admin"),
        "flag": flag,
        "state": state_now(flag, now),
        "in_the_way": archiving.in_the_way(place, flag),
        "error": error,
        "sent": request.POST,
        **evidence,
    }
    return page(request, "insights/archive.html", context, status=422 if error else 200)
