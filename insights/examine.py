"""Comparison → Result: fetch the totals, measure, judge, and put into words. One look, whole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from insights import callers, clocks, fixed_length, placebos, pools, sentences, usual
from insights.cohorts import Comparison, Moment, Scope, Variants
from insights.comparison import NothingToCompare, totals
from insights.deltas import Delta, deltas, measured
from insights.findings import Finding, findings
from insights.fixed_length import FixedLength
from insights.health import Health, health
from insights.mix import Mix, mix
from insights.parts import part
from insights.statistics import quantiles, sample_ratio
from insights.totals import Totals, shared_slices
from insights.verdicts import Evidence, Judged, joint_weights, judge

__all__ = ["NothingToCompare", "Plan", "Result", "examine", "examined", "window_of"]

HISTORY = timedelta(hours=1)
LEAST_HISTORY = timedelta(minutes=15)
DISTRIBUTIONS = 3
CURVE_STEP = 5  # of the 2% bins: a point every 10%


@dataclass(frozen=True, slots=True)
class Plan:
    """How variants are meant to be assigned, as far as the flag's definition tells.

    `split`: each unit's variant is decided by a hash, at any one time. `shares` are the planned
    (baseline, candidate) weights where they stay the same, else None; `moving`: they move, so that
    units go from one variant to the other. `moved_by`: other flags that it asks for, and that
    changed meanwhile.
    """

    split: bool = False
    shares: tuple[float, float] | None = None
    moving: bool = False
    moved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What one look found."""

    comparison: Comparison
    evidence: Evidence
    events: tuple[int, int]
    units: tuple[int, int]
    unit: str  # what they are, as the filter `counted` reads it
    ratio: sample_ratio.SampleRatio | None
    judged: list[Judged]
    findings: list[Finding]
    note: str  # how the evidence was decided, and what limits it
    curves: dict[Scope, Any] = field(default_factory=dict)
    read_rows: int = 0
    took_ms: float = 0.0
    health: Health | None = None
    length: FixedLength | None = None  # where its end is known, with this look
    mix: Mix | None = None
    drifts: placebos.Drifts | None = None  # before and after: what levels do by themselves
    callers: "tuple[Result, ...]" = ()  # of a deploy: what each service that calls it shows

    @property
    def verdict(self) -> str:
        told = [finding.judged.verdict for finding in self.findings]
        for verdict in ("worse", "better"):
            if verdict in told:
                return verdict
        decided = {
            one.delta.measure
            for one in self.judged
            if one.verdict == "no_difference" and one.delta.scope.whole
        }
        same = decided & {"latency_mean", "latency_p50", "latency_p95"} and "error_rate" in decided
        return "no_difference" if same else "unknown"

    @property
    def headline(self) -> str:
        """The best sentence, capital first, without a full stop."""
        if self.findings:
            text = sentences.sentence(self.findings[0], self.comparison)
        elif self.verdict == "no_difference":
            text = sentences.no_difference(self.judged)
        else:
            text = sentences.not_known(self.judged)
        return text[:1].upper() + text[1:]


def examine(
    comparison: Comparison, plan: Plan | None = None, length: FixedLength | None = None
) -> Result:
    """One look at a comparison. Raises NothingToCompare, StoreUnavailable or QueryTooLarge."""
    return examined(totals(comparison), plan, length)


def examined(
    found: Totals,
    plan: Plan | None = None,
    length: FixedLength | None = None,
    above: Sequence[Totals] = (),
    known: Health | None = None,
) -> Result:
    """A look at totals that have been fetched, of a deploy with those of its callers.

    `known` is the flag's health, asked for here where the caller has not.
    Raises StoreUnavailable or QueryTooLarge.
    """
    comparison = found.comparison
    of = comparison.cohorts
    if isinstance(of, Moment):
        return _told(_before_and_after(found), found)
    if isinstance(of, Variants) and known is None:
        known = health(comparison.environment_id, of.flag, comparison.since, comparison.until)
    return _told(
        judged_side_by_side(found, plan or Plan(), known or Health(), length, above), found
    )


def _told(result: Result, found: Totals) -> Result:
    """Without what is only a shift of traffic among pooled routes."""
    judged, told = pools.without_shifts(
        result.comparison, found.cut, result.judged, result.findings
    )
    return replace(result, judged=judged, findings=told)


def judged_side_by_side(
    found: Totals,
    plan: Plan,
    known: Health,
    length: FixedLength | None = None,
    above: Sequence[Totals] = (),
) -> Result:
    """Two cohorts at the same time, with what is known of the flag's health. Asks no store.

    Of a deploy, `above` are its callers: their deltas and its own are one family.
    """
    units = found.units.whole
    ratio = None
    countable = found.units.are_users and not found.unevenly_sampled
    if plan.shares and countable and found.events.shape[1] == 1:
        ratio = sample_ratio.test(units, plan.shares)
    by_chance = plan.split or (plan.shares is None and known.by_chance)
    evidence: Evidence = "randomised" if by_chance else "concurrent"
    note = sentences.EVIDENCE["ramp" if plan.split and plan.moving else evidence]
    withheld = known.withheld(split=plan.split and not plan.moving)
    if not isinstance(found.comparison.cohorts, Variants):
        note = "Concurrent: both served requests in the same minutes, which are compared"
    if ratio and ratio.mismatch:
        evidence = "concurrent"
        withheld = (
            "the split did not come out as planned (sample-ratio mismatch), so nothing is claimed:"
            " check that every user is asked for the flag and that no variant loses requests"
        )
        note = f"T{withheld[1:]}"
    elif withheld:
        evidence, note = "concurrent", withheld
    if plan.moved_by:
        note += f"; {sentences.moved_by(plan.moved_by)}"
    note = "; ".join((note, *known.warnings(moving=plan.moving)))
    if not found.units.are_users:
        note += f"; {sentences.unnamed(found.units.named_share)}"
    if plan.shares and found.unevenly_sampled:
        note += (
            "; sampling keeps some requests more often than others, so whether the split came out"
            " as planned can't be checked"
        )
    found = shared_slices(found)
    own = _deltas(found)
    theirs = [callers.deltas_of(one) for one in above]
    if known.askew and not any(one.tested for one in own if one.measure != "traffic"):
        withheld = withheld or known.askew
    everything = [*own, *(delta for each in theirs for delta in each)]
    weights = joint_weights(own, theirs)
    if length is not None:
        length = fixed_length.looked(length, everything, weights)
        note += f"; {sentences.fixed_length(length)}"
    judged = judge(
        everything,
        evidence,
        elapsed_s=found.seconds[1] / found.pace,
        withheld=withheld,
        length=length,
        weights=weights,
    )
    result = _result(found, evidence, ratio, judged[: len(own)], note)
    rest = iter(judged[len(own) :])
    seen = [
        _caller(one, [next(rest) for _ in each]) for one, each in zip(above, theirs, strict=True)
    ]
    return replace(result, health=known, length=length, callers=tuple(seen))


