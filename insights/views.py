"""Pages about what happened. Each: authorise → parse → one call → page."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from events.refusals import overview as data_overview
from flags.listening import listening
from insights import requests_page
from insights.change_page import change_page
from insights.changes import told
from insights.data_page import fields_of
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
    context["page"] = change_page(access.environment, change, timezone.now(), base=context["base"])
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
    context["page"] = flag_page(access.environment, key, timezone.now(), base=context["base"])
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
    access = environment_for(request, project, environment)
    asked, unread = _asked(request)
    found = requests_page.requests(access.environment.id, asked)
    context = _context(
        access,
        "timeline",
        rows=found,
        asked=asked,
        filters=_filters(request),
        unread=unread,
        older=_older(request, found),
    )
    return page(request, "insights/requests.html", context, fragment="insights/_requests.html")


def _asked(request: HttpRequest) -> tuple[requests_page.Asked, list[str]]:
    """The filters of the address; what cannot be read is named, not guessed."""
    now, unread = timezone.now(), []

    def time(name: str, otherwise: datetime) -> datetime:
        value = request.GET.get(name, "")
        found = parse_datetime(value.replace(" ", "+")) if value else otherwise
        if found is None or found.tzinfo is None:
            unread.append(name)
            return otherwise
        return found.astimezone(UTC)

    status = request.GET.get("status", "")
    if status and ((code := whole(status)) is None or code > 999):
        unread.append("status")
        status = ""
    texts = {
        name: request.GET.get(name, "")
        for name in ("service", "route", "flag", "variant", "build", "user")
    }
    until = time("until", now)
    return (
        requests_page.Asked(
            since=time("since", until - timedelta(hours=1)),
            until=until,
            status=int(status) if status else None,
            error=request.GET.get("error") == "1",
            **texts,
        ),
        unread,
    )


def _filters(request: HttpRequest) -> list[tuple[str, str, str]]:
    """(name, value, address without it) of each filter in the address."""
    found = []
    for name in requests_page.FILTERS:
        if value := request.GET.get(name, ""):
            rest = request.GET.copy()
            rest.pop(name)
            found.append((name, value, f"?{rest.urlencode()}"))
    return found


def _older(request: HttpRequest, found: list[requests_page.Event]) -> str:
    if len(found) < requests_page.LIMIT:
        return ""
    query = request.GET.copy()
    query["until"] = found[-1].time.isoformat()
    return f"?{query.urlencode()}"


@require_GET
def show_data(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    since = timezone.now() - timedelta(hours=24)
    context = _context(access, "data", overview=data_overview(access.environment.id, since))
    context["fields"] = fields_of(access.environment.id, request.GET.get("fields", ""))
    return page(request, "insights/data.html", context, fragment="insights/_data.html")
