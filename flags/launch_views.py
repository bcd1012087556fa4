"""Planning a launch, and the buttons of its page. Authorise → parse → one call → page."""

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from flags import editing, launching, plans
from flags.governance import Withheld, override_of
from flags.launch_forms import DOES, FIELDS, KEPT, ActForm, LaunchForm, rows_sent
from flags.models import Flag, Launch, Plan
from flags.plans import PlanConflict
from flags.replanning import open_plans, replan
from flags.views import first_error, sent_to
from flags.wrong import DefinitionError
from projects.access import Access, environment_for
from web.pages import page

UNBEGUN = (Plan.Status.WAITING, Plan.Status.PLANNED, Plan.Status.PAUSED)


@require_http_methods(["GET", "POST"])
def new_launch(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    if request.method == "GET":
        return _form(request, access, {"flag_1": request.GET.get("flag", "")})
    return _sent(request, access, None)


@require_http_methods(["GET", "POST"])
def edit_launch(
    request: HttpRequest, project: str, environment: str, launch_id: int
) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    launch = launching.find(access.environment, launch_id)
    if launch is None:
        raise Http404(f"There is no launch {launch_id} in {environment}.")
    if request.method == "POST":
        return _sent(request, access, launch)
    planned = open_plans(launch)
    now = timezone.now()
    if not planned or any(
        plan.status not in UNBEGUN or plan.at <= now for plan in planned.values()
    ):
        address = f"/{project}/{environment}/launches/{launch_id}"
        said = "It is under way or over: hold it, roll it back, or plan what is to come anew."
        return sent_to(request, address, messages.ERROR, said)
    return _form(request, access, launching.form_of(launch, planned), launch=launch)


def _sent(request: HttpRequest, access: Access, launch: Launch | None) -> HttpResponse:
    """Looks at what was sent, or plans it: a new launch, or another course for a known one."""
    form = LaunchForm(request.POST)
    if request.POST.get("action") == "add-flag":
        return _form(request, access, request.POST, launch=launch, more=1)
    if not form.is_valid():
        return _form(request, access, request.POST, launch=launch, error=first_error(form))
    given, environment, now = form.cleaned_data, access.environment, timezone.now()
    try:
        override = override_of(given["override"], access.role)
        common: dict[str, Any] = {"actor": access.actor, "now": now, "override": override}
        parts = launching.asked(
            environment, given, form.parts(), open_plans(launch) if launch else None
        )
        if given["action"] == "preview":
            found = launching.preview(environment, parts, launch=launch, **common)
            return _form(request, access, request.POST, launch=launch, preview=found)
        named = common | {"name": given["name"], "reason": given["reason"]}
        made = (
            replan(launch, parts, **named) if launch else plans.create(environment, parts, **named)
        )
    except (DefinitionError, PlanConflict, Withheld) as error:
        return _form(request, access, request.POST, launch=launch, error=str(error))
    except editing.NoSuchFlag as error:
        said = f"There is no flag {error} in {environment.slug}."
        return _form(request, access, request.POST, launch=launch, error=said)
    address = f"/{access.project.slug}/{environment.slug}/launches/{made.pk}"
    waits = ", and waits for another person's approval" if made.approval_needed else ""
    return sent_to(request, address, messages.SUCCESS, f"{made.name}: it is planned{waits}.")


@require_POST
def act_on_launch(
    request: HttpRequest, project: str, environment: str, launch_id: int
) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    launch = launching.find(access.environment, launch_id)
    if launch is None:
        raise Http404(f"There is no launch {launch_id} in {environment}.")
    address = f"/{project}/{environment}/launches/{launch_id}"
    form = ActForm(request.POST)
    if not form.is_valid():
        return sent_to(request, address, messages.ERROR, first_error(form))
    given = form.cleaned_data
    try:
        said = launching.act(
            launch,
            given["action"],
            actor=access.actor,
            now=timezone.now(),
            reason=given["reason"],
            minutes=given["minutes"],
        )
    except (DefinitionError, PlanConflict, Withheld) as error:
        return sent_to(request, address, messages.ERROR, str(error))
    return sent_to(request, address, messages.SUCCESS, f"{said}.")


def _form(
    request: HttpRequest,
    access: Access,
    sent: Any,
    *,
    launch: Launch | None = None,
    more: int = 0,
    error: str = "",
    preview: list[Any] | None = None,
) -> HttpResponse:
    environment = access.environment
    flags = list(Flag.objects.current().filter(environment=environment))
    local = timezone.now().astimezone(environment.zone)
    next_ten = local + timedelta(days=1 if local.hour >= 10 else 0)
    rows = [
        {"number": number, **{name: sent.get(f"{name}_{number}", "") for name in FIELDS}}
        for number in range(1, min(rows_sent(sent) + more, plans.MOST_FLAGS) + 1)
    ]
    context = {
        "access": access,
        "section": "launches",
        "may_admin": access.can("admin"),
        "base": f"/{access.project.slug}/{environment.slug}",
        "launch": launch,
        "flags": flags,
        "variants": sorted({name for flag in flags for name in flag.variants}),
        "rows": rows,
        "does": [*DOES, KEPT] if launch else DOES,
        "sent": sent,
        "today": local.date().isoformat(),
        "next_ten": next_ten.date().isoformat(),
        "timezone": sent.get("timezone") or environment.timezone,
        "zones": sorted(available_timezones()),
        "error": error,
        "preview": preview,
        "focus": f"flag_{len(rows)}" if more else "preview" if preview else "",
    }
    return page(request, "flags/new_launch.html", context, status=422 if error else 200)
