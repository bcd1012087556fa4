"""Pages of launches: list and calendar, one launch, and the calendar feed."""

from datetime import UTC, date, datetime
from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from flags import launching
from flags.listening import listening
from insights import launches, live
from projects.access import Access, environment_for
from projects.models import Environment, Membership
from web.pages import page

FEED = "flipscope.launches.feed"


def _context(access: Access, **more: Any) -> dict[str, Any]:
    return {
        "access": access,
        "section": "launches",
        "base": f"/{access.project.slug}/{access.environment.slug}",
        "may_edit": access.can("editor"),
        **more,
    }


@require_GET
def show_launches(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    now = timezone.now()
    coming, past = launches.coming(access.environment, now), launches.past(access.environment, now)
    month = _month(request.GET.get("month", ""), now.astimezone(access.environment.zone).date())
    context = _context(
        access,
        coming=coming,
        past=past,
        month=month,
        before=_other(month, -1),
        after=_other(month, 1),
        weeks=launches.calendar(access.environment, sorted(coming + past, key=_at), month),
        today=now.astimezone(access.environment.zone).date(),
        feed=_feed_address(request, access),
    )
    return page(request, "insights/launches.html", context, fragment="insights/_launches.html")


def _at(row: launches.Row) -> datetime:
    return row.at


def _month(asked: str, today: date) -> date:
    try:
        return date.fromisoformat(f"{asked}-01") if asked else today.replace(day=1)
    except ValueError:
        return today.replace(day=1)


def _other(month: date, by: int) -> date:
    number = month.year * 12 + month.month - 1 + by
    if not 12 <= number < 9999 * 12:
        return month
    return date(number // 12, number % 12 + 1, 1)


@require_GET
def show_launch(
    request: HttpRequest, project: str, environment: str, launch_id: int
) -> HttpResponse:
    access = environment_for(request, project, environment)
    launch = launching.find(access.environment, launch_id)
    if launch is None:
        raise Http404(f"There is no launch {launch_id} in {environment}.")
    context = _context(access, listening=listening(request, access))
    context["page"] = launches.launch_page(
        launch, timezone.now(), base=context["base"], marks=request.GET.get("marks", "")
    )
    context["may_approve"] = context["may_edit"] and access.actor != launch.actor
    return page(request, "insights/launch.html", context, fragment="insights/_launch.html")


@require_GET
def show_live(request: HttpRequest, project: str, environment: str, launch_id: int) -> HttpResponse:
    """What changes by the second of a launch that has begun: one question a flag."""
    access = environment_for(request, project, environment)
    launch = launching.find(access.environment, launch_id)
    if launch is None:
        raise Http404(f"There is no launch {launch_id} in {environment}.")
    now = timezone.now()
    found = live.parts(launch, launches.new_variant, now)
    watched = live.watched([part.plan for part in found], now)
    context = _context(access, launch=launch, parts=found, watched=watched)
    return page(request, "insights/_live.html", context)


def _feed_address(request: HttpRequest, access: Access) -> str:
    ticket = Signer(salt=FEED).sign_object([access.environment.pk, access.user.pk])
    path = f"/{access.project.slug}/{access.environment.slug}/launches.ics?ticket={ticket}"
    return request.build_absolute_uri(path)


@require_safe
def launch_feed(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """What is planned, for calendars, which can't sign in: the address holds a ticket of one
    person, good while they are a member."""
    place = _ticketed(request.GET.get("ticket", ""), project, environment)
    now = timezone.now()
    rows = [*launches.coming(place, now), *launches.past(place, now)]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Flipscope//Launches//EN"]
    lines.append(f"X-WR-CALNAME:{_ics_text(f'Launches of {place}')}")
    for row in rows:
        lines += _ics_event(request, place, row)
    lines.append("END:VCALENDAR")
    text = "\r\n".join(folded for line in lines for folded in _folded(line)) + "\r\n"
    response = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    response["Cache-Control"] = "private, no-cache"
    return response


def _ticketed(ticket: str, project: str, environment: str) -> Environment:
    gone = Http404("This calendar's address is no longer good. Copy it anew from Launches.")
    try:
        environment_id, user_id = Signer(salt=FEED).unsign_object(ticket)
    except (BadSignature, ValueError, TypeError):
        raise gone from None
    place = (
        Environment.objects.select_related("project")
        .filter(id=environment_id, slug=environment, project__slug=project)
        .first()
    )
    member = Membership.objects.filter(user=user_id, project__environments=environment_id)
    if place is None or not member.exists():
        raise gone
    return place


def _ics_event(request: HttpRequest, place: Environment, row: launches.Row) -> list[str]:
    address = f"/{place.project.slug}/{place.slug}/launches/{row.launch.pk}"
    ends = max((plan.until or plan.at for plan in row.plans), default=row.at)
    cancelled = row.status in ("Cancelled", "Expired")
    return [
        "BEGIN:VEVENT",
        f"UID:launch-{row.launch.pk}@{request.get_host().partition(':')[0]}",
        f"DTSTAMP:{row.launch.created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART:{row.at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTEND:{ends.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{_ics_text(row.launch.name)}",
        f"DESCRIPTION:{_ics_text('. '.join([*row.summaries, row.status]))}",
        f"URL:{request.build_absolute_uri(address)}",
        f"STATUS:{'CANCELLED' if cancelled else 'CONFIRMED'}",
        "END:VEVENT",
    ]


def _ics_text(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return text.replace("\r", "")


def _folded(line: str) -> list[str]:
    """Lines of 75 bytes at most, continued after a space (RFC 5545, 3.1)."""
    parts, rest = [], line.encode()
    limit = 75
    while len(rest) > limit:
        cut = limit
        while rest[cut] & 0xC0 == 0x80:
            cut -= 1
        parts.append(rest[:cut])
        rest = rest[cut:]
        limit = 74
    parts.append(rest)
    return [(" " if i else "") + part.decode() for i, part in enumerate(parts)]
