"""Two cohorts side by side: any two sets of filters within one question.

Measures and distributions of each, what tells them apart, alike requests matched, and which spans
of their traces got slower. The numbers are for reading; verdicts come from watches.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from events.query import sides
from events.query.answer import asked_of
from events.query.calculations import EXACT_ROWS
from events.query.catalog import Known
from events.query.contrast import ENOUGH, Ask, Contrast
from events.query.spec import QueryError
from insights.explore.box import Box, Different, shown
from insights.explore.meant import Meant, meant
from insights.explore.question import Question, Where
from projects.models import Environment

ALIKE = ("method", "route")


@dataclass(frozen=True, slots=True)
class Measures:
    """One cohort's: weighted requests, users, error rate, latency in ms."""

    n: float = 0.0
    users: int = 0
    errors: float = 0.0
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


NONE = Measures()


@dataclass(frozen=True, slots=True)
class Matched:
    """One kind of request that both cohorts made."""

    key: tuple[str, ...]
    first: Measures
    second: Measures


@dataclass(frozen=True, slots=True)
class SpanKind:
    """One kind of span in both cohorts' traces: its own time a trace, and how often it comes."""

    service: str
    what: str
    own_ms: tuple[float, float]  # a trace of the first, of the second
    spans: tuple[float, float]
    errors: tuple[float, float]

    @property
    def more_ms(self) -> float:
        return self.own_ms[0] - self.own_ms[1]


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Both sides; [first, second] wherever two stand beside each other."""

    meant: Meant
    names: tuple[str, str]
    heads: tuple[str, str]  # as short as tells them apart: on, off
    measures: tuple[Measures, Measures]
    both: float  # events that belong to both cohorts and so to neither
    statuses: dict[int, tuple[float, float]]
    bins: dict[int, tuple[float, float]]
    steps: tuple[tuple[datetime, Measures, Measures], ...]
    step_s: int
    matched: tuple[Matched, ...]
    by: tuple[str, ...]
    unmatched: tuple[float, float]  # shares of each cohort that the other has no like of
    adjusted: tuple[Measures, Measures] | None  # at the second's mix of matched requests
    different: Different
    spans: tuple[SpanKind, ...] = ()
    read: int = 0
    notes: tuple[str, ...] = field(default_factory=tuple)


def cohorts(
    environment: Environment,
    question: Question,
    first: Sequence[Where],
    second: Sequence[Where],
    known: Iterable[Known],
    *,
    by: Sequence[str],
    now: datetime,
    ask: Ask,
) -> Cohorts:
    """Raises QueryError, QueryTooLarge, QueryStopped, StoreUnavailable."""
    if not first or not second:
        raise QueryError("a.field" if not first else "b.field", "Say what each cohort holds.")
    by = tuple(dict.fromkeys((*ALIKE, *by)))
    given = len(question.where) + len(question.also)
    everything = question.beside(*first, *second, by=by, show=(), earlier="", limit="")
    asked = meant(everything, known, now=now, zone=environment.zone, points=80)
    most = given + len(first)
    one, other = range(given, most), range(most, most + len(second))
    source = sides.narrowed(asked_of(environment.id, asked.query), given)
    expected = sum(row["rows"] for row in ask(source.estimate()).rows)
    contrast = Contrast(
        source,
        sides.side_of(source, one, other),
        {},
        one_in=max(1, expected // ENOUGH),
        many=expected > EXACT_ROWS,
    )
    step_s = asked.query.granularity_s or 60
    both = sides.both_of(source, one, other)
    found = ask(sides.together(contrast, step_s, by, both))
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in found.rows:
        kinds.setdefault(row["kind"], []).append(row)
    rows = {int(row["side"]): row for row in kinds.get("all", [])}
    kinds = {kind: [row for row in some if row["side"] < 2] for kind, some in kinds.items()}
    matched = _matched(kinds.get("alike", []))
    pairs = tuple(one for one in matched if one.first.n and one.second.n)
    ignore = {where.field.removeprefix("flags.") for where in (*first, *second)}
    box = Box("", None, None, asked.since, asked.until)
    measured = (_measures(rows.get(1)), _measures(rows.get(0)))
    return Cohorts(
        meant=asked,
        names=(name_of(first), name_of(second)),
        heads=(_head(first, second), _head(second, first)),
        measures=measured,
        both=float(rows[2]["n"]) if 2 in rows else 0.0,
        statuses=_shares(kinds.get("status", []), "code"),
        bins=_shares(kinds.get("bin", []), "bin"),
        steps=_steps(kinds.get("step", [])),
        step_s=step_s,
        matched=pairs,
        by=by,
        unmatched=_unmatched(matched),
        adjusted=_adjusted(pairs),
        different=shown(contrast, box, asked, ask, ignore=ignore),
        spans=_spans(ask(sides.spans(contrast)).rows) if all(one.n for one in measured) else (),
        read=found.read_rows,
    )


def name_of(filters: Sequence[Where]) -> str:
    """A cohort by its filters: "NEW_SEARCH = on"."""
    return ", ".join(one.said.removeprefix("flags.") for one in filters)


def _head(this: Sequence[Where], other: Sequence[Where]) -> str:
    """A cohort at the head of a column, by what the other has not: its value alone, if that is
    all that differs."""
    own = [one for one in this if one not in other]
    rest = [one for one in other if one not in this]
    if len(own) == len(rest) == 1 and own[0].field == rest[0].field:
        (one,) = own
        if one.op == rest[0].op == "=" and one.value:
            return one.value
    return name_of(own or this)


def _measures(row: dict[str, Any] | None) -> Measures:
    if row is None or not row["n"]:
        return NONE
    return Measures(
        n=float(row["n"]),
        users=int(row["users"]),
        errors=float(row["errors"]),
        mean=float(row["mean"]),
        p50=float(row["q"][0]),
        p95=float(row["q"][1]),
        p99=float(row["q"][2]),
    )


def _shares(rows: Sequence[dict[str, Any]], name: str) -> dict[int, tuple[float, float]]:
    """How much of each status code or bin there is: in the first, in the second."""
    found: dict[int, list[float]] = {}
    for row in rows:
        found.setdefault(int(row[name]), [0.0, 0.0])[1 - int(row["side"])] = float(row["n"])
    return {key: (pair[0], pair[1]) for key, pair in sorted(found.items())}


def _steps(rows: Sequence[dict[str, Any]]) -> tuple[tuple[datetime, Measures, Measures], ...]:
    found: dict[int, dict[int, Measures]] = {}
    for row in rows:
        found.setdefault(int(row["bucket"]), {})[int(row["side"])] = _measures(row)
    return tuple(
        (datetime.fromtimestamp(at, UTC), pair.get(1, NONE), pair.get(0, NONE))
        for at, pair in sorted(found.items())
    )


def _matched(rows: Sequence[dict[str, Any]]) -> list[Matched]:
    found: dict[tuple[str, ...], dict[int, Measures]] = {}
    for row in rows:
        found.setdefault(tuple(row["k"]), {})[int(row["side"])] = _measures(row)
    made = [Matched(key, pair.get(1, NONE), pair.get(0, NONE)) for key, pair in found.items()]
    return sorted(made, key=lambda one: -(one.first.n + one.second.n))


def _unmatched(matched: Sequence[Matched]) -> tuple[float, float]:
    def share(own: list[float], others: list[float]) -> float:
        total = sum(own)
        alone = sum(a for a, b in zip(own, others, strict=True) if not b)
        return alone / total if total else 0.0

    first, second = [one.first.n for one in matched], [one.second.n for one in matched]
    return share(first, second), share(second, first)


def _adjusted(pairs: Sequence[Matched]) -> tuple[Measures, Measures] | None:
    """Mean latency and errors of both at the second's mix of kinds, which both made."""
    total = sum(one.second.n for one in pairs)
    if not total:
        return None

    def at_mix(which: str, name: str) -> float:
        return (
            sum(one.second.n * (getattr(getattr(one, which), name) or 0.0) for one in pairs) / total
        )

    made = [
        Measures(n=total, errors=at_mix(which, "errors"), mean=at_mix(which, "mean"))
        for which in ("first", "second")
    ]
    return made[0], made[1]


def _spans(rows: Sequence[dict[str, Any]]) -> tuple[SpanKind, ...]:
    """By how much more of its own time a trace of the first spends in it, most first."""
    found: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    totals = {0: 0.0, 1: 0.0}
    for row in rows:
        side = int(row["side"])
        totals[side] = float(row["all_traces"])
        found.setdefault((row["service"], row["what"]), {})[side] = row

    def per_trace(pair: dict[int, dict[str, Any]], name: str) -> tuple[float, float]:
        first, second = (
            float(pair[side][name]) / totals[side] if side in pair and totals[side] else 0.0
            for side in (1, 0)
        )
        return first, second

    made = [
        SpanKind(
            service,
            what,
            own_ms=per_trace(pair, "own_ms"),
            spans=per_trace(pair, "spans"),
            errors=per_trace(pair, "errors"),
        )
        for (service, what), pair in found.items()
    ]
    return tuple(sorted(made, key=lambda one: -abs(one.more_ms)))[:30]
