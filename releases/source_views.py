"""The forms of the flag services that are asked, all on /{project}/settings/hooks."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from projects.access import Access, membership, one_of
from releases import sources
from releases.forms import SourceForm, TokenForm
from releases.hook_views import settings_page
from releases.models import Source


@require_POST
def add_source(request: HttpRequest, project: str) -> HttpResponse:
    access = membership(request, project, "admin")
    form = SourceForm(request.POST, project=access.project)
    if not form.is_valid():
        return settings_page(request, access, source_form=form, status=422)
    asked = form.cleaned_data
    made = sources.make(
        access,
        asked["source_environment"],
        timezone.now(),
        provider=asked["source_provider"],
        url=asked["url"],
        project=asked["project_there"],
        only=asked["only_there"],
        token=asked["token"],
    )
    messages.success(request, f"{made.url} is asked now, from a week ago on.")
    return redirect(f"/{project}/settings/hooks#sources")


@require_POST
def ask_source(request: HttpRequest, project: str, source_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    sources.ask_now(_found(access, source_id), timezone.now())
    messages.success(request, "It is asked within half a minute.")
    return redirect(f"/{project}/settings/hooks#sources")


@require_POST
def give_token(request: HttpRequest, project: str, source_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    source, form = _found(access, source_id), TokenForm(request.POST)
    if form.is_valid():
        sources.give_token(access, source, form.cleaned_data["token"], timezone.now())
        messages.success(request, "The new token is tried within half a minute.")
    else:
        messages.error(request, f"The token stays: {form.errors['token'].as_text()}")
    return redirect(f"/{project}/settings/hooks#sources")


@require_POST
def stop_source(request: HttpRequest, project: str, source_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    sources.stop(access, _found(access, source_id), timezone.now())
    messages.success(request, "It is asked no more, and its token is deleted.")
    return redirect(f"/{project}/settings/hooks#sources")


def _found(access: Access, source_id: int) -> Source:
    found = Source.objects.filter(environment__project=access.project, stopped_at=None)
    return one_of(found.select_related("environment"), "source", id=source_id)
