"""Settings, Retention: how long each environment's events are kept, and one user's deletion."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from events.models import Retention, UserDeletion
from events.retention import FOREVER_DAYS, days_of
from projects import audit
from projects.access import Access, membership, one_of
from projects.models import Environment
from web.pages import page


class DaysForm(forms.Form):
    days = forms.IntegerField(min_value=0, max_value=FOREVER_DAYS - 1)


class DeletionForm(forms.Form):
    environment = forms.ModelChoiceField(Environment.objects.none(), empty_label=None)
    user_id = forms.CharField(
        label="User id", max_length=1000, help_text="Exactly as your events send it (user.id)."
    )
    reason = forms.CharField(
        max_length=500, required=False, help_text="For the audit log, for example a ticket."
    )

    def __init__(self, *args: Any, access: Access, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["environment"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # for the type checker
        field.queryset = access.project.environments.all()


def _page(
    request: HttpRequest, access: Access, form: DeletionForm | None = None, status: int = 200
) -> HttpResponse:
    own = days_of()
    general = settings.EVENTS_RETENTION_DAYS
    context = {
        "access": access,
        "section": "settings",
        "tab": "retention",
        "may_admin": access.can("admin"),
        "rows": [
            {"environment": one, "days": own.get(one.id, general), "own": one.id in own}
            for one in access.environments
        ],
        "general": general,
        "form": form or DeletionForm(access=access),
        "deletions": UserDeletion.objects.filter(environment__project=access.project)
        .select_related("environment")
        .order_by("-id")[:20],
    }
    return page(request, "events/retention.html", context, status=status)


def _audit(access: Access, environment: Environment, action: str, **more: Any) -> None:
    audit.record(
        project=access.project,
        environment=environment,
        actor=access.actor,
        action=action,
        object_type="environment",
        object_id=environment.slug,
        **more,
    )


@require_GET
def show_retention(request: HttpRequest, project: str) -> HttpResponse:
    return _page(request, membership(request, project))


@require_POST
def set_retention(request: HttpRequest, project: str, slug: str) -> HttpResponse:
    access = membership(request, project, "admin")
    environment = one_of(access.project.environments, "environment", slug=slug)
    form = DaysForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Days: {' '.join(map(str, form.errors['days']))}")
        return redirect(f"/{project}/settings/retention")
    days = form.cleaned_data["days"]
    before = days_of().get(environment.id)
    Retention.objects.update_or_create(environment=environment, defaults={"days": days})
    _audit(access, environment, "retention.set", before={"days": before}, after={"days": days})
    kept = f"for {days} days" if days else "until they are deleted"
    messages.success(request, f"Events of {slug} are kept {kept}, within a few minutes.")
    return redirect(f"/{project}/settings/retention")


@require_POST
def delete_user(request: HttpRequest, project: str) -> HttpResponse:
    access = membership(request, project, "admin")
    form = DeletionForm(request.POST, access=access)
    if not form.is_valid():
        return _page(request, access, form, 422)
    asked = form.cleaned_data
    UserDeletion.objects.create(
        environment=asked["environment"], user_id=asked["user_id"], asked_by=access.actor
    )
    # The audit log is kept for good, so it does not say whom.
    _audit(access, asked["environment"], "user_events.deleted", reason=asked["reason"])
    messages.success(request, "The user's events will be deleted within a few minutes.")
    return redirect(f"/{project}/settings/retention")
