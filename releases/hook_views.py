"""POST /hooks/{provider}/{token}, and the settings page where hooks are made and revoked."""

import logging
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from projects import audit
from projects.access import Access, membership, one_of
from releases import sources
from releases.forms import HookForm, SourceForm
from releases.hooks.providers import PROVIDERS
from releases.hooks.taking import find, make, take
from releases.models import Hook
from web.errors import ApiError
from web.pages import page

log = logging.getLogger("flipscope.releases")

LARGEST = 5 * 1024**2  # GitHub's largest bodies that tell of a change are a few hundred kB
DELIVERIES_SHOWN = 5
REFUSED = {"refused": (401, "unauthenticated"), "unreadable": (400, "bad_request")}


@csrf_exempt
def receive(request: HttpRequest, provider: str, token: str, rest: str = "") -> HttpResponse:
    """200 with what became of it; 401 for a wrong signature, 400 for what can't be read."""
    if request.method != "POST":
        raise ApiError(405, "method_not_allowed", "Send this as POST.")
    hook = find(provider, token)
    if hook is None:
        raise ApiError(404, "not_found", "There is no such hook, or it was revoked.")
    if len(request.body) > LARGEST:
        raise ApiError(413, "too_large", f"A delivery may have {LARGEST // 1024**2} MB.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    taken = take(hook, headers, request.body, rest, timezone.now())
    if taken.outcome in REFUSED:
        status, code = REFUSED[taken.outcome]
        raise ApiError(status, code, taken.said)
    ids = [change.id for change in taken.changes]
    # Grafana's clients read `id` and `message`.
    answer = {"outcome": taken.outcome, "message": taken.said, "changes": ids}
    return JsonResponse(answer | ({"id": ids[0]} if ids else {}))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def hooks(request: HttpRequest, project: str) -> HttpResponse:
    access = membership(request, project, "admin" if request.method == "POST" else "viewer")
    bound = request.POST if request.method == "POST" else None
    form = HookForm(bound, project=access.project)
    more: dict[str, Any] = {}
    if form.is_bound and form.is_valid():
        more = _made(request, access, form.cleaned_data)
        form = HookForm(project=access.project)
    status = 422 if form.is_bound and not form.is_valid() else 200
    return settings_page(request, access, form=form, status=status, **more)


def settings_page(
    request: HttpRequest,
    access: Access,
    *,
    form: HookForm | None = None,
    source_form: SourceForm | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The page of hooks and of the services that are asked, with what was typed into a form."""
    context = {
        "access": access,
        "section": "settings",
        "tab": "hooks",
        "may_admin": access.can("admin"),
        "form": form or HookForm(project=access.project),
        "source_form": source_form or SourceForm(project=access.project),
        "hooks": _listed(access),
        "sources": sources.listed(access),
        "providers": PROVIDERS.values(),
        **more,
    }
    return page(request, "releases/hooks.html", context, status=status)


def _made(request: HttpRequest, access: Access, asked: dict[str, Any]) -> dict[str, Any]:
    environment = asked.pop("environment")
    provider = PROVIDERS[asked.pop("provider")]
    hook, token = make(environment, provider.slug, created_by=access.actor, **asked)
    told = {"provider": hook.provider, "service": hook.service}
    audit.record_by(access, environment, "hook.made", hook.prefix, after=told)
    url = request.build_absolute_uri(f"/hooks/{provider.slug}/{token}")
    snippet = provider.snippet.format(url=url, secret=hook.secret)
    return {"made": hook, "provider": provider, "url": url, "snippet": snippet}


def _listed(access: Access) -> list[dict[str, Any]]:
    found = Hook.objects.filter(environment__project=access.project, revoked_at=None)
    return [
        {
            "hook": hook,
            "provider": PROVIDERS[hook.provider].name,
            "deliveries": list(hook.deliveries.select_related("change")[:DELIVERIES_SHOWN]),
        }
        for hook in found.select_related("environment")
        if hook.provider in PROVIDERS
    ]


@require_POST
def revoke_hook(request: HttpRequest, project: str, hook_id: int) -> HttpResponse:
    access = membership(request, project, "admin")
    found = Hook.objects.filter(environment__project=access.project)
    hook = one_of(found.select_related("environment"), "hook", id=hook_id)
    if found.filter(id=hook.id, revoked_at=None).update(revoked_at=timezone.now()):
        told = {"provider": hook.provider}
        audit.record_by(access, hook.environment, "hook.revoked", hook.prefix, before=told)
    messages.success(request, f"The hook {hook.prefix}… is revoked: its address answers no more.")
    return redirect(f"/{project}/settings/hooks")
