"""Spans of one trace → rows of a waterfall: a tree in order of time, alike ones folded. Pure.

A row's bar has the span's own time drawn strong and what its children took drawn faint, so that
gaps, where nothing but the span itself ran, can be seen. Times are shares of the whole trace.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FOLD_FROM = 5  # alike siblings without an error of their own
MOST_ROWS = 400
DEEPEST = 60
SEEN_APART = 0.002  # of the trace: parts of own time closer than this are one


@dataclass(frozen=True, slots=True)
class Span:
    """What a row needs of an event."""

    id: str
    parent: str
    time: datetime
    duration_ms: float
    service: str
    what: str
    build: str
    error: bool
    status: int
    kind: str = ""
    has_events: bool = False
    flags: tuple[str, ...] = ()  # "FLAG=variant", where the span itself told of them

    @property
    def end(self) -> datetime:
        return self.time + timedelta(milliseconds=self.duration_ms)


@dataclass(frozen=True, slots=True)
class Row:
    """One bar: a span, or `alike` spans folded into one."""

    span: Span
    depth: int
    start: float  # share of the trace, 0 to 1
    width: float
    own: tuple[tuple[float, float], ...]  # (start, width) of its own time, all alike ones'
    own_ms: float
    alike: int = 1
    alike_ms: float = 0.0
    errors: int = 0
    key: str = ""  # names the fold, for opening it
    within: int = 0  # spans under those that are folded
    lost: bool = False  # its parent is not stored
    below: int = 0  # spans under it that are folded away, as there are too many rows
    below_errors: int = 0
    late: bool = False  # it began before its parent, or ended after it: clocks, or work left behind


@dataclass(frozen=True, slots=True)
class Waterfall:
    rows: tuple[Row, ...]
    begin: datetime
    total_ms: float
    spans: int
    services: tuple[str, ...]
    errors: int
    left_out: int  # rows beyond those that are shown
    idle: tuple[tuple[float, float], ...]  # (start, width): no span was under way


def waterfall(
    spans: Sequence[Span],
    opened: Iterable[str] = (),
    *,
    fold: bool = True,
    root: str = "",
    skip: int = 0,
) -> Waterfall:
    """`opened` are keys of folds that are shown span by span.

    `root` is the span that is looked at with all that is under it; of too many rows the deepest
    are folded into those above them, and where that is not enough, `skip` leads on.
    """
    spans = _under(spans, root) if root else spans
    begin = min(span.time for span in spans)
    end = max(span.end for span in spans)
    total = max((end - begin).total_seconds(), 1e-6)
    known = {span.id: span for span in spans}
    children: dict[str, list[Span]] = {}
    roots = []
    for span in sorted(spans, key=lambda one: (one.time, one.id)):
        if span.parent and span.parent in known and span.parent != span.id:
            children.setdefault(span.parent, []).append(span)
        else:
            roots.append(span)
    roots += _circles(spans, roots, children)
    rows: list[Row] = []
    open_keys = set(opened)

    least = timedelta(seconds=total * SEEN_APART)

    def share(at: datetime) -> float:
        return min(max((at - begin).total_seconds() / total, 0.0), 1.0)

    # A stack, not recursion: a trace may be a thousand spans deep.
    stack: list[tuple[list[Span], int, str]] = [([root], 0, "") for root in reversed(roots)]
    seen: set[str] = set()
    while stack:
        group, depth, key = stack.pop()
        span = group[0]
        if span.id in seen:
            continue
        seen.update(one.id for one in group)
        inner = [one for each in group for one in children.get(each.id, [])]
        parts = [part for one in group for part in _own(one, children.get(one.id, []))]
        own = _joined(parts, least)
        under = _below(inner, children) if len(group) > 1 else set()
        parent = known.get(span.parent)
        rows.append(
            Row(
                span=span,
                depth=min(depth, DEEPEST),
                start=share(span.time),
                width=share(max(one.end for one in group)) - share(span.time),
                own=tuple((share(a), share(b) - share(a)) for a, b in own),
                own_ms=sum((b - a).total_seconds() for a, b in parts) * 1000,
                alike=len(group),
                alike_ms=sum(one.duration_ms for one in group),
                errors=sum(one.error for one in group),
                key=key,
                within=len(under),
                lost=bool(span.parent) and span.parent not in known,
                late=parent is not None and _outside(span, parent),
            )
        )
        if len(group) > 1:
            seen.update(under)
            continue
        stack += [
            (part, depth + 1, part_key)
            for part, part_key in reversed(_folds(span.id, inner, open_keys, fold=fold))
        ]
    shown = _shallow(rows)
    return Waterfall(
        rows=tuple(shown[skip : skip + MOST_ROWS]),
        begin=begin,
        total_ms=total * 1000,
        spans=len(spans),
        services=tuple(dict.fromkeys(span.service for span in spans)),
        errors=sum(span.error for span in spans),
        left_out=max(0, len(shown) - skip - MOST_ROWS),
        idle=tuple((share(a), share(b) - share(a)) for a, b in _gaps(spans, begin, end, total)),
    )


def _under(spans: Sequence[Span], root: str) -> Sequence[Span]:
    """A span and all under it; every span where there is no such one."""
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent, []).append(span)
    wanted = _below([span for span in spans if span.id == root], children)
    return [span for span in spans if span.id in wanted] or spans


def _shallow(rows: Sequence[Row]) -> list[Row]:
    """No more than MOST_ROWS where that can be had by folding the deepest levels away."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    levels = Counter(row.depth for row in rows)
    deepest, count = -1, 0
    for depth in sorted(levels):
        count += levels[depth]
        if count > MOST_ROWS:
            break
        deepest = depth
    deepest = max(deepest, 1)  # so that each step down leads further
    shown: list[Row] = []
    hidden: list[tuple[int, int]] = []
    for row in rows:
        if row.depth <= deepest:
            shown.append(row)
            hidden.append((0, 0))
        else:  # rows are in the order of the tree: the last one shown is above it
            spans, errors = hidden[-1]
            hidden[-1] = (spans + row.alike, errors + row.errors)
    return [
        replace(row, below=spans, below_errors=errors) if spans else row
        for row, (spans, errors) in zip(shown, hidden, strict=True)
    ]


