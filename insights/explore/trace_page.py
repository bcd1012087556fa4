"""One trace: its waterfall, and everything that is known of the span that is looked at."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from events.query.flags import SEPARATOR
from events.query.parsing import EARLIEST, LATEST
from events.store.read import Statement, moment, run, utc
from insights.explore.rows import Event, events_around
from insights.explore.waterfall import MOST_ROWS, Row, Span, Waterfall, waterfall
from projects.access import environment_for
from web.pages import page
from web.request import whole

MOST_SPANS = 20_000
AROUND = timedelta(hours=1)
LONGEST_ID = 32
UNIT_PART = 4  # of what is kept of an evaluation: flag, variant, reason, version, unit, span


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One flag evaluated in this trace, with why."""

    flag: str
    variant: str
    reason: str
    version: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A row with its places on the page: x and width of a bar 1000 wide."""

    row: Row
    x: float
    width: float
    own: tuple[tuple[float, float], ...]
    indent: int
    address: str
    open_address: str
    below_address: str
    current: bool


@require_GET
def show_trace(request: HttpRequest, project: str, environment: str, trace_id: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    number = _number(trace_id)
    around = _moment(request.GET.get("at", ""))
    spans, more = spans_of(access.environment.id, number, around)
    if not spans:
        raise Http404("No event of this trace is stored.")
    seen, asked = evaluations(access.environment.id, number, around)
    spans = [_asking(span, asked.get(span.id, ())) for span in spans]
    opened = request.GET.getlist("open")[:50]
    fold = request.GET.get("fold", "") != "no"
    root, skip = request.GET.get("root", "")[:16], whole(request.GET.get("skip", "")) or 0
    fall = waterfall(spans, opened, fold=fold, root=root, skip=skip)
    if not fall.rows:
        raise Http404("This trace has fewer rows.")
    wanted = request.GET.get("span", "") or fall.rows[0].span.id
    event = next(
        iter(
            events_around(
                access.environment.id, number, around, span=int(wanted, 16) if _hex(wanted) else 0
            )
        ),
        None,
    )
    here = {"at": request.GET.get("at", ""), "fold": "" if fold else "no", "root": root}
    pairs = [(name, value) for name, value in here.items() if value]
    pairs += [("open", key) for key in opened]
    context = {
        "access": access,
        "section": "explore",
        "base": f"/{access.project.slug}/{access.environment.slug}",
        "zone": access.environment.zone,
        "trace": trace_id.lower().rjust(LONGEST_ID, "0"),
        "fall": fall,
        "rows": [_shown(row, pairs, wanted) for row in fall.rows],
        "root": fall.rows[0].span if root and fall.rows[0].span.id == root else None,
        "whole": urlencode({"at": here["at"]}),
        "next": urlencode([*pairs, ("skip", skip + MOST_ROWS)]),
        "all_spans": len(spans),
        "idle": [(round(1000 * a, 1), round(1000 * b, 1)) for a, b in fall.idle],
        "more": more,
        "fold": fold,
        "unfold": urlencode({"at": here["at"], "fold": "no" if fold else ""}),
        "evaluations": seen,
        "event": event,
        "span_events": _span_events(event),
        "links": _links(event),
    }
    return page(request, "insights/trace.html", context, fragment="insights/_trace.html")


def _number(trace_id: str) -> int:
    if not _hex(trace_id) or len(trace_id) > LONGEST_ID:
        raise Http404("A trace id is up to 32 hexadecimal digits.")
    return int(trace_id, 16)


def _hex(text: str) -> bool:
    return bool(text) and all(digit in "0123456789abcdefABCDEF" for digit in text)


def _moment(text: str) -> datetime:
    """About when the trace was; now where that can't be read or is no time of events."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
        at = None if found is None else utc(found)
    except (ValueError, OverflowError):
        at = None
    return at if at is not None and EARLIEST <= at <= LATEST else timezone.now()


