"""A picked time → how it differs from the time before, and which changes explain that.

A change explains the difference where it vanishes with the change held fixed; it may be the cause
where it reached every request at once and the level moved just then; it is not where the
difference is there with and without it, or where the level moved at another time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from insights.changed.levels import Levels, levels
from insights.changes import Told, told
from insights.cohorts import Comparison, Moment, Scope
from insights.comparison import cut_of
from insights.deltas import Delta
from insights.examine import Result, examine
from insights.models import Watch
from insights.overlaps import Overlap, named, overlaps
from insights.scan import OTHER_ROUTES
from insights.verdicts import Judged
from insights.where import Where, narrowed, search
from projects.models import Environment
from releases.changes import timeline
from releases.models import Change

SHORTEST = timedelta(minutes=2)
LONGEST = timedelta(hours=24)
MOST = 60
MEASURES = {
    "latency_mean": "Latency, mean",
    "latency_p50": "Latency, p50",
    "latency_p95": "Latency, p95",
    "latency_p99": "Latency, p99",
    "error_rate": "Failures",
    "traffic": "Requests",
}
UNASKED = ("latency_mean", "latency_p50", "latency_p95", "error_rate")
Part = Literal["explains", "coincides", "may", "no"]
ORDER: tuple[Part, ...] = ("explains", "coincides", "may", "no")
ALL = 0.8  # of a difference: what is left then needs no other change


@dataclass(frozen=True, slots=True)
class Asked:
    """A time of an environment, in one scope; `measure` is one of MEASURES, or "" for what
    differs most."""

    since: datetime
    until: datetime
    scope: Scope
    measure: str = ""

    @property
    def before(self) -> datetime:
        """Where the time begins that it is compared with: as long, and just before."""
        return self.since - (self.until - self.since)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One change and its part in the difference. `share` is how much of it goes with the change,
    where that can be measured; `finding` is what its own comparison found of the same kind."""

    told: Told
    part: Part
    share: float | None
    overlap: Overlap | None
    fits: bool
    finding: str = ""
    alike: bool = False  # with and without it, requests of the same minutes are too alike
    spared: bool = False  # it came just then, but another change explains all there is


@dataclass(frozen=True, slots=True)
class Explained:
    """The whole answer. `differs` says whether the difference is more than chance and drift."""

    asked: Asked
    result: Result
    difference: Judged
    differs: bool
    levels: Levels
    candidates: tuple[Candidate, ...]
    standing: tuple[Overlap, ...]  # flags that nobody changed here, and yet explain it
    where: Where | None

    @property
    def leading(self) -> tuple[Candidate, ...]:
        """The changes to be named first: all of the best kind that explains anything."""
        best = next((one.part for one in self.candidates if one.part != "no"), None)
        return tuple(one for one in self.candidates if one.part == best) if best else ()


def explained(environment: Environment, asked: Asked) -> Explained:
    """Raises NothingToCompare, StoreUnavailable and QueryTooLarge."""
    moment = Moment(asked.since, picked=True)
    comparison = Comparison(environment.id, moment, asked.before, asked.until, asked.scope)
    result = examine(comparison)
    difference = _scoped(_difference(result, asked.measure), asked.scope)
    delta = difference.delta
    inside = Comparison(
        environment.id, moment, asked.before, asked.until, narrowed(comparison, delta.scope)
    )
    cut, _ = cut_of([inside])
    found = levels(inside, delta, cut)
    differs = difference.verdict in ("worse", "better") or (
        delta.measure == "traffic" and _is_apart(delta)
    )
    others = overlaps(comparison, delta) if differs else []
    changes = timeline(environment.id, since=asked.before, until=asked.until, limit=MOST)
    candidates = ranked(told(changes), others, delta, found, _own(changes))
    return Explained(
        asked=asked,
        result=result,
        difference=difference,
        differs=differs,
        levels=found,
        candidates=tuple(candidates if differs else ()),
        standing=tuple(
            one
            for one in others
            if one.other.change_id is None and one.checked.answer in ("explains", "partly")
        ),
        where=search(comparison, delta) if differs else None,
    )


def _difference(result: Result, measure: str) -> Judged:
    """Of the measure asked for, else the leading finding, else the mean."""
    told = [one.judged for one in result.findings if one.delta.scope.route != OTHER_ROUTES]
    if not measure and told:
        return told[0]
    whole = {one.delta.measure: one for one in result.judged if one.delta.scope.whole}
    for name in (measure, *UNASKED):
        if name in whole:
            return whole[name]
    return result.judged[0]


