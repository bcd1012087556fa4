"""A box on a heatmap → what is different about the events inside it.

The box is part of the page's address, beside the question it was drawn on: `box_of` (the field),
`box_since`, `box_until` (local times), `box_low`, `box_high`, and `beside`: "" compares with all
other events of the picture, "minutes" only with those of the same minutes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from events.query.answer import asked_of
from events.query.catalog import Known
from events.query.contrast import ENOUGH, Ask, Contrast, counted, together
from events.query.spec import Filter, QueryError
from events.query.sql import Asked
from events.store.read import moment as stored
from insights.explore.different import Difference, Found, differences, folded
from insights.explore.meant import Meant, meant, moment
from insights.explore.question import Question, Where
from projects.models import Environment

PARTS = ("box_of", "box_since", "box_until", "box_low", "box_high", "beside")
CHECKED = 20  # findings that are compared with each other


@dataclass(frozen=True, slots=True)
class Box:
    """A range of one field's values and of time."""

    of: str
    low: float | None
    high: float | None
    since: datetime
    until: datetime
    same_minutes: bool = False

    @property
    def filters(self) -> tuple[Where, ...]:
        """As filters of a question."""
        found = []
        if self.low is not None:
            found.append(Where(self.of, ">=", f"{self.low:g}"))
        if self.high is not None:
            found.append(Where(self.of, "<", f"{self.high:g}"))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Different:
    """What the page shows: how many events are on each side, and what tells them apart."""

    box: Box
    meant: Meant
    inside: float
    outside: float
    found: Found
    findings: tuple[Difference, ...]
    read: int
    one_in: int

    @property
    def share(self) -> float:
        total = self.inside + self.outside
        return self.inside / total if total else 0.0


def read_box(parts: dict[str, str], asked: Meant, zone: tzinfo) -> Box:
    """Raises QueryError, its field one of PARTS."""
    of = parts.get("box_of", "") or "duration_ms"

    def number(name: str) -> float | None:
        text = parts.get(name, "")
        try:
            found = float(text) if text else None
        except ValueError:
            found = math.nan
        if found is not None and not math.isfinite(found):
            raise QueryError(name, f"A number is wanted, not {text[:40]!r}.")
        return found

    def time(name: str, otherwise: datetime) -> datetime:
        return moment(parts[name], zone, name) if parts.get(name) else otherwise

    low, high = number("box_low"), number("box_high")
    since, until = time("box_since", asked.since), time("box_until", asked.until)
    if low is not None and high is not None and low >= high:
        raise QueryError("box_low", "The box must begin below where it ends.")
    if since >= until:
        raise QueryError("box_since", "The box must begin before it ends.")
    if (low, high) == (None, None) and (since, until) == (asked.since, asked.until):
        raise QueryError("box_low", "The box holds everything: give it a bound.")
    return Box(of, low, high, since, until, parts.get("beside") == "minutes")


def different(
    environment: Environment,
    question: Question,
    known: Iterable[Known],
    parts: dict[str, str],
    *,
    now: datetime,
    ask: Ask,
) -> Different:
    """Raises QueryError, QueryTooLarge, QueryStopped, StoreUnavailable."""
    zone = environment.zone
    asked = meant(question.tidied(show=(), by=()), known, now=now, zone=zone)
    box = read_box(parts, asked, zone)
    given = asked.query.filters
    query = replace(
        asked.query,
        filters=(*given, *(Filter(one.field, one.op, float(one.value)) for one in box.filters)),
        calculations=(),
        granularity_s=None,
    )
    apart = frozenset(range(len(given), len(query.filters)))
    source = replace(asked_of(environment.id, query), apart=apart)
    expected = sum(row["rows"] for row in ask(source.estimate()).rows)
    contrast = Contrast(
        source,
        _side(source, box),
        {"box_since": stored(box.since), "box_until": stored(box.until)},
        one_in=max(1, expected // ENOUGH),
    )
    return shown(contrast, box, asked, ask, ignore=_given(question, box))


def _side(source: Asked, box: Box) -> str:
    during = (
        "(time >= {box_since:DateTime64(6, 'UTC')} AND time < {box_until:DateTime64(6, 'UTC')})"
    )
    inside = f"({during} AND {source.all_of(sorted(source.apart))})"
    if box.same_minutes:
        return f"multiIf({inside}, 1, {during}, 0, NULL)"
    return f"if({inside}, 1, CAST(0, 'Nullable(UInt8)'))"


def _given(question: Question, box: Box) -> set[str]:
    """Fields that differ because they were asked to."""
    holding = question.also if question.either else question.where
    return {box.of, *(one.field for one in holding if one.op == "=")}


def shown(
    contrast: Contrast, box: Box, asked: Meant, ask: Ask, *, ignore: Iterable[str]
) -> Different:
    """Counts, ranks and folds."""
    found = counted(contrast, ask)
    ranked = (
        differences(found, ignore) if found.totals[0].n and found.totals[1].n else Found((), 0, 0)
    )
    first = ranked.differences[:CHECKED]
    findings: tuple[Any, ...] = first
    if len(first) > 1:
        findings = folded(first, together(contrast, [one.test for one in first], ask))
    return Different(
        box=box,
        meant=asked,
        inside=found.totals[1].n,
        outside=found.totals[0].n,
        found=ranked,
        findings=findings,
        read=found.read,
        one_in=found.one_in,
    )