def spans_of(environment_id: int, trace: int, around: datetime) -> tuple[list[Span], bool]:
    """The trace's spans in order of time, and whether there are more than MOST_SPANS."""
    rows = run(
        Statement(
            """SELECT lower(leftPad(hex(span), 16, '0')) AS id,
                if(parent = 0, '', lower(leftPad(hex(parent), 16, '0'))) AS above, time,
                duration_ms, service,
                if(route = '', name, concat(method, ' ', route)) AS what, build_id, error,
                status_code, kind, mapContains(integers, 'span.num_events') AS has_events,
                lists['span.flags'] AS flags
            FROM events WHERE environment = {environment:UInt32}
                AND trace = toUInt128({trace:String})
                AND time >= {since:DateTime64(6, 'UTC')} AND time <= {until:DateTime64(6, 'UTC')}
            ORDER BY time LIMIT 1 BY span, time LIMIT {limit:UInt32}""",
            {
                "environment": environment_id,
                "trace": str(trace),
                "since": moment(around - AROUND),
                "until": moment(around + AROUND),
                "limit": MOST_SPANS + 1,
            },
        )
    ).rows
    spans = [
        Span(
            id=row["id"],
            parent=row["above"],
            time=utc(row["time"]),
            duration_ms=float(row["duration_ms"]),
            service=row["service"],
            what=row["what"].strip(),
            build=row["build_id"],
            error=bool(row["error"]),
            status=int(row["status_code"]),
            kind=row["kind"],
            has_events=bool(row["has_events"]),
            flags=_flags(row["flags"]),
        )
        for row in rows[:MOST_SPANS]
    ]
    return spans, len(rows) > MOST_SPANS


def _asking(span: Span, flags: Sequence[str]) -> Span:
    """The span with flags that log records say it asked for beside those it told of itself."""
    return replace(span, flags=tuple(dict.fromkeys((*span.flags, *flags)))) if flags else span


def _flags(text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def evaluations(
    environment_id: int, trace: int, around: datetime
) -> tuple[list[Evaluation], dict[str, list[str]]]:
    """Every flag that the trace saw, with why and of which version; and, by their span's id, those
    that a log record told of: "FLAG=variant"."""
    rows = run(
        Statement(
            f"""SELECT arraySort(groupUniqArrayArray(details)) AS seen FROM exposures
            WHERE environment = {{environment:UInt32}} AND trace = toUInt128({{trace:String}})
                AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}})
                AND hour <= {{until:DateTime64(6, 'UTC')}} AND '{SEPARATOR}' != ''""",  # noqa: S608
            {
                "environment": environment_id,
                "trace": str(trace),
                "since": moment(around - AROUND),
                "until": moment(around + AROUND),
            },
        )
    ).rows
    parts = [one.split("\x1f") for row in rows for one in row["seen"]]
    spans: dict[str, list[str]] = {}
    for flag, variant, *_, span in (one for one in parts if len(one) > UNIT_PART + 1):
        spans.setdefault(span, []).append(f"{flag}={variant}")
    found = [(*one, "", "", "", "")[:UNIT_PART] for one in parts]
    return [Evaluation(*one) for one in dict.fromkeys(found)], spans


def _span_events(event: Event | None) -> list[dict[str, Any]]:
    """Span events as they were kept with their span: name, offset_ms, attributes."""
    text = dict(event.attributes).get("span.events", "") if event else ""
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _links(event: Event | None) -> list[tuple[str, str]]:
    """Trace and span of each link that the span was sent with."""
    text = dict(event.attributes).get("span.links", "") if event else ""
    found = [one.partition("/")[::2] for one in _flags(text)]
    return [(trace, span) for trace, span in found if _hex(trace) and len(trace) <= LONGEST_ID]


def _shown(row: Row, pairs: list[tuple[str, str]], wanted: str) -> Shown:
    width = max(1000 * row.width, 2)
    return Shown(
        row=row,
        x=round(min(1000 * row.start, 998), 1),
        width=round(width, 1),
        own=tuple((round(1000 * a, 1), round(max(1000 * b, 1.5), 1)) for a, b in row.own),
        indent=row.depth * 14,
        address=urlencode([*pairs, ("span", row.span.id)]),
        open_address=urlencode([*pairs, ("open", row.key)]) if row.key else "",
        current=row.span.id == wanted and row.alike == 1,
        below_address=urlencode(
            [*(pair for pair in pairs if pair[0] != "root"), ("root", row.span.id)]
        ),
    )


__all__ = ["Waterfall", "show_trace", "spans_of"]
