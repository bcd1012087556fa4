"""Comparison → Result: fetch the totals, measure, judge, and put into words. One look, whole."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from insights import placebos, sentences
from insights.cohorts import Builds, Comparison, Moment, Scope, Variants
from insights.comparison import Totals, totals
from insights.deltas import Delta, measured, part
from insights.findings import Finding, findings
from insights.statistics import before_after, quantiles, sample_ratio
from insights.verdicts import Evidence, Judged, judge

SLICES = 24
SHARE_SHIFT = 0.10
HISTORY = timedelta(hours=1)
LEAST_HISTORY = timedelta(minutes=15)
DISTRIBUTIONS = 3
CURVE_STEP = 5  # of the 2% bins: a point every 10%


class NothingToCompare(Exception):
    """One of the cohorts holds nothing; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How variants are meant to be assigned, as far as the flag's definition tells.

    `shares` are the planned (baseline, candidate) weights of a split by hash, else None.
    """

    split: bool = False
    shares: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one look found."""

    comparison: Comparison
    evidence: Evidence
    events: tuple[int, int]
    units: tuple[int, int]
    ratio: sample_ratio.SampleRatio | None
    judged: list[Judged]
    findings: list[Finding]
    note: str  # how the evidence was decided, and what limits it
    curves: dict[Scope, Any] = field(default_factory=dict)
    read_rows: int = 0
    took_ms: float = 0.0

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


def examine(comparison: Comparison, plan: Plan | None = None) -> Result:
    """One look at a comparison. Raises NothingToCompare, StoreUnavailable or QueryTooLarge."""
    seconds = max((comparison.until - comparison.since).total_seconds(), 1.0)
    sliced = Comparison(
        comparison.environment_id,
        comparison.cohorts,
        comparison.since,
        comparison.until,
        comparison.scope,
        slice_s=_slice_seconds(comparison, seconds),
    )
    found = totals(sliced)
    _both_or_raise(comparison, found)
    if not isinstance(comparison.cohorts, Builds) and not _shares_shift(found):
        found.cells.slice[:] = 0
    if isinstance(comparison.cohorts, Moment):
        return _before_and_after(comparison, found)
    return _side_by_side(comparison, found, plan or Plan(), seconds)


def _slice_seconds(comparison: Comparison, seconds: float) -> int:
    if isinstance(comparison.cohorts, Moment):
        return 0
    if isinstance(comparison.cohorts, Builds):
        return 60
    return max(60, math.ceil(seconds / SLICES))


def _both_or_raise(comparison: Comparison, found: Totals) -> None:
    for arm, label in enumerate(comparison.labels):
        if not (len(found.cells) and (found.cells.arm == arm).any()):
            raise NothingToCompare(_nothing(comparison, label))


def _nothing(comparison: Comparison, label: str) -> str:
    of = comparison.cohorts
    if isinstance(of, Variants):
        return f"No request has seen {of.flag}={label} in this window."
    if isinstance(of, Builds):
        return f"Build {label} of {of.service} served no request in this window."
    return f"No request came in {'the hour before' if label == 'before' else 'since then'}."


def _shares_shift(found: Totals) -> bool:
    """Whether the candidate's share of traffic changed between slices by more than chance."""
    slices, index = np.unique(found.cells.slice, return_inverse=True)
    if len(slices) < 2:
        return False
    by_arm = np.zeros((2, len(slices)))
    np.add.at(by_arm, (found.cells.arm, index), found.cells.events)
    total = by_arm.sum(axis=0)
    busy = total >= 50
    if busy.sum() < 2:
        return False
    share = by_arm[1, busy] / total[busy]
    noise = 4 * math.sqrt(0.25 / float(total[busy].min()))
    return bool(share.max() - share.min() > max(SHARE_SHIFT, noise))


def _side_by_side(comparison: Comparison, found: Totals, plan: Plan, seconds: float) -> Result:
    units = (found.units.whole.get(0, 0), found.units.whole.get(1, 0))
    ratio = sample_ratio.test(units, plan.shares) if plan.shares else None
    evidence: Evidence = "randomised" if plan.split else "concurrent"
    note, withheld = sentences.EVIDENCE[evidence], ""
    if isinstance(comparison.cohorts, Builds):
        note = "Concurrent: both builds served requests in the same minutes, which are compared"
    if ratio and ratio.mismatch:
        evidence = "concurrent"
        note = withheld = (
            "The split did not come out as planned (sample-ratio mismatch), so nothing is claimed:"
            " check that every user is asked for the flag and that no variant loses requests"
        )
    judged = judge(_deltas(found, comparison), evidence, elapsed_s=seconds, withheld=withheld)
    return _result(comparison, found, evidence, ratio, judged, note)


