"""Planning a launch, and the buttons of its page. Authorise → parse → one call → page."""

from typing import Any
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from flags import editing, launching, plans
from flags.governance import Withheld
from flags.launch_forms import DOES, PARTS, ActForm, LaunchForm
from flags.models import Flag
from flags.plans import PlanConflict
from flags.views import first_error, sent_to
from flags.wrong import DefinitionError
from projects.access import Access, environment_for
from web.pages import page

FIELDS = ("flag", "does", "variant", "percent", "minutes")


@require_http_methods(["GET", "POST"])
def new_launch(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    form = LaunchForm(request.POST) if request.method == "POST" else LaunchForm()
    if not form.is_bound:
        return _form(request, access, form)
    if not form.is_valid():
        return _form(request, access, form, error=first_error(form))
    given = form.cleaned_data
    now = timezone.now()
    try:
        parts = launching.asked(access.environment, given, form.parts())
        if given["action"] == "preview":
            found = launching.preview(
                access.environment,
                parts,
                actor=access.actor,
                now=now,
                override=given["override"],
            )
            return _form(request, access, form, preview=found)
        launch = plans.create(
            access.environment,
            parts,
            actor=access.actor,
            now=now,
            name=given["name"],
            reason=given["reason"],
            override=given["override"],
        )
    except (DefinitionError, PlanConflict, Withheld) as error:
        return _form(request, access, form, error=str(error))
    except editing.NoSuchFlag as error:
        return _form(request, access, form, error=f"There is no flag {error} in {environment}.")
    address = f"/{project}/{environment}/launches/{launch.pk}"
    return sent_to(request, address, messages.SUCCESS, f"{launch.name}: it is planned.")


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
    form: LaunchForm,
    *,
    error: str = "",
    preview: list[Any] | None = None,
) -> HttpResponse:
    environment = access.environment
    flags = list(Flag.objects.filter(environment=environment))
    sent: Any = form.data if form.is_bound else {"flag_1": request.GET.get("flag", "")}
    local = timezone.now().astimezone(environment.zone)
    rows = [
        {"number": number, **{name: sent.get(f"{name}_{number}", "") for name in FIELDS}}
        for number in range(1, PARTS + 1)
    ]
    context = {
        "access": access,
        "section": "launches",
        "base": f"/{access.project.slug}/{environment.slug}",
        "flags": flags,
        "variants": sorted({name for flag in flags for name in flag.variants}),
        "rows": rows,
        "does": DOES,
        "sent": sent,
        "today": local.date().isoformat(),
        "timezone": sent.get("timezone") or environment.timezone,
        "zones": sorted(available_timezones()),
        "error": error,
        "preview": preview,
    }
    return page(request, "flags/new_launch.html", context, status=422 if error else 200)