def _scoped(judged: Judged, scope: Scope) -> Judged:
    """The whole of a comparison that is of one scope is that scope."""
    if not judged.delta.scope.whole:
        return judged
    return replace(judged, delta=replace(judged.delta, scope=scope))


def _is_apart(delta: Delta) -> bool:
    low, high = delta.ratio_interval or (0.0, 2.0)
    return not low <= 1 <= high


@dataclass(frozen=True, slots=True)
class Own:
    """What a change's own comparisons say: findings that no other change explains, and deltas of
    variants or builds that were there at the same time."""

    findings: tuple[dict[str, Any], ...] = ()
    beside: tuple[dict[str, Any], ...] = ()


def _own(changes: Sequence[Change]) -> dict[int, Own]:
    found: dict[int, Own] = {}
    for watch in Watch.objects.filter(change_id__in=[one.id for one in changes]):
        known = found.get(watch.change_id or 0, Own())
        findings = [
            one
            for one in watch.result.get("findings", [])
            if not (one.get("reasons") or {}).get("is_explained")
        ]
        together = watch.evidence in ("concurrent", "randomised")
        beside = watch.result.get("deltas", []) if together else []
        found[watch.change_id or 0] = Own((*known.findings, *findings), (*known.beside, *beside))
    return found


def ranked(
    changes: Sequence[Told],
    others: Iterable[Overlap],
    delta: Delta,
    found: Levels,
    owns: dict[int, Own],
) -> list[Candidate]:
    """Every change with its part, those that explain most first."""
    by_name = {(one.other.kind, one.other.name): one for one in others}
    fitting = {
        of: any(found.fits(one.change.time) for one in changes if named(one.change) == of)
        for of in {named(one.change) for one in changes}
    }  # of several deploys of one service, it is those of the time when the level moved
    candidates: list[Candidate] = []
    for one in changes:
        change = one.change
        fits = found.fits(change.time)
        overlap = by_name.get(named(change)) if fits or not fitting[named(change)] else None
        own = owns.get(change.id, Own())
        finding = next((f for f in own.findings if _alike(f, delta)), None)
        part, share = _part(overlap, fits=fits, own=finding is not None)
        text = str(finding["sentence"]) if finding else ""
        alike = part == "coincides" and not finding and is_excluded(own.beside, delta)
        candidates.append(
            Candidate(one, "no" if alike else part, share, overlap, fits, text, alike)
        )
    if any(one.part == "explains" and (one.share or 0.0) >= ALL for one in candidates):
        candidates = [
            replace(one, part="no", spared=True) if one.part == "coincides" else one
            for one in candidates
        ]
    moved = found.moved_at
    candidates.sort(
        key=lambda one: (
            ORDER.index(one.part),
            -(one.share or 0.0),
            not one.finding,
            abs((one.told.change.time - moved).total_seconds()) if moved else 0.0,
        )
    )
    return candidates


def _part(overlap: Overlap | None, *, fits: bool, own: bool) -> tuple[Part, float | None]:
    if overlap is not None:
        checked = overlap.checked
        share = None
        if checked.within is not None and checked.overall:
            share = min(max(1 - checked.within / checked.overall, 0.0), 1.0)
        if checked.answer in ("explains", "partly", "only_with"):
            return "explains", share if checked.answer != "only_with" else None
        if checked.answer == "independent":
            return "no", share
    if fits:
        return "coincides", None
    return ("may" if own else "no"), None


def is_excluded(deltas: Iterable[dict[str, Any]], delta: Delta) -> bool:
    """Whether variants or builds of the same minutes differ by less than what is to be explained.

    Where not all requests meet a change, it would have to do even more to those that do.
    """
    scope = delta.scope.as_json()
    for one in deltas:
        if one["measure"] != delta.measure or one["scope"] != scope:
            continue
        name, wanted = ("difference", delta.difference) if delta.is_rate else ("ratio", delta.ratio)
        bounds = one["interval"][name]
        if bounds and wanted is not None:
            return bool(bounds[1] < wanted if delta.d > 0 else bounds[0] > wanted)
    return False


def _alike(finding: dict[str, Any], delta: Delta) -> bool:
    """Whether a change's own finding could be this difference: same kind, way and place."""
    measure = str(finding["measure"])
    same_kind = measure == delta.measure or (
        measure.startswith("latency_") and delta.measure.startswith("latency_")
    )
    up = finding["difference"] > 0
    own = delta.scope.as_json()
    place = all(own.get(name) in (None, value) for name, value in finding["scope"].items())
    return same_kind and up == (delta.difference > 0) and place