def _caller(found: Totals, judged: list[Judged]) -> Result:
    """What one service that calls a deployed one shows, judged already."""
    whole = found.comparison.scope
    own = [callers.unnamed(one, whole) for one in judged]
    result = _result(found, "concurrent", None, own, "")
    named = [callers.told(one, whole) for one in result.findings]
    return replace(result, judged=judged, findings=named)


def _before_and_after(found: Totals) -> Result:
    comparison = found.comparison
    moment = comparison.cohorts
    assert isinstance(moment, Moment)  # noqa: S101  # the caller's branch, for the type checker
    drifts = placebos.drifts(comparison)

    def gate(delta: Delta) -> str:
        return usual.gate(delta, drifts)

    withheld = ""
    if drifts.history < LEAST_HISTORY:
        withheld = "less than 15 minutes of history to compare with"
    service = moment.service or comparison.scope.service
    askew = clocks.askew(
        comparison.environment_id, comparison.since, comparison.until, service=service
    )
    withheld = clocks.said(askew) or withheld  # before and after are not what they seem
    judged = judge(
        [usual.beyond(one, drifts) for one in _deltas(found)],
        "before_after",
        elapsed_s=found.seconds[1],
        withheld=withheld,
        gate=gate,
    )
    note = f"{sentences.EVIDENCE['before_after']}; {placebos.said(drifts)}"
    return replace(_result(found, "before_after", None, judged, note), drifts=drifts)


def _deltas(found: Totals) -> list[Delta]:
    """All scopes; only the whole where the comparison itself asks for one scope."""
    if found.comparison.scope.route:
        return list(measured(part(found, None)))
    return deltas(found)


def _result(
    found: Totals,
    evidence: Evidence,
    ratio: sample_ratio.SampleRatio | None,
    judged: list[Judged],
    note: str,
) -> Result:
    told = findings(judged, found)
    events = found.events.sum(axis=(1, 2))
    return Result(
        comparison=found.comparison,
        evidence=evidence,
        events=(int(events[0]), int(events[1])),
        units=found.units.whole,
        unit=found.units.noun,
        ratio=ratio,
        judged=judged,
        findings=told,
        note=note,
        curves=_curves(found, told),
        mix=None if found.comparison.scope.route or found.events.shape[1] > 1 else mix(found),
        read_rows=found.read_rows,
        took_ms=found.took_ms,
    )


def _curves(found: Totals, told: list[Finding]) -> dict[Scope, Any]:
    """For the scopes worth a picture: latency distribution and status codes of both cohorts."""
    places = {scope: i for i, scope in enumerate(found.places)}
    wanted: list[int | None] = [places.get(one.delta.scope) for one in told]
    shown: list[int | None] = []
    for place in (*wanted, None, 0):
        if place not in shown and len(shown) < DISTRIBUTIONS:
            shown.append(place)
    return {(found.places[p] if p is not None else Scope()): _curve(found, p) for p in shown}


def _curve(found: Totals, place: int | None) -> dict[str, Any]:
    of = part(found, place)
    bins = of.binned()
    seen = np.flatnonzero(bins.sum(axis=0))
    first, last = (int(seen[0]), int(seen[-1])) if len(seen) else (0, 0)
    by_code = {code: of.evened(grid.sum(axis=3)) for code, grid in found.codes.items()}
    counted = of.evened(found.sums["weight"].sum(axis=3))  # bins may have read a little more
    edges = range(first, last + 1 + CURVE_STEP, CURVE_STEP)
    medians = [one.log_quantile(0.5) for one in of.histograms()[:2]]
    curve: dict[str, Any] = {
        "medians": [round(math.exp(one), 3) for one in medians],
        "ms": [round(math.exp((found.first_bin + e) / quantiles.BINS_PER_E), 3) for e in edges],
        "below": [],
        "statuses": [],
    }
    for arm in (0, 1):
        below = np.concatenate([[0.0], np.cumsum(bins[arm])])
        total = float(below[-1]) or 1.0
        curve["below"].append(
            [round(float(below[min(e, len(below) - 1)]) / total, 5) for e in edges]
        )
        codes = {code: float(shares[arm]) for code, shares in by_code.items()}
        curve["statuses"].append(
            {
                str(code): round(part / (float(counted[arm]) or 1.0), 6)
                for code, part in sorted(codes.items())
                if part
            }
        )
    return curve


def window_of(moment: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Before and after: the hour before, and at most the hour after."""
    return moment - HISTORY, min(now, moment + HISTORY)
