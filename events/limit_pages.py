"""Settings, Limits: what each ingest key may send, seen by members and changed by admins."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from events import limits
from events.models import KeyLimits
from projects import audit
from projects.access import Access, membership, one_of
from projects.models import Key
from web.pages import page

LABELS = {
    "events_per_minute": ("Events a minute", "0 is without a limit"),
    "body_bytes": ("Size of a body", "as sent, in bytes"),
    "unpacked_bytes": ("Size unpacked", "of a body, in bytes"),
    "attributes": ("Attributes of an event", "an event with more is refused"),
    "value_bytes": ("Size of a value", "in bytes; a longer one is set aside"),
    "fields": ("Fields of a service", "that queries offer, of a type, a day"),
}


class LimitsForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable when running
    class Meta:
        model = KeyLimits
        fields = tuple(LABELS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base = limits.defaults()
        for name, (label, hint) in LABELS.items():
            field = self.fields[name]
            field.label = label
            field.help_text = f"{hint}. Left empty: {getattr(base, name):,}."
            least = 0 if name == "events_per_minute" else 1
            field.widget.attrs["min"] = least

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        base = limits.defaults()
        for name in LABELS:
            value = found.get(name)
            if value == 0 and name != "events_per_minute":
                self.add_error(name, "Must be 1 or more.")
            # The settings protect the machine: a key may have less, not more.
            elif value and name.endswith("_bytes") and value > getattr(base, name):
                self.add_error(name, f"At most {getattr(base, name):,}, as the settings say.")
        return found


def _page(request: HttpRequest, access: Access, status: int = 200, **more: Any) -> HttpResponse:
    keys = Key.objects.filter(project=access.project, kind="ingest", revoked_at=None)
    rows = [
        {
            "key": key,
            "limits": [
                (label, name.endswith("_bytes"), getattr(limits.of(key.id), name))
                for name, (label, _) in LABELS.items()
            ],
        }
        for key in keys.select_related("environment").order_by("environment__slug", "name", "id")
    ]
    context = {
        "access": access,
        "section": "settings",
        "tab": "limits",
        "may_admin": access.can("admin"),
        "labels": LABELS.values(),
        "rows": rows,
        **more,
    }
    return page(request, "events/limits.html", context, status=status)


@require_GET
def show_limits(request: HttpRequest, project: str) -> HttpResponse:
    return _page(request, membership(request, project))


@require_http_methods(["GET", "HEAD", "POST"])
def edit_limits(request: HttpRequest, project: str, key_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    found = Key.objects.filter(project=access.project, kind="ingest", revoked_at=None)
    key = one_of(found.select_related("environment"), "ingest key", id=key_id)
    there = KeyLimits.objects.filter(key=key).first() or KeyLimits(key=key)
    before = {name: getattr(there, name) for name in LABELS}
    form = LimitsForm(request.POST if request.method == "POST" else None, instance=there)
    if form.is_bound and form.is_valid():
        form.save()
        limits.forget()
        audit.record(
            project=access.project,
            environment=key.environment,
            actor=access.actor,
            action="key.limited",
            object_type="key",
            object_id=key.prefix,
            before=before,
            after={name: getattr(there, name) for name in LABELS},
        )
        messages.success(request, f"The limits of {key.name} are changed, within seconds.")
        return redirect(f"/{project}/settings/limits")
    status = 422 if form.is_bound else 200
    return _page(request, access, status, form=form, editing=key)
