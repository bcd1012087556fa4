"""A question's answer as the page shows it: pictures, table, raw events or traces."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from events.query.answer import Missing, asked_of, begun, completed
from events.query.catalog import Known
from events.query.rows import Page, events_of, traces_of
from events.query.spec import RATES
from events.store.read import Result, Statement, utc
from insights import annotations
from insights.explore import told, units
from insights.explore.frame import Frame
from insights.explore.meant import Meant, meant, moment
from insights.explore.pictures import MOST_LINES, pictures
from insights.explore.question import Question, Where, written
from insights.explore.rows import Event, events_from
from projects.models import Environment
from web import words
from web.charts import Chart

Ask = Callable[[Statement], Result]
ROWS = 100
LONGEST = 120  # characters of a value in the table


@dataclass(frozen=True, slots=True)
class Cell:
    head: str  # of its column, where a narrow page has no columns
    text: str
    only: str = ""  # address of the question for this value alone
    without: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[Cell, ...]
    values: tuple[Cell, ...]
    earlier: tuple[Cell, ...]
    events: str  # address of the raw events of this group


@dataclass(frozen=True, slots=True)
class Trace:
    id: str
    time: datetime
    what: str
    services: str
    spans: int
    errors: int
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What one answer shows; the parts that its view does not show are empty."""

    meant: Meant
    took: str
    read: int
    told: str = ""  # all of it in one sentence
    pictures: tuple[Chart, ...] = ()
    heads: tuple[str, ...] = ()
    calculations: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    other: tuple[Cell, ...] = ()
    other_groups: int = 0
    earlier: str = ""
    events: tuple[Event, ...] = ()
    columns: tuple[str, ...] = ()
    traces: tuple[Trace, ...] = ()
    older: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """What is known of an answer whose pictures are not drawn yet; kept in the cache meanwhile."""

    given: dict[str, Any]
    missing: Missing
    now: datetime

    @property
    def stepwise(self) -> bool:
        """Whether the rows themselves are known from the steps only."""
        return any(one.op in RATES for one in self.missing.asked.query.calculations)


def answer_of(
    environment: Environment,
    question: Question,
    known: Iterable[Known],
    *,
    now: datetime,
    ask: Ask,
    base: str,
    prefix: str = "",
) -> Answered:
    """All of it. Raises QueryError, QueryTooLarge, QueryStopped, StoreUnavailable."""
    first, later = first_of(environment, question, known, now=now, ask=ask)
    if later is None:
        return first
    return drawn(environment, question, known, later, first, ask=ask, base=base, prefix=prefix)


def first_of(
    environment: Environment,
    question: Question,
    known: Iterable[Known],
    *,
    now: datetime,
    ask: Ask,
) -> tuple[Answered, Later | None]:
    """The rows, and what `drawn` needs for the pictures; None where there are none to come."""
    asked = meant(question, known, now=now, zone=environment.zone)
    if question.view in ("events", "traces"):
        before = question.extra.get("before", "")
        return _rows_of(environment, question, asked, ask, before=before), None
    # A heatmap adds its groups up; of lines only the first few are drawn.
    most = None if any(one.op == "HEATMAP" for one in asked.query.calculations) else MOST_LINES
    given, missing = begun(environment.id, asked.query, ask, most_lines=most)
    return _tabled(question, asked, given), Later(given, missing, now)


def drawn(
    environment: Environment,
    question: Question,
    known: Iterable[Known],
    later: Later,
    first: Answered | None = None,
    *,
    ask: Ask,
    base: str,
    prefix: str = "",
) -> Answered:
    """The pictures with the rows of `first`, or alone. Raises as `answer_of` does."""
    zone = environment.zone
    asked = meant(question, known, now=later.now, zone=zone)
    given = later.given
    completed(given, later.missing, ask)
    marks = annotations.changes(
        environment.id, asked.since, asked.until, question.marks, _service(question)
    )
    frame = Frame(
        since=asked.since,
        until=asked.until,
        step_s=asked.query.granularity_s or 60,
        zone=zone,
        base=base,
        prefix=prefix,
        groups=tuple(annotations.grouped(marks, asked.since, asked.until)),
    )
    found = tuple(pictures(given, question.by, frame)) if given["results"] else ()
    took = words.milliseconds(given["took_ms"])
    if later.stepwise:
        first = _tabled(question, asked, given)
    elif first is None:
        first = Answered(asked, took, given["events_read"])
    return replace(first, took=took, pictures=found)


