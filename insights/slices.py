"""When both cohorts of a comparison were served, and whether one's share changed meanwhile.

The one place that narrows a comparison to the time that its cohorts share; what is found carries
it on (`Totals.comparison`). A pooled comparison of cohorts that were served at different times
confuses variant with hour, so those are compared within slices of time. Slices multiply the rows:
only where they are needed.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from insights import counted, scan
from insights.cohorts import Comparison, Moment
from insights.pieces import array, fetched
from insights.totals import Cut

SLICES = 24
SHORTEST_SLICE_S = 60
APART = 0.06  # of one cohort, served at times when the other was not
ENOUGH_EVENTS = 50
A_MOMENT = timedelta(milliseconds=1)
BY_CHANCE = 1e-6  # of a steady share, looked at each minute, to be taken for one that moves
IMPRESSION = 200_000  # events that are enough to see whether shares changed

Traffic = dict[str, NDArray[Any]]


def in_slices(
    comparisons: Sequence[Comparison], cut: Cut, events: int
) -> tuple[list[Comparison], list[float]]:
    """Each in the time of both its cohorts, with slices where the candidate's share changed in it.

    Beside them the pace of each: traffic of the later half of its window over the mean.
    """
    if isinstance(comparisons[0].cohorts, Moment):
        return [replace(one, slice_s=0) for one in comparisons], [1.0] * len(comparisons)
    thin = max(events // IMPRESSION, 1)
    wanted = [one if one.slice_s else replace(one, slice_s=step_of(one)) for one in comparisons]
    traffic = _traffic(wanted, cut, thin)
    within = [_while_both(one, own) for one, own in zip(wanted, traffic, strict=True)]
    narrowed = [n for n, one in enumerate(within) if one != wanted[n]]
    if narrowed:
        again = _traffic([within[n] for n in narrowed], cut, thin)
        for n, own in zip(narrowed, again, strict=True):
            wanted[n], traffic[n] = within[n], own
    answers = [
        one if shares_shift(own["arm"], own["slice"], own["events"]) else replace(one, slice_s=0)
        for one, own in zip(wanted, traffic, strict=True)
    ]
    return answers, [_pace(own["slice"], own["events"]) for own in traffic]


def _traffic(comparisons: Sequence[Comparison], cut: Cut, thin: int) -> list[Traffic]:
    """Of each: events by cohort (`arm`) and slice, with the first and last of them."""
    found = fetched(counted.shares(scan.source(comparisons, cut, thin=thin))).columns
    names = ("cohort", "slice", "events", "first", "last")
    columns = {name: array(found, name, np.int64) for name in names}
    columns["weight"] = array(found, "weight", np.float64)
    whose, arm = np.divmod(columns.pop("cohort") - 1, 2)
    return [
        {"arm": arm[whose == number]}
        | {name: column[whose == number] for name, column in columns.items()}
        for number in range(len(comparisons))
    ]


def _while_both(one: Comparison, traffic: Traffic) -> Comparison:
    """The time in which both were seen, where one came or went a slice from an end or more.

    A variant that appeared today is not compared with all that the other one served this week.
    """
    arms = [traffic["arm"] == arm for arm in (0, 1)]
    if not all(own.any() for own in arms):
        return one
    step = timedelta(seconds=one.slice_s)
    since, until = one.since, one.until
    first = _time(max(int(traffic["first"][own].min()) for own in arms))
    last = _time(min(int(traffic["last"][own].max()) for own in arms))
    if first - since >= step:
        since = first
    if until - last >= step:
        until = last + A_MOMENT
    if until <= since or (since, until) == (one.since, one.until):
        return one
    within = replace(one, since=since, until=until)
    return replace(within, slice_s=step_of(within))


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)


def evened(comparison: Comparison, cut: Cut, events: int) -> tuple[str, dict[str, Any]]:
    """What an event counts by so that both cohorts lie alike over the slices, as SQL over a scan's
    `cohort` and `slice`, and its parameters; "1" where there are no slices.

    In each slice a cohort counts by the other's share of it, so what the hour does is in both. Each
    counts as much altogether as it has events in the time that they share.
    """
    if not comparison.slice_s:
        return "1", {}
    traffic = _traffic([comparison], cut, max(events // IMPRESSION, 1))[0]
    first = int(comparison.since.timestamp()) // comparison.slice_s
    last = int(comparison.until.timestamp()) // comparison.slice_s
    each = np.zeros((last - first + 1, 2))
    inside = (traffic["slice"] >= first) & (traffic["slice"] <= last)
    at = (traffic["slice"][inside] - first, traffic["arm"][inside])
    np.add.at(each, at, traffic["weight"][inside])
    total = each.sum(axis=1, keepdims=True)
    factor = each[:, ::-1] / np.where(total > 0, total, 1.0)
    counted = (factor * each).sum(axis=0)
    shared = np.where((each > 0).all(axis=1, keepdims=True), each, 0.0).sum(axis=0)
    factor *= shared / np.where(counted > 0, counted, 1.0)
    return (
        "{evened:Array(Float64)}[2 * (slice - {first_slice:Int64}) + cohort]",
        {"evened": factor.ravel().tolist(), "first_slice": first},
    )


def _pace(slice: Any, events: Any) -> float:
    """How much faster traffic came in the later half of the slices than in all of them."""
    slices, index = np.unique(slice, return_inverse=True)
    if len(slices) < 4:
        return 1.0
    traffic = np.bincount(index, weights=events)
    return float(np.clip(traffic[len(slices) // 2 :].mean() / traffic.mean(), 0.1, 10.0))


def step_of(comparison: Comparison) -> int:
    """How many seconds a slice of its window takes."""
    seconds = (comparison.until - comparison.since).total_seconds()
    return max(SHORTEST_SLICE_S, math.ceil(seconds / SLICES))


def shares_shift(cohort: Any, slice: Any, events: Any) -> bool:
    """Whether the candidate's share of traffic changed between slices by more than chance.

    By what it takes to move a comparison: 6% of a cohort stand at other times than the other's.
    And by the chi-squared test that all slices have one share: many small slices are apart by
    chance alone.
    """
    slices, index = np.unique(slice, return_inverse=True)
    each = np.zeros((2, len(slices)))
    np.add.at(each, (cohort, index), events)
    by_cohort = _enough(each)
    total = by_cohort.sum(axis=0)
    if len(total) < 2 or not by_cohort.sum(axis=1).all():
        return False
    placed = by_cohort / by_cohort.sum(axis=1, keepdims=True)
    if np.abs(placed[1] - placed[0]).sum() / 2 <= APART:
        return False
    share = by_cohort[1] / total
    whole = by_cohort[1].sum() / total.sum()
    apart = float((total * (share - whole) ** 2).sum() / (whole * (1 - whole)))
    return bool(stats.chi2.sf(apart, len(total) - 1) < BY_CHANCE)


def _enough(each: Any) -> Any:
    """Neighbouring slices together until each has events enough to tell its share."""
    found, held = [], np.zeros(2)
    for one in each.T:
        held = held + one
        if held.sum() >= ENOUGH_EVENTS:
            found.append(held)
            held = np.zeros(2)
    return np.array(found).reshape(-1, 2).T
