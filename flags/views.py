"""Forms of a flag's page. Each: authorise → parse → one call → back to the page, with a message."""

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from flags import editing
from flags.forms import ChangeForm
from flags.governance import Withheld
from flags.listening import state_now
from flags.saving import Edited
from flags.wrong import DefinitionError
from projects.access import Access, environment_for
from web.pages import page


@require_POST
def change_flag(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    address = f"/{project}/{environment}/flags/{quote(key)}"
    form = ChangeForm(request.POST)
    if not form.is_valid():
        return sent_to(request, address, messages.ERROR, first_error(form))
    try:
        edited = _edited(access, key, form.cleaned_data)
    except editing.NoSuchFlag:
        raise Http404(f"There is no flag {key} in {environment}.") from None
    except editing.FlagMovedOn as error:
        return sent_to(
            request,
            address,
            messages.ERROR,
            f"Nothing was changed: {key} is at version {error.flag.version} by now, and you were "
            f"looking at version {error.seen}. Here is how it is.",
        )
    except (DefinitionError, Withheld) as error:
        return sent_to(request, address, messages.ERROR, error.message)
    level = messages.SUCCESS if edited.change else messages.INFO
    return sent_to(request, address, level, f"{edited.title}.")


@require_GET
def flag_state(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    """The one line that open pages ask for when they hear of a flip: no event is read for it."""
    access = environment_for(request, project, environment)
    flag = editing.find(access.environment, key)
    if flag is None:
        raise Http404(f"There is no flag {key} in {environment}.")
    base = f"/{project}/{environment}"
    words = state_now(flag, timezone.now())
    context = {"access": access, "flag": flag, "state_words": words, "base": base}
    return page(request, "flags/_serving.html", context)


def _edited(access: Access, key: str, given: dict[str, Any]) -> Edited:
    return editing.change(
        access.environment,
        key,
        _patch(access, key, given),
        actor=access.actor,
        reason=given["reason"],
        # Turning off is never refused because a plan, or somebody, was faster.
        version=None if given["action"] == "off" else given["version"],
    )


def _patch(access: Access, key: str, given: dict[str, Any]) -> dict[str, Any]:
    named = {"default_variant": given["default_variant"]} if given["default_variant"] else {}
    match given["action"]:
        case "off":
            return {"enabled": False}
        case "split":
            return {"enabled": True, "rules": [_split(access, key, float(given["percent"]))]}
        case "on":
            return {"enabled": True, **named}
    return named


def _split(access: Access, key: str, percent: float) -> dict[str, Any]:
    """ "On for N% of users": for boolean flags, in place of all rules."""
    flag = editing.find(access.environment, key)
    if flag is None:
        raise editing.NoSuchFlag(key)
    on = next((name for name, value in flag.variants.items() if value is True), "")
    off = next((name for name, value in flag.variants.items() if value is False), "")
    if not (on and off):
        raise DefinitionError("percent", f"{key} has no plain on and off. Set its rules instead.")
    return {"split": {on: percent, off: round(100 - percent, 3)}}


def first_error(form: forms.Form) -> str:
    """The first thing that is wrong with a form, with its field."""
    name, errors = next(iter(form.errors.items()))
    return f"{name.replace('_', ' ').capitalize()}: {errors[0]}"


def sent_to(request: HttpRequest, address: str, level: int, message: str) -> HttpResponse:
    """Back to a page that shows the message; htmx follows no redirect to a whole page itself."""
    messages.add_message(request, level, message)
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
