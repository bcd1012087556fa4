"""The page of what changed in a picked time; its address is the question.

Explore's forms lead here with their own fields (`box_since`, `field` = `service`, …) and are sent
on to the one address that people share.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from events.query.spec import QueryError
from events.store.read import QueryTooLarge
from insights import annotations, charts, results
from insights.changed import said
from insights.changed.explain import LONGEST, MEASURES, SHORTEST, Asked, Explained, explained
from insights.changes import told
from insights.cohorts import Scope
from insights.comparison import NothingToCompare
from insights.explore.question import Question, Where, read
from insights.reasons import where_json
from insights.series import lines
from insights.shown import ROWS_SHOWN, ordered
from projects.access import Access, environment_for
from projects.models import Environment
from releases.changes import timeline
from web import words
from web.charts import Chart
from web.pages import page
from web.request import wants_fragment

USUAL = timedelta(minutes=30)
SHOWN_AT_ONCE = 12
CHARTED = {"error_rate": "errors", "traffic": "requests"}
OF = {"P50": "latency_p50", "P95": "latency_p95", "P99": "latency_p99", "AVG": "latency_mean"}


class Unread(ValueError):
    """A part of the address that cannot be read, in words."""


@dataclass(frozen=True, slots=True)
class Row:
    """One change, its part in words, and whether that is worth bold type."""

    told: Any
    part: str
    label: str
    sentence: str
    finding: str
    share: str


LABELS = {"explains": "Explains it", "coincides": "Same moment", "may": "May", "no": "Not it"}


@require_GET
def show_what_changed(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    place = access.environment
    base = f"/{access.project.slug}/{place.slug}"
    if moved := _from_explore(request, place.zone):
        return HttpResponseRedirect(f"{request.path}?{urlencode(moved)}")
    now = timezone.now()
    context = _context(access, base, request, now)
    try:
        asked = read_asked(request.GET, place.zone, now)
    except Unread as problem:
        context["problem"] = str(problem)
        return _page(request, context, status=422)
    context |= {
        "asked": asked,
        "since": _local(asked.since, place),
        "until": _local(asked.until, place),
    }
    if wants_fragment(request) or request.GET.get("inline") == "1":
        context |= found(place, asked, base, request.GET.get("marks", ""))
    else:
        context["asks"] = request.get_full_path()
        context["whole"] = f"{request.path}?{urlencode({**request.GET.dict(), 'inline': '1'})}"
    return _page(request, context)


def _page(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return page(
        request,
        "insights/what_changed.html",
        context,
        fragment="insights/_what_changed.html",
        status=status,
    )


def _context(access: Access, base: str, request: HttpRequest, now: datetime) -> dict[str, Any]:
    services = lines(access.environment.id, now - timedelta(hours=24), now, by="service", points=2)
    return {
        "access": access,
        "section": "timeline",
        "base": base,
        "measures": MEASURES,
        "services": sorted(line.label for line in services),
        "given": {name: request.GET.get(name, "") for name in ("since", "until", *SCOPE)},
    }


SCOPE = ("service", "route", "measure")


def read_asked(given: Any, zone: tzinfo, now: datetime) -> Asked:
    """From an address's parameters; times are local unless they name an offset. Raises Unread."""
    until = read_time(given.get("until", ""), "until", zone) or now
    since = read_time(given.get("since", ""), "since", zone) or min(until, now) - USUAL
    until = min(until, now)
    if since >= until:
        raise Unread("The time must begin before it ends, and before now.")
    if not SHORTEST <= until - since <= LONGEST:
        raise Unread("Pick a time between two minutes and 24 hours long.")
    measure = given.get("measure", "")
    if measure and measure not in MEASURES:
        raise Unread(f"There is no measure {measure[:40]}: take one of {', '.join(MEASURES)}.")
    scope = Scope(given.get("service", "")[:200], given.get("route", "")[:400])
    return Asked(since, until, scope, measure)


def read_time(text: str, name: str, zone: tzinfo) -> datetime | None:
    if not text:
        return None
    try:
        at = parse_datetime(text.replace(" ", "+") if "T" in text else text)
        if at is not None:
            return at if at.tzinfo else at.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        pass
    raise Unread(f"{name}: write a time such as 2026-11-24T14:30.")


def _local(time: datetime, place: Environment) -> str:
    return time.astimezone(place.zone).replace(tzinfo=None).isoformat(timespec="seconds")


