"""Finding → the narrowest scope that holds it, by a search over the events' attributes.

First every value of every attribute is held against everything else, then the best eight of them
together: what says the same is folded, and two that hold it more narrowly than one are named both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from events.store.read import Statement, columns
from insights import attributes, scan
from insights.attributes import ABSENT, REST, Attribute
from insights.cohorts import Comparison, Scope
from insights.comparison import cut_of
from insights.deltas import Delta
from insights.slices import evened
from insights.statistics.excess import Counts, Excess, association, excess, of_masks
from insights.totals import BUCKETS, QUANTILES, Cut

BEST = 8
MOST_EVENTS = 1_000_000
LEAST_EXPLAINED = 0.25
SAME = 0.95
HELD = 0.7  # of what the wider segment explains, for a narrower one to be named instead
NARROWER = 1.3
NEARLY = 0.85
UNAFFECTED_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Term:
    """One condition on one attribute: `op` is = (one value), in, >, ≤ or absent."""

    field: str
    op: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """Terms that hold together, what they explain, and other terms that say the same."""

    terms: tuple[Term, ...]
    excess: Excess
    same: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Where:
    """The segments that hold a finding, best first, and attributes that make no difference."""

    segments: tuple[Segment, ...]
    unaffected: tuple[str, ...]
    tested: int


@dataclass(frozen=True, slots=True)
class Candidate:
    term: Term
    attribute: int
    keys: frozenset[str]  # the attribute's coded values that the term holds
    excess: Excess


def search(comparison: Comparison, delta: Delta) -> Where | None:
    """None where there is nothing to search."""
    if delta.measure == "traffic":
        return None
    inside = replace(comparison, scope=narrowed(comparison, delta.scope))
    cut, events = cut_of([inside])
    if not cut.places:
        return None
    hit = outcome(delta, cut)
    found = attributes.looked(inside, cut, hit, events)
    if not found.attributes:
        return None
    thin = max(events // MOST_EVENTS, 1)
    values = _Values(inside, cut, value_of(delta, hit), *evened(inside, cut, events), found, thin)
    table = _by_value(values)
    sign = 1.0 if delta.d > 0 else -1.0
    candidates, unaffected, tested = _candidates(table, found.attributes, sign)
    if not candidates:
        return Where((), unaffected, tested)
    masks, counts = _by_mask(values, candidates)
    return Where(tuple(chosen(candidates, masks, counts, tested, sign)), unaffected, tested)


def narrowed(comparison: Comparison, scope: Scope) -> Scope:
    """Where a finding is sought: that of a pool of routes in its whole service."""
    if scope.route == scan.OTHER_ROUTES:
        return Scope(scope.service)
    return Scope(scope.service or comparison.scope.service, scope.route or comparison.scope.route)


def outcome(delta: Delta, cut: Cut) -> str:
    """What is counted, as SQL over the events: a failure, a status code, or being slow."""
    if delta.measure == "error_rate":
        return "error"
    if delta.measure.startswith("status_code:"):
        return f"status_code = {int(delta.measure.partition(':')[2])}"
    name = delta.measure.removeprefix("latency_")
    return f"duration_ms > {float(cut.thresholds[name if name in QUANTILES else 'p50'][-1])!r}"


def value_of(delta: Delta, hit: str) -> str:
    """What is averaged, as SQL: the outcome's share, or for levels of latency their logarithm.

    A share above a threshold says nothing of requests that are always above it: what takes twice
    as long everywhere would seem to be a matter of the fast ones.
    """
    return "log1p(duration_ms)" if is_level(delta) else f"toFloat64({hit})"


def is_level(delta: Delta) -> bool:
    """Whether segments are compared by their typical latency, not by a share of requests."""
    return delta.measure in ("latency_mean", "latency_p50")


@dataclass(frozen=True, slots=True)
class _Values:
    """Events of a comparison with a value `y` and what each counts by, both as SQL."""

    comparison: Comparison
    cut: Cut
    y: str
    counts_by: str
    bound: dict[str, Any]
    found: attributes.Looked
    thin: int

    def source(self) -> scan.Source:
        """Its `cohort`, `bucket`, `counted` and `y`, beside the columns of the attributes."""
        extra = (*self.found.extra, f"{self.y} AS y")
        every = scan.source([self.comparison], self.cut, thin=self.thin, extra=extra)
        return scan.Source(
            f"(SELECT *, w * {self.counts_by} AS counted FROM {every.sql})",  # noqa: S608  # constants
            every.parameters
            | self.bound
            | self.found.parameters
            | attributes.bound(self.found.attributes),
        )


def _by_value(values: _Values) -> list[dict[str, Counts]]:
    """For each attribute, counts by coded value."""
    source, listed = values.source(), values.found.attributes
    coded = ", ".join(one.sql for one in listed)
    rows = columns(
        Statement(
            f"""SELECT place_of, value, cohort, bucket,
                    sum(counted) AS events, sum(counted * y) AS hits
                FROM (SELECT cohort, bucket, counted, y, [{coded}] AS coded FROM {source.sql})
                ARRAY JOIN coded AS value, arrayEnumerate(coded) AS place_of
                GROUP BY place_of, value, cohort, bucket""",  # noqa: S608  # constant fragments
            source.parameters,
        )
    ).columns
    table: list[dict[str, Counts]] = [{} for _ in listed]
    if not rows:
        return table
    for number, value, cohort, bucket, events, hits in zip(*rows.values(), strict=True):
        counts = table[number - 1].get(value)
        if counts is None:
            counts = Counts(np.zeros((2, BUCKETS)), np.zeros((2, BUCKETS)))
            table[number - 1][value] = counts
        counts.events[cohort - 1, bucket] += events
        counts.hits[cohort - 1, bucket] += hits
    return table


def _candidates(
    table: Sequence[dict[str, Counts]], listed: Sequence[Attribute], sign: float
) -> tuple[list[Candidate], tuple[str, ...], int]:
    """The best term of each attribute, best first; attributes without any; how many were tried."""
    terms = [_terms(one, by_value) for one, by_value in zip(listed, table, strict=True)]
    tested = sum(len(group) for group in terms)
    best: list[Candidate] = []
    unaffected = []
    for number, (one, by_value, group) in enumerate(zip(listed, table, terms, strict=True)):
        everything = _sum(by_value, by_value)
        held, differs = [], False
        for term, keys in group:
            found = excess(_sum(by_value, keys), everything, tested=tested, sign=sign)
            if found is None:
                continue
            differs |= found.low > 0 or found.high < 0
            if found.low > 0:
                held.append(Candidate(term, number, keys, found))
        if top := _joined(held, by_value, everything, tested, sign):
            best.append(top)
        elif one.is_kind and not differs and len(by_value) > 1:
            unaffected.append(one.name)
    best.sort(key=lambda one: -one.excess.explains)
    return best[:BEST], tuple(unaffected[:UNAFFECTED_SHOWN]), tested


def _terms(one: Attribute, by_value: dict[str, Counts]) -> list[tuple[Term, frozenset[str]]]:
    found = []
    if ABSENT in by_value and len(by_value) > 1:
        found.append((Term(one.name, "absent"), frozenset({ABSENT})))
    if one.cuts:
        coded = [key for key in by_value if key != ABSENT]
        for number, at in enumerate(one.cuts):
            above = frozenset(key for key in coded if int(key) > number)
            found.append((Term(one.name, ">", (f"{at:g}",)), above))
            found.append((Term(one.name, "≤", (f"{at:g}",)), frozenset(coded) - above))
        return [(term, keys) for term, keys in found if keys]
    values = [key for key in by_value if key not in (ABSENT, REST)]
    return [*found, *((Term(one.name, "=", (key,)), frozenset({key})) for key in values)]


def _sum(by_value: dict[str, Counts], keys: Any) -> Counts:
    total = Counts(np.zeros((2, BUCKETS)), np.zeros((2, BUCKETS)))
    for key in keys:
        total = total + by_value[key]
    return total


def _joined(
    held: list[Candidate],
    by_value: dict[str, Counts],
    everything: Counts,
    tested: int,
    sign: float,
) -> Candidate | None:
    """Several bad values of one attribute are one term; of cuts, the one that explains most."""
    if not held:
        return None
    held.sort(key=lambda one: -one.excess.explains)
    single = [one for one in held if one.term.op == "="]
    if len(single) > 1:
        keys = frozenset().union(*(one.keys for one in single))
        found = excess(_sum(by_value, keys), everything, tested=tested, sign=sign)
        if found is not None and found.explains > held[0].excess.explains:
            values = tuple(value for one in single for value in one.term.values)
            term = Term(single[0].term.field, "in", values)
            return Candidate(term, single[0].attribute, keys, found)
    if held[0].term.op in (">", "≤"):  # the narrowest cut among those that explain about as much
        near = [one for one in held if one.excess.explains >= NEARLY * held[0].excess.explains]
        return max(near, key=lambda one: one.excess.low)
    return held[0]


def _by_mask(values: _Values, candidates: Sequence[Candidate]) -> tuple[Any, list[Counts]]:
    """Counts by which of the candidates an event belongs to: one bit each."""
    bits, parameters = [], {}
    for number, one in enumerate(candidates):
        parameters[f"keys{number}"] = sorted(one.keys)
        coded = values.found.attributes[one.attribute].sql
        bits.append(f"toUInt16(has({{keys{number}:Array(String)}}, {coded})) * {1 << number}")
    source = values.source()
    rows = columns(
        Statement(
            f"""SELECT {" + ".join(bits)} AS mask, cohort, bucket,
                    sum(counted) AS events, sum(counted * y) AS hits
                FROM {source.sql} GROUP BY mask, cohort, bucket""",  # noqa: S608
            source.parameters | parameters,
        )
    ).columns
    masks = np.unique(np.asarray(rows["mask"], dtype=np.int64))
    place = {int(mask): number for number, mask in enumerate(masks)}
    grid = np.zeros((2, len(masks), 2, BUCKETS))
    for mask, cohort, bucket, events, hits in zip(*rows.values(), strict=True):
        grid[0, place[mask], cohort - 1, bucket] = events
        grid[1, place[mask], cohort - 1, bucket] = hits
    return masks, [Counts(grid[0, number], grid[1, number]) for number in range(len(masks))]


def chosen(
    candidates: Sequence[Candidate],
    masks: Any,
    counts: Sequence[Counts],
    tested: int,
    sign: float,
) -> list[Segment]:
    """The best segment, narrowed to two terms where that holds it too; then what is left."""
    every = of_masks(masks, counts, 0, 0)
    sizes = [
        float(of_masks(masks, counts, 1 << i, 1 << i).events.sum()) for i in range(len(candidates))
    ]
    whole = float(every.events.sum())

    def same(i: int, j: int) -> bool:
        bits = 1 << i | 1 << j
        both = float(of_masks(masks, counts, bits, bits).events.sum())
        return association(both, sizes[i], sizes[j], whole) > SAME

    segments: list[Segment] = []
    told: set[int] = set()
    outside = 0  # bits of what earlier segments hold: later ones are sought without it
    for i in range(len(candidates)):
        if i in told:
            continue
        own = excess(
            of_masks(masks, counts, outside | 1 << i, 1 << i),
            of_masks(masks, counts, outside, 0),
            tested=tested,
            sign=sign,
        )
        if own is None or own.low <= 0 or own.explains < LEAST_EXPLAINED:
            continue
        twins = [j for j in range(len(candidates)) if j != i and same(i, j)]
        told |= {i, *twins}
        pair = None if segments else _narrower(i, twins, candidates, masks, counts, tested, sign)
        terms: tuple[Term, ...] = (candidates[i].term,)
        if pair is not None:
            j, own = pair
            more = [k for k in range(len(candidates)) if k not in told and k != j and same(j, k)]
            twins += more
            told |= {j, *more}
            terms = (candidates[i].term, candidates[j].term)
        segments.append(Segment(terms, own, tuple(candidates[t].term for t in twins)))
        outside |= 1 << i
    return segments


def _narrower(
    i: int,
    twins: Sequence[int],
    candidates: Sequence[Candidate],
    masks: Any,
    counts: Sequence[Counts],
    tested: int,
    sign: float,
) -> tuple[int, Excess] | None:
    """The second term that holds nearly all of it with fewer requests, if there is one."""
    every = of_masks(masks, counts, 0, 0)
    own = candidates[i].excess
    best: tuple[int, Excess] | None = None
    for j in range(len(candidates)):
        if j == i or j in twins or candidates[j].term.field == candidates[i].term.field:
            continue
        bits = 1 << i | 1 << j
        found = excess(of_masks(masks, counts, bits, bits), every, tested=tested, sign=sign)
        if (
            found is not None
            and found.part >= HELD * own.part
            and found.low >= own.d * NARROWER
            and (best is None or found.explains > best[1].explains)
        ):
            best = (j, found)
    return best
