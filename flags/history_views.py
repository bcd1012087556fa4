"""Pages of the history, and the way back to any version of a flag."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from flags import differences, editing, governance, history, plans, words
from flags.definition import read
from flags.governance import Withheld
from flags.models import Flag, FlagVersion
from flags.planning import PATCHED
from flags.plans import Asked, PlanConflict
from flags.views import first_error, sent_to
from flags.wrong import DefinitionError
from projects import watching
from projects.access import Access, environment_for
from projects.models import AuditEntry
from web.pages import page
from web.request import whole

A_PAGE = 30
SOON = timedelta(minutes=10)


class RevertForm(forms.Form):
    """Back at once, or at a time for which somebody can approve it."""

    to = forms.IntegerField(min_value=1)
    version = forms.IntegerField(min_value=1)
    reason = forms.CharField(max_length=editing.LONGEST_REASON, required=False)
    override = forms.CharField(max_length=editing.LONGEST_REASON, required=False)
    action = forms.ChoiceField(choices=[("revert", ""), ("plan", "")])
    date = forms.DateField(required=False)
    time = forms.TimeField(required=False)


@require_GET
def flag_history(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    flag = editing.find(access.environment, key)
    if flag is None:
        raise Http404(f"There is no flag {key} in {environment}.")
    return _history(request, access, history.of_flag(access.environment, key), flag)


@require_GET
def environment_history(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    return _history(request, access, history.of_environment(access.environment), None)


def _history(
    request: HttpRequest, access: Access, entries: QuerySet[AuditEntry], flag: Flag | None
) -> HttpResponse:
    who = request.GET.get("who", "").replace("\x00", "").strip()
    if who:
        entries = entries.filter(actor__icontains=who)
    shown = Paginator(entries, A_PAGE).get_page(request.GET.get("page"))
    context = _context(
        access,
        flag=flag,
        who=who,
        entries=shown,
        lines=history.told(access.environment, list(shown)),
        seen=watching.seen(access.project),
        section="flags" if flag else "timeline",
    )
    return page(request, "flags/history.html", context)


@require_http_methods(["GET", "POST"])
def revert_flag(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    flag = editing.find(access.environment, key)
    sent = request.POST if request.method == "POST" else request.GET
    number = whole(sent.get("to", ""))
    kept = FlagVersion.objects.filter(flag=flag, version=number or 0).first() if flag else None
    if flag is None or kept is None:
        raise Http404(f"There is no such flag in {environment}, or no such version of {key}.")
    if request.method == "GET":
        return _confirm(request, access, flag, kept)
    form = RevertForm(request.POST)
    if not form.is_valid():
        return _confirm(request, access, flag, kept, error=first_error(form))
    given = form.cleaned_data
    try:
        if given["action"] == "plan":
            return _planned(request, access, flag, kept, given)
        edited = editing.revert(
            access.environment,
            key,
            kept.version,
            actor=access.actor,
            reason=given["reason"],
            version=given["version"],
            override=governance.override_of(given["override"], access.role),
        )
    except editing.FlagMovedOn as error:
        error.flag.refresh_from_db()
        return _confirm(
            request,
            access,
            error.flag,
            kept,
            error=f"Nothing was changed: {key} was changed to version {error.flag.version} while "
            "you looked. This is what going back would do now.",
        )
    except (DefinitionError, Withheld, PlanConflict) as error:
        return _confirm(request, access, flag, kept, error=str(error))
    level = messages.SUCCESS if edited.change else messages.INFO
    return sent_to(request, f"{_base(access)}/flags/{quote(key)}", level, f"{edited.title}.")


def _planned(
    request: HttpRequest, access: Access, flag: Flag, kept: FlagVersion, given: dict[str, Any]
) -> HttpResponse:
    """The same change as a plan: for a later time, or for somebody to approve."""
    if not (given["date"] and given["time"]):
        raise DefinitionError("date", "Say the date and the time at which it should happen.")
    served, wanted = flag.definition().as_json(), kept.definition
    differing = {
        name
        for name in served.keys() | wanted.keys()
        if served.get(name) != wanted.get(name) and name != "type"
    }
    if fixed := sorted(differing - set(PATCHED)):
        raise DefinitionError(
            fixed[0],
            f"A plan can't change {' or '.join(fixed)}, and version {kept.version} has others. "
            "Go back to it at once, or change its rules by hand.",
        )
    at = f"{given['date'].isoformat()}T{given['time'].isoformat('seconds')}"
    patch = {name: wanted.get(name) for name in differing}
    launch = plans.create(
        access.environment,
        [Asked(flag.key, {"at": at, "timezone": access.environment.timezone, "patch": patch})],
        actor=access.actor,
        now=timezone.now(),
        name=f"{flag.key} back to version {kept.version}",
        reason=given["reason"],
    )
    said = f"{launch.name}: it is planned" + (
        ", and waits for another person's approval." if launch.approval_needed else "."
    )
    return sent_to(request, f"{_base(access)}/launches/{launch.pk}", messages.SUCCESS, said)


def _confirm(
    request: HttpRequest, access: Access, flag: Flag, kept: FlagVersion, *, error: str = ""
) -> HttpResponse:
    before = flag.definition()
    withheld, after_words = "", ""
    try:
        after = read(flag.key, kept.definition, flag.version)
        after_words = words.state(after)
        governance.allow(access.environment, before, after, timezone.now(), "", "")
    except Withheld as refusal:
        withheld = refusal.message
    except DefinitionError as wrong:
        error = error or wrong.message
    soon = (timezone.now() + SOON).astimezone(access.environment.zone)
    served = before.as_json()
    context = _context(
        access,
        flag=flag,
        kept=kept,
        state=words.state(before),
        after=after_words,
        differences=differences.of_flags(flag.key, served, kept.definition),
        raw=differences.raw(served, kept.definition),
        withheld=withheld,
        error=error,
        sent=request.POST,
        date=request.POST.get("date") or soon.date().isoformat(),
        time=request.POST.get("time") or soon.strftime("%H:%M"),
        section="flags",
    )
    return page(request, "flags/revert.html", context, status=422 if error else 200)


def _base(access: Access) -> str:
    return f"/{access.project.slug}/{access.environment.slug}"


def _context(access: Access, **more: Any) -> dict[str, Any]:
    may = {"may_edit": access.can("editor"), "may_admin": access.can("admin")}
    return {"access": access, "base": _base(access), **may, **more}
