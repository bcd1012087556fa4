"""What an environment asks of changes to its flags: approval and freeze windows. Admins alone."""

from datetime import datetime

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from flags import governance
from flags.models import Freeze, Policy
from flags.views import first_error, sent_to
from flags.wall import read_wall
from flags.wrong import DefinitionError
from projects import audit
from projects.access import Access, environment_for
from web.pages import page
from web.request import whole


class FreezeForm(forms.Form):
    """A window in wall-clock times of the environment's zone."""

    name = forms.CharField(max_length=100)
    begins = forms.CharField(max_length=32)
    ends = forms.CharField(max_length=32)


@require_http_methods(["GET", "POST"])
def policy(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    role = "admin" if request.method == "POST" else "viewer"
    access = environment_for(request, project, environment, role)
    address = f"/{project}/{environment}/launches/policy"
    if request.method == "POST":
        try:
            said = _acted(request, access)
        except DefinitionError as error:
            return sent_to(request, address, messages.ERROR, error.message)
        return sent_to(request, address, messages.SUCCESS, said)
    context = {
        "access": access,
        "section": "launches",
        "base": f"/{project}/{environment}",
        "approval": governance.needs_approval(access.environment),
        "freezes": Freeze.objects.filter(environment=access.environment, ends__gt=timezone.now()),
        "frozen": governance.freeze_at(access.environment, timezone.now()),
        "may_admin": access.can("admin"),
    }
    return page(request, "flags/policy.html", context)


def _acted(request: HttpRequest, access: Access) -> str:
    environment = access.environment
    match request.POST.get("action"):
        case "approval":
            needed = request.POST.get("approval") == "on"
            before = governance.needs_approval(environment)
            Policy.objects.update_or_create(environment=environment, defaults={"approval": needed})
            _record(access, "policy.changed", {"approval": before}, {"approval": needed})
            return f"Changes {'need' if needed else 'need no'} approval in {environment.slug}."
        case "freeze":
            return _frozen(request, access)
        case "thaw":
            number = request.POST.get("freeze", "")
            found = Freeze.objects.filter(environment=environment, id=whole(number) or 0).first()
            if found is None:
                raise DefinitionError("freeze", "There is no such freeze window.")
            _record(access, "freeze.removed", _facts(found), None)
            found.delete()
            return f"{found.name} is removed."
    raise DefinitionError("action", "This form can't be read. Reload the page and try again.")


def _frozen(request: HttpRequest, access: Access) -> str:
    form = FreezeForm(request.POST)
    if not form.is_valid():
        raise DefinitionError("freeze", first_error(form))
    given, zone = form.cleaned_data, access.environment.timezone
    begins = read_wall("begins", given["begins"], zone, "earlier").at
    ends = read_wall("ends", given["ends"], zone, "later").at
    if ends <= begins or ends <= timezone.now():
        raise DefinitionError("ends", "It must end after it begins, and in time to come.")
    made = Freeze.objects.create(
        environment=access.environment,
        name=given["name"],
        begins=begins,
        ends=ends,
        actor=access.actor,
    )
    _record(access, "freeze.created", None, _facts(made))
    return f"{made.name}: {access.environment.slug} is frozen in that time."


def _facts(freeze: Freeze) -> dict[str, str]:
    def written(time: datetime) -> str:
        return time.isoformat()

    return {"name": freeze.name, "begins": written(freeze.begins), "ends": written(freeze.ends)}


def _record(access: Access, action: str, before: object, after: object) -> None:
    audit.record(
        project=access.project,
        environment=access.environment,
        actor=access.actor,
        action=action,
        object_type="environment",
        object_id=access.environment.slug,
        before=before,
        after=after,
    )