def _before_and_after(comparison: Comparison, found: Totals) -> Result:
    moment = comparison.cohorts
    assert isinstance(moment, Moment)  # noqa: S101  # the caller's branch, for the type checker
    history = moment.at - comparison.since
    drifts = placebos.drifts(comparison)
    seconds = max((comparison.until - moment.at).total_seconds(), 1.0)

    def gate(delta: Delta) -> str:
        return _gate(delta, drifts)

    withheld = ""
    if history < LEAST_HISTORY or not _history_is_filled(found):
        withheld = "less than 15 minutes of history to compare with"
    judged = judge(
        _deltas(found, comparison), "before_after", elapsed_s=seconds, withheld=withheld, gate=gate
    )
    note = (
        f"{sentences.EVIDENCE['before_after']}; checked against {drifts.count} earlier moments"
        " when nothing changed"
    )
    return _result(comparison, found, "before_after", None, judged, note)


def _history_is_filled(found: Totals) -> bool:
    return float(found.cells.events[found.cells.arm == 0].sum()) > 0


def _gate(delta: Delta, drifts: "placebos.Drifts") -> str:
    if delta.is_rate:
        if abs(delta.difference) <= before_after.SMALLEST_RATE_CHANGE:
            return "before and after, only more than half a point is told from drift"
        floor = 0.5 / max(min(delta.events), 1)
        log_ratio = math.log(max(delta.candidate, floor) / max(delta.baseline, floor))
        low = max(min(delta.baseline, delta.candidate), floor)
        variance = (delta.error / low) ** 2 if delta.baseline and delta.candidate else 0.25
        drift = drifts.errors
    else:
        log_ratio, variance, drift = delta.d, delta.error**2, drifts.latency
    if before_after.stands_out(log_ratio, variance, drift, drifts.count):
        return ""
    return "levels move this much by themselves at other times"


def _deltas(found: Totals, comparison: Comparison) -> list[Delta]:
    """All scopes; only the whole where the comparison itself asks for one scope."""
    if comparison.scope.route:
        return list(measured(part(found, None)))
    listed = list(measured(part(found, None)))
    for place in range(len(found.cells.places)):
        listed.extend(measured(part(found, place)))
    return listed


def _result(
    comparison: Comparison,
    found: Totals,
    evidence: Evidence,
    ratio: sample_ratio.SampleRatio | None,
    judged: list[Judged],
    note: str,
) -> Result:
    told = findings(judged, found)
    cells = found.cells
    return Result(
        comparison=comparison,
        evidence=evidence,
        events=(
            int(cells.events[cells.arm == 0].sum()),
            int(cells.events[cells.arm == 1].sum()),
        ),
        units=(found.units.whole.get(0, 0), found.units.whole.get(1, 0)),
        ratio=ratio,
        judged=judged,
        findings=told,
        note=note,
        curves=_curves(found, told),
        read_rows=found.read_rows,
        took_ms=found.took_ms,
    )


def _curves(found: Totals, told: list[Finding]) -> dict[Scope, Any]:
    """For the scopes worth a picture: latency distribution and status codes of both cohorts."""
    places = {scope: i for i, scope in enumerate(found.cells.places)}
    wanted: list[int | None] = [places.get(one.delta.scope) for one in told]
    busiest = int(np.bincount(found.cells.place, weights=found.cells.weight).argmax())
    shown: list[int | None] = []
    for place in (*wanted, None, busiest):
        if place not in shown and len(shown) < DISTRIBUTIONS:
            shown.append(place)
    return {
        (found.cells.places[place] if place is not None else Scope()): _curve(found, place)
        for place in shown
    }


def _curve(found: Totals, place: int | None) -> dict[str, Any]:
    of = part(found, place)
    arms = [of.cells.where(of.cells.arm == arm) for arm in (0, 1)]
    first, last = int(of.cells.bin.min()), int(of.cells.bin.max()) + 1
    edges = range(first, last + CURVE_STEP, CURVE_STEP)
    curve: dict[str, Any] = {
        "ms": [round(math.exp(edge / quantiles.BINS_PER_E), 3) for edge in edges],
        "below": [],
        "statuses": [],
    }
    for cells in arms:
        total = float(cells.weight.sum()) or 1.0
        curve["below"].append(
            [round(float(cells.weight[cells.bin < edge].sum()) / total, 5) for edge in edges]
        )
        curve["statuses"].append(
            {
                str(code): round(float(cells.weight[cells.status == code].sum()) / total, 6)
                for code in np.unique(cells.status)
                if code
            }
        )
    return curve


def window_of(moment: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Before and after: the hour before, and at most the hour after."""
    return moment - HISTORY, min(now, moment + HISTORY)