def _from_explore(request: HttpRequest, zone: tzinfo) -> dict[str, str] | None:
    """The address that an Explore form means; None where this is that address already."""
    if "box_since" not in request.GET and "field" not in request.GET:
        return None
    question = read(request.GET)
    fixed = {one.field: one.value for one in question.where if one.op == "="}
    measure = request.GET.get("measure", "") or measure_of(question)
    wanted = {
        "since": request.GET.get("box_since", "") or question.since,
        "until": request.GET.get("box_until", "") or question.until,
        "service": fixed.get("service", ""),
        "route": fixed.get("route", ""),
        "measure": measure,
    }
    return {name: value for name, value in wanted.items() if value}


def measure_of(question: Question) -> str:
    """The measure that a chart's first calculation shows, "" where none fits."""
    first = question.show[0] if question.show else "COUNT"
    op, _, column = first.rstrip(")").partition("(")
    if op in ("COUNT", "RATE"):
        return "traffic"
    if op == "AVG" and column == "error":
        return "error_rate"
    return OF.get(op, "") if column == "duration_ms" else ""


def found(place: Environment, asked: Asked, base: str, marks: str = "") -> dict[str, Any]:
    """What the page shows of the answer, or a `problem` in words."""
    try:
        answer = explained(place, asked)
    except NothingToCompare as reason:
        return {"problem": str(reason)}
    except (QueryTooLarge, QueryError) as reason:
        return {"problem": f"Too much traffic for one look: {reason} Pick a shorter time."}
    delta = answer.difference.delta
    rows = [_row(one, answer) for one in answer.candidates]
    listed = [results.delta_json(one) for one in answer.result.judged]
    for row in listed:
        row["scope"] = row["scope"] or asked.scope.as_json()
    table = ordered(listed, [one for one in listed if one["scope"] == delta.scope.as_json()])
    return {
        "answer": said.answer(answer, place.zone),
        "colour": answer.difference.verdict if answer.differs else "",
        "verdict": answer.difference.verdict,
        "explained": answer,
        "rows": [row for row in rows if row.part != "no"],
        "others": [row for row in rows if row.part == "no"],
        "unranked": [] if answer.differs else told(_changes(place, asked)),
        "where": where_json(answer.where, delta) if answer.where else None,
        "delta_rows": table[:ROWS_SHOWN],
        "delta_more": table[ROWS_SHOWN:],
        "labels": ("before", "in this time"),
        "picture": _picture(place, asked, answer, base, marks),
        "explore": _explore(place, asked, delta.scope),
        "mix": results.mix_json(answer.result),
        "note": answer.result.note,
    }


def _changes(place: Environment, asked: Asked) -> list[Any]:
    return timeline(place.id, since=asked.before, until=asked.until, limit=SHOWN_AT_ONCE)


def _row(one: Any, answer: Explained) -> Row:
    share = words.percent(round(one.share, 2)).replace(".0%", "%") if one.share else ""
    return Row(
        told=one.told,
        part=one.part,
        label=LABELS[one.part],
        sentence=said.part(one, answer),
        finding=one.finding,
        share=share if one.part == "explains" else "",
    )


def _picture(
    place: Environment, asked: Asked, answer: Explained, base: str, marks: str
) -> Chart | None:
    delta = answer.difference.delta
    scope = Scope(
        delta.scope.service or asked.scope.service, delta.scope.route or asked.scope.route
    )
    drawn = lines(place.id, asked.before, asked.until, scope=scope)
    if not drawn:
        return None
    measure = CHARTED.get(delta.measure, "p95")
    name = {"errors": "Error rate", "requests": "Requests", "p95": "p95 latency"}[measure]
    where = scope.route or scope.service or "all requests"
    return charts.over_time(
        drawn,
        annotations.changes(place.id, asked.before, asked.until, marks),
        id="what-changed-picture",
        title=f"{name} of {where}, this time and as long before",
        measure=measure,
        since=asked.before,
        until=asked.until,
        zone=place.zone,
        base=base,
        mark=asked.since,
        marked="where this time begins",
        verdict=answer.difference.verdict if answer.differs else "",
    )


def _explore(place: Environment, asked: Asked, scope: Scope) -> str:
    fixed = {**asked.scope.as_json(), **scope.as_json()}
    where = tuple(Where(name, "=", value) for name, value in fixed.items())
    return Question(
        show=("HEATMAP(duration_ms)",),
        where=where,
        since=_local(asked.before, place),
        until=_local(asked.until, place),
    ).address()
