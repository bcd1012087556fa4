"""Pages about what happened. Each: authorise → parse → one call → page."""

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from events.refusals import overview as data_overview
from flags.listening import listening
from insights.change_page import change_page
from insights.changes import told
from insights.data_page import fields_of
from insights.explore.links import requests_address
from insights.flag_pages import flag_page, flag_rows
from insights.overview import overview
from insights.tallies import counted, tally
from projects.access import Access, environment_for
from releases.changes import timeline
from releases.models import Change
from web.pages import page
from web.request import whole

PAGE = 50


def _context(access: Access, section: str, **more: Any) -> dict[str, Any]:
    return {
        "access": access,
        "section": section,
        "base": f"/{access.project.slug}/{access.environment.slug}",
        "zone": access.environment.zone,
        **more,
    }


@require_GET
def show_overview(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    context = _context(access, "overview")
    context["overview"] = overview(
        access.environment,
        timezone.now(),
        window=request.GET.get("window", ""),
        service=request.GET.get("service", ""),
        marks=request.GET.get("marks", ""),
        base=context["base"],
    )
    return page(request, "insights/overview.html", context, fragment="insights/_overview.html")


@require_GET
def show_change(
    request: HttpRequest, project: str, environment: str, change_id: int
) -> HttpResponse:
    access = environment_for(request, project, environment)
    change = get_object_or_404(Change, environment=access.environment, id=change_id)
    context = _context(access, "timeline")
    context["page"] = change_page(
        access.environment,
        change,
        timezone.now(),
        base=context["base"],
        candidate=request.GET.get("candidate", ""),
        marks=request.GET.get("marks", ""),
    )
    return page(request, "insights/change.html", context, fragment="insights/_change.html")


@require_GET
def show_flags(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    filters = {name: request.GET.get(name, "") for name in ("text", "verdict", "state")}
    rows = flag_rows(access.environment, timezone.now(), **filters)
    context = _context(access, "flags", rows=rows, filters=filters, may_edit=access.can("editor"))
    if rows and not any(filters.values()):
        context["answer"] = tally([row.verdict for row in rows], counted(len(rows), "flag"))
    return page(request, "insights/flags.html", context, fragment="insights/_flags.html")


@require_GET
def show_flag(request: HttpRequest, project: str, environment: str, key: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    context = _context(access, "flags", may_edit=access.can("editor"))
    context["listening"] = listening(request, access)
    context["page"] = flag_page(
        access.environment,
        key,
        timezone.now(),
        base=context["base"],
        candidate=request.GET.get("candidate", ""),
        marks=request.GET.get("marks", ""),
    )
    if context["page"] is None:
        raise Http404(f"There is no flag {key} in {environment}.")
    return page(request, "insights/flag.html", context, fragment="insights/_flag.html")


@require_GET
def show_timeline(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    filters = {name: request.GET.get(name, "") for name in ("kind", "service", "verdict", "text")}
    before = request.GET.get("before", "")
    found = timeline(
        access.environment.id,
        until=_until(request),
        kinds=(filters["kind"],) if filters["kind"] in Change.Kind.values else (),
        service=filters["service"] or None,
        before_id=whole(before),
        limit=PAGE + 1,
    )
    shown = [one for one in told(found[:PAGE]) if _matches(one, filters)]
    services = (
        Change.objects.filter(environment=access.environment)
        .exclude(service="")
        .order_by("service")
        .values_list("service", flat=True)
        .distinct()
    )
    context = _context(
        access,
        "timeline",
        told=shown,
        filters=filters,
        services=list(services),
        may_edit=access.can("editor"),
        marker_now=timezone.now().astimezone(access.environment.zone).strftime("%Y-%m-%dT%H:%M"),
        next_before=found[PAGE - 1].id if len(found) > PAGE else None,
    )
    if shown and not before and not any(filters.values()):
        many = counted(len(shown), "change")
        of = f"the last {many}" if len(found) > PAGE else f"all {many}"
        context["answer"] = tally([one.verdict for one in shown], of)
    return page(request, "insights/timeline.html", context, fragment="insights/_timeline.html")


def _until(request: HttpRequest) -> datetime | None:
    """The end of the time asked for, where a picture's group of marks leads here."""
    try:
        found = parse_datetime(request.GET.get("until", "").replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _matches(one: Any, filters: dict[str, str]) -> bool:
    text = f"{one.change.title} {one.change.actor} {one.change.flag} {one.change.build_id}"
    return (not filters["verdict"] or (one.verdict or "unknown") == filters["verdict"]) and (
        filters["text"].lower() in text.lower()
    )


@require_GET
def show_requests(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """The lasting address of the requests behind a number: they are shown by Explore."""
    access = environment_for(request, project, environment)
    address = requests_address(request.GET, access.environment.zone, timezone.now())
    return redirect(f"/{access.project.slug}/{access.environment.slug}/explore?{address}")


@require_GET
def show_data(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    since = timezone.now() - timedelta(hours=24)
    context = _context(access, "data", overview=data_overview(access.environment.id, since))
    context["fields"] = fields_of(access.environment.id, request.GET.get("fields", ""))
    return page(request, "insights/data.html", context, fragment="insights/_data.html")