def _tabled(question: Question, asked: Meant, given: dict[str, Any]) -> Answered:
    keys = [one.key for one in asked.query.calculations]
    before = {
        _group(row["data"], question.by): row["data"]
        for row in given.get("compare", {}).get("results", [])
    }
    other = given.get("other")
    fewer = question.fewer()
    events = question.fewer(view="events", by=())
    return Answered(
        meant=asked,
        took=words.milliseconds(given["took_ms"]),
        read=given["events_read"],
        told=told.sentence(question, given),
        heads=(*question.by, *(units.named(one) for one in keys)),
        calculations=tuple(keys),
        rows=tuple(
            _row(row["data"], question, keys, before, fewer, events) for row in given["results"]
        ),
        other=_values(other["data"], keys) if other else (),
        other_groups=other["groups"] if other else 0,
        earlier=question.earlier if "compare" in given else "",
    )


def _service(question: Question) -> str:
    """The one service that a question is about: only its deploys are marked then."""
    for one in question.also if question.either else question.where:
        if one.field in ("service", "service.name") and one.op == "=":
            return one.value
    return ""


def _group(data: dict[str, Any], by: Iterable[str]) -> tuple[Any, ...]:
    return tuple(data[name] for name in by)


def _row(
    data: dict[str, Any],
    question: Question,
    keys: list[str],
    before: dict[tuple[Any, ...], dict[str, Any]],
    fewer: Callable[..., str],
    events: Callable[..., str],
) -> Row:
    """`fewer` and `events` give the addresses of this question and of its events, filtered."""
    cells = []
    narrowed = []
    for name in question.by:
        value = data[name]
        only, without = _filters(name, value)
        narrowed.append(only)
        cells.append(Cell(name, _short(value), fewer(only), fewer(without)))
    old = before.get(_group(data, question.by), {})
    return Row(
        cells=tuple(cells),
        values=_values(data, keys),
        earlier=_values(old, keys) if before else (),
        events=events(*narrowed),
    )


def _values(data: dict[str, Any], keys: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(Cell(units.named(one), units.text(data.get(one), one)) for one in keys)


def _short(value: Any) -> str:
    text = units.text(value) if value is not None else "none"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _filters(name: str, value: Any) -> tuple[Where, Where]:
    """(this value only, everything but it) as filters."""
    if value is None:
        return Where(name, "does-not-exist"), Where(name, "exists")
    return Where(name, "=", written(value)), Where(name, "!=", written(value))


def _rows_of(
    environment: Environment, question: Question, asked: Meant, ask: Ask, *, before: str
) -> Answered:
    # Only the columns of the filters are needed, so what is calculated is left out.
    query = replace(asked.query, calculations=(), breakdowns=(), orders=(), havings=())
    source = asked_of(environment.id, query)
    at = moment(before, environment.zone, "before") if before else None
    page = Page(limit=ROWS, order=question.order or "newest", before=at)
    if question.view == "traces":
        found = ask(traces_of(source, page))
        traces = tuple(_trace(row) for row in found.rows)
        longest, failed = [one.duration_ms for one in traces], sum(bool(x.errors) for x in traces)
        return Answered(
            meant=asked,
            took=words.milliseconds(found.took_ms),
            read=found.read_rows,
            told=told.of_events(question, longest, failed, ROWS, "trace"),
            traces=traces,
        )
    found = ask(events_of(source, page))
    events = tuple(events_from(environment.id, found.rows))
    older = ""
    if len(events) == ROWS and page.order == "newest":
        older = question.address(extra={"before": events[-1].time.isoformat()})
    took, failed = [one.duration_ms for one in events], sum(one.error for one in events)
    what = "event" if question.events == "all" else "request"
    return Answered(
        meant=asked,
        took=words.milliseconds(found.took_ms),
        read=found.read_rows,
        told=told.of_events(question, took, failed, ROWS, what),
        events=events,
        columns=_columns(question),
        older=older,
    )


def _trace(row: dict[str, Any]) -> Trace:
    return Trace(
        id=row["trace_hex"],
        time=utc(row["time"]),
        what=f"{row['verb']} {row['what']}".strip(),
        services=words.joined(row["services"]),
        spans=row["spans"],
        errors=row["errors"],
        duration_ms=float(row["duration_ms"]),
    )


SHOWN = {
    *("service", "name", "route", "method", "status_code", "error", "duration_ms", "user_id"),
    *("build_id", "entry", "trace"),
}


def _columns(question: Question) -> tuple[str, ...]:
    """The fields that a question names and that every row does not show anyway."""
    named = [*question.by, *(one.field for one in question.where)]
    named += [one.partition("(")[2].rstrip(")") for one in question.show]
    found = [name for name in dict.fromkeys(named) if name and name not in SHOWN]
    return tuple(name for name in found if not name.startswith("flags."))[:6]
