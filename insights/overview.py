"""The Overview page: how traffic is, what changed, and what each change did."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from insights import annotations, charts
from insights.changes import Told
from insights.cohorts import Scope
from insights.launches import Row, coming
from insights.series import WINDOWS, Line, lines
from insights.tallies import counted, tally
from projects.models import Environment
from web import words
from web.charts import Chart

DECIDED_SHOWN = 6
OTHERS_SHOWN = 4
NEXT_SHOWN = 4
FIRST_WINDOW = "6h"


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows. `chart` is None while nothing has come in."""

    title: str
    lede: str
    chart: Chart | None
    services: list[str]
    service: str
    window: str
    windows: list[str]
    told: list[Told]
    more: int  # changes of this time that are not in `told`
    any_events: bool
    next: list[Row]  # what is planned or under way


def overview(
    environment: Environment,
    now: datetime,
    *,
    window: str,
    service: str,
    base: str,
    marks: str = "",
) -> Overview:
    """The last `window` (a key of WINDOWS) of one service or of all.

    `marks`: which changes stand on the picture, one of annotations.MARKS; all of them are told.
    """
    window = window if window in WINDOWS else FIRST_WINDOW
    since = now - WINDOWS[window]
    by_service = lines(environment.id, since, now, by="service")
    services = sorted(line.label for line in by_service)
    shown = [line for line in by_service if not service or line.label == service]
    if service and not shown:
        shown = lines(environment.id, since, now, scope=Scope(service), by="service")
    known = annotations.changes(environment.id, since, now, "", service)[::-1]
    shown_changes = _most_telling(known)
    return Overview(
        title=title(known, now, environment.zone, window),
        lede=_lede(shown, window, service),
        chart=charts.overview(
            shown,
            annotations.of_kinds(known, marks),
            since=since,
            until=now,
            now=now,
            zone=environment.zone,
            base=base,
        )
        if shown
        else None,
        services=services,
        service=service,
        window=window,
        windows=list(WINDOWS),
        told=shown_changes,
        more=len(known) - len(shown_changes),
        any_events=bool(by_service),
        next=coming(environment, now, NEXT_SHOWN),
    )


def _most_telling(known: list[Told]) -> list[Told]:
    """What made a difference, and the newest of the rest; newest first."""
    decided = [one for one in known if one.verdict in ("worse", "better")]
    rest = [one for one in known if one.verdict not in ("worse", "better")]
    decided.sort(key=lambda one: one.verdict != "worse")
    shown = decided[:DECIDED_SHOWN] + rest[:OTHERS_SHOWN]
    return sorted(shown, key=lambda one: one.change.time, reverse=True)


def title(known: list[Told], now: datetime, zone: ZoneInfo, window: str) -> str:
    """What happened, as an answer: "Two of today's eleven changes made things worse"."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    today = [one for one in known if one.change.time >= midnight]
    of, group = ("today's", today) if today else (f"the last {_window_words(window)}'", known)
    if not group:
        return f"Nothing changed in the last {_window_words(window)}"
    return tally([one.verdict for one in group], f"{of} {counted(len(group), 'change')}")


def _window_words(window: str) -> str:
    length = WINDOWS[window]
    if length < timedelta(hours=2):
        return "hour"
    if length <= timedelta(hours=48):
        return f"{int(length.total_seconds() // 3600)} hours"
    return f"{length.days} days"


def _lede(shown: list[Line], window: str, service: str) -> str:
    requests = sum(line.events for line in shown)
    which = service or "all services"
    return f"Last {_window_words(window)}, {which}, {words.compact(requests)} requests."
