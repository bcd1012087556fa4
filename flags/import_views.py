"""Flags in from a file, looked at before they are taken; and all flags out as flagd's file."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_http_methods

from flags.documents import document_for
from flags.editing import LONGEST_REASON
from flags.governance import Withheld, override_of
from flags.importing.importing import apply, preview, translated
from flags.importing.translation import UnreadableFile
from flags.views import first_error
from projects.access import Access, environment_for
from web.pages import page

LARGEST_MIB = 8  # travels twice through the form; beyond it there is the command


class ImportForm(forms.Form):
    """A file chosen or pasted; looked at first, then taken as it was looked at."""

    file = forms.FileField(required=False, allow_empty_file=True)
    text = forms.CharField(required=False, max_length=LARGEST_MIB * 1024**2, strip=False)
    source = forms.CharField(required=False, max_length=100)
    reason = forms.CharField(required=False, max_length=LONGEST_REASON)
    override = forms.CharField(required=False, max_length=LONGEST_REASON)
    action = forms.ChoiceField(choices=[("preview", ""), ("take", "")])

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        upload = found.get("file")
        if upload is not None and upload.size > LARGEST_MIB * 1024**2:
            self.add_error(
                "file",
                f"The file may have {LARGEST_MIB} MiB here. Use manage.py import_flags for it.",
            )
        elif upload is not None:
            try:
                found["text"] = upload.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", "The file is not UTF-8 text, as JSON has to be.")
        if not self.errors and not found.get("text", "").strip():
            self.add_error("file", "Choose a file, or paste what it holds.")
        return found


@require_http_methods(["GET", "POST"])
def import_flags(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment, "editor")
    if request.method == "GET":
        return _shown(request, access)
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _shown(request, access, sent=request.POST, error=first_error(form))
    given = form.cleaned_data
    place, actor = access.environment, access.actor
    try:
        override = override_of(given["override"], access.role)
        found = translated(given["text"].encode(), given["source"].strip() or place.slug)
    except (UnreadableFile, Withheld) as error:
        return _shown(request, access, sent=given, error=str(error))
    if given["action"] == "take":
        done = apply(
            place,
            found,
            actor=actor,
            reason=given["reason"] or "Imported from a file",
            override=override,
        )
        return _shown(request, access, done=done)
    seen, created, changed = preview(place, found, actor=actor, override=override)
    return _shown(request, access, sent=given, seen=seen, created=created, changed=changed)


@require_GET
def export_flags(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    response = HttpResponse(
        document_for(access.environment.pk).text, content_type="application/json"
    )
    name = f"{access.project.slug}-{access.environment.slug}.flagd.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-cache"
    return response


def _shown(
    request: HttpRequest, access: Access, *, sent: Any = None, error: str = "", **more: Any
) -> HttpResponse:
    context = {
        "access": access,
        "section": "flags",
        "base": f"/{access.project.slug}/{access.environment.slug}",
        "may_admin": access.can("admin"),
        "sent": sent or {},
        "error": error,
        **more,
    }
    return page(request, "flags/import.html", context, status=422 if error else 200)
