"""Did the mix of traffic shift? Shown apart, so that it is never read as latency.

Every comparison holds the mix of routes fixed; this says where that mattered: which routes gained
and lost their share of requests, and what the mean would have read with the shift in it.
"""

import math
from dataclasses import dataclass

from insights import sentences
from insights.cohorts import Comparison, Scope
from insights.delta import Delta
from insights.scan import OTHER_ROUTES
from insights.statistics.totals import Arm, compare_rates
from insights.totals import Totals
from web import words

LEAST = 0.03  # of all requests that a route must gain or lose to be told
CLEAR = 3.5  # standard errors
SHOWN = 3
TELLING = math.log(1.03)


@dataclass(frozen=True, slots=True)
class Moved:
    """One route's share of the requests of both cohorts."""

    scope: Scope
    before: float
    after: float

    @property
    def gain(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Mix:
    """Routes whose share shifted, the largest gain first, and the mean's ratio with the shift."""

    moved: tuple[Moved, ...]
    crude: float


def mix(found: Totals) -> Mix | None:
    """None where no route's share shifted by more than chance and enough to matter."""
    weight = found.sums["weight"].sum(axis=1)  # (cohort, place, bucket)
    everything = weight.sum(axis=1)
    moved = []
    for place, scope in enumerate(found.places):
        own = compare_rates(
            Arm(everything[:1], weight[0, place][None]), Arm(everything[1:], weight[1, place][None])
        )
        if own is None or abs(own.d) < LEAST or own.null_variance <= 0:
            continue
        if abs(own.d) > CLEAR * math.sqrt(own.null_variance):
            moved.append(Moved(scope, own.baseline, own.candidate))
    if not moved:
        return None
    moved.sort(key=lambda one: -one.gain)
    total = found.sums["total_ms"].sum(axis=(1, 2, 3))
    n = everything.sum(axis=1)
    crude = float(total[1] / n[1] / (total[0] / n[0])) if total[0] > 0 and n.min() > 0 else 1.0
    return Mix(tuple(moved), crude)


def said(found: Mix, comparison: Comparison, mean: Delta | None) -> str:
    """What shifted, and what that would have made of the mean, with full stops."""
    candidate, baseline = sentences.cohorts(comparison)
    gained = [one for one in found.moved if one.gain > 0][:SHOWN]
    lost = [one for one in reversed(found.moved) if one.gain < 0][:SHOWN]
    where = words.joined([name(one.scope) for one in gained])
    whence = words.joined([name(one.scope) for one in lost])
    if gained and lost:
        text = f"Traffic moved from {whence} to {where}"
    else:
        text = (
            f"More of the traffic is to {where}"
            if gained
            else f"Less of the traffic is to {whence}"
        )
    parts = [
        f"{name(one.scope)} {words.percent(one.before)} → {words.percent(one.after)}"
        for one in (*gained, *lost)
    ]
    text += f" (share of requests {baseline} → {candidate}: {', '.join(parts)})."
    return text + _effect(found.crude, mean)


def _effect(crude: float, mean: Delta | None) -> str:
    """What the shift alone does to the mean; "" where it hardly does anything."""
    if mean is None or mean.ratio is None or crude <= 0:
        return ""
    if abs(math.log(crude) - math.log(mean.ratio)) < TELLING:
        return " It changes the mean of all requests by little."
    same = mean.ratio_interval and mean.ratio_interval[0] <= 1 <= mean.ratio_interval[1]
    fixed = words.ratio_words(mean.ratio)
    held = "no difference is seen" if same else f"it is {fixed}"
    interval = words.ratio_span(mean.ratio, *mean.ratio_interval) if mean.ratio_interval else ""
    return (
        f" With that in it the mean reads {words.ratio_words(crude)}; with the mix held fixed, as"
        f" everywhere here, {held}" + (f" ({interval})." if interval else ".")
    )


def name(scope: Scope) -> str:
    if scope.route == OTHER_ROUTES:
        return f"other routes of {scope.service}"
    return scope.route or scope.service