def _folds(
    parent: str, spans: Sequence[Span], opened: set[str], *, fold: bool
) -> list[tuple[list[Span], str]]:
    """Alike siblings together where there are many; those that failed stay by themselves."""
    alike: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        if not span.error:
            alike.setdefault((span.service, span.what), []).append(span)
    folded: dict[str, str] = {}
    groups: list[tuple[list[Span], str]] = []
    for (service, what), group in alike.items():
        key = f"{parent}:{service}:{what}"[:200]
        if fold and len(group) >= FOLD_FROM:
            if key in opened:
                folded |= {span.id: "" for span in group}
                groups += [([span], "") for span in group]
            else:
                folded |= {span.id: key for span in group}
                groups.append((group, key))
    groups += [([span], "") for span in spans if span.id not in folded]
    return sorted(groups, key=lambda one: (one[0][0].time, one[0][0].id))


def _circles(
    spans: Sequence[Span], roots: Sequence[Span], children: dict[str, list[Span]]
) -> list[Span]:
    """Spans that name each other as parents hang from nothing: the first of each circle."""
    reached = _below(list(roots), children) | {root.id for root in roots}
    found = []
    for span in sorted(spans, key=lambda one: (one.time, one.id)):
        if span.id not in reached:
            found.append(span)
            reached |= _below([span], children) | {span.id}
    return found


def _below(spans: list[Span], children: dict[str, list[Span]]) -> set[str]:
    found: set[str] = set()
    stack = list(spans)
    while stack:
        span = stack.pop()
        if span.id in found:
            continue
        found.add(span.id)
        stack += children.get(span.id, [])
    return found


def _outside(span: Span, parent: Span) -> bool:
    slack = timedelta(milliseconds=1)
    return span.time < parent.time - slack or span.end > parent.end + slack


def _own(span: Span, children: Sequence[Span]) -> list[tuple[datetime, datetime]]:
    """The parts of a span in which none of its children ran."""
    parts, at = [], span.time
    for child in sorted(children, key=lambda one: one.time):
        if child.time > at:
            parts.append((at, min(child.time, span.end)))
        at = max(at, child.end)
        if at >= span.end:
            return [part for part in parts if part[1] > part[0]]
    return [part for part in [*parts, (at, span.end)] if part[1] > part[0]]


def _joined(
    parts: Sequence[tuple[datetime, datetime]], least: timedelta
) -> list[tuple[datetime, datetime]]:
    """Parts in order of time, one where they touch or nobody would see what is between."""
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(parts):
        if joined and begin - joined[-1][1] < least:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _gaps(
    spans: Sequence[Span], begin: datetime, end: datetime, total_s: float
) -> list[tuple[datetime, datetime]]:
    """Times of at least 1% of the trace in which no span was under way."""
    least = timedelta(seconds=total_s * 0.01)
    gaps, at = [], begin
    for span in sorted(spans, key=lambda one: one.time):
        if span.time - at > least:
            gaps.append((at, span.time))
        at = max(at, span.end)
    if end - at > least:
        gaps.append((at, end))
    return gaps
