"""How much the environment's own levels move when nothing changed.

The same before-and-after statistic at every five minutes of the last day, and at the same hour of
earlier days and weeks, away from every change: a verdict is held against what happens by itself,
and against what usually happens at this time of day. Routes are compared with themselves.

Windows overlap, so that hundreds of moments say how rare a move is; for how far a standard
deviation may be relied on they count as only so many as lie apart.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from insights.cohorts import Comparison, Moment, Scope
from insights.delta import Delta
from insights.levels import STEP, slices_of
from insights.moments import (
    CLEAR_OF_CHANGES,
    DAY,
    HOUR,
    Moments,
    is_quiet,
    measured,
    moments_of,
    quiet_boundaries,
    same_hours,
)
from insights.statistics import before_after
from insights.statistics.before_after import Placebo
from projects.models import Environment
from releases.models import Change
from web import words

LEAST_DAYS = 3  # earlier ones, for what is usual to be known
WORTH_TELLING = 0.03


@dataclass(frozen=True, slots=True)
class Usual:
    """What a level does at this time of day by itself: the mean of ln ratios over `days` earlier
    days, drawn towards none where they are few, and its variance."""

    log_ratio: float = 0.0
    variance: float = 0.0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Drifts:
    """Standard deviations of ln ratios between windows when nothing changed, and how many windows
    that lie apart they are worth."""

    latency: float
    errors: float
    count: int
    history: timedelta = timedelta(0)  # how much of the hour before the moment has events
    usual_latency: Usual = Usual()  # frozen; of the mean
    usual_errors: Usual = Usual()  # frozen
    usual_typical: Usual = Usual()  # frozen
    latency_moves: tuple[float, ...] = ()  # ln ratios at the earlier moments, less what is usual
    error_moves: tuple[float, ...] = ()
    by_route: Mapping[Scope, "Drifts"] = field(default_factory=dict)

    def usual(self, delta: Delta) -> Usual:
        """What this measure usually does in its own scope. A route without days of its own to tell
        by has none: what all routes do together says little of it."""
        of = self if delta.scope.whole else self.by_route.get(delta.scope)
        if of is None:
            return Usual()
        if delta.is_latency:
            return of.usual_typical if delta.measure == "latency_p50" else of.usual_latency
        return of.usual_errors


def by_accident(delta: Delta, found: Drifts) -> tuple[int, int] | None:
    """At how many of the earlier moments the level moved at least as much by itself, and of how
    many; None where no such moment is known. In a route's own moments, where it has some."""
    of = found.by_route.get(delta.scope, found)
    if not (delta.is_latency or delta.is_rate):
        return None
    moves = of.latency_moves if delta.is_latency else of.error_moves
    if not moves:
        return None
    size = abs(math.log(delta.ratio)) if delta.ratio else math.inf
    return sum(abs(move) >= size for move in moves), len(moves)


def by_accident_said(delta: Delta, found: Drifts) -> str:
    """ "As large a move came by itself at none of 21 earlier moments", or ""."""
    counted = by_accident(delta, found)
    if counted is None:
        return ""
    many = words.number(counted[0]) if counted[0] else "none"
    moments = words.plural(counted[1], "earlier moment")
    return f"As large a move came by itself at {many} of {moments}"


def said(found: Drifts) -> str:
    """What the difference was held against, in words."""
    usual = found.usual_latency
    if not found.count and not usual.days:
        text = "no earlier moment could be looked at, so only a large difference counts"
    else:
        times = words.plural(len(found.latency_moves), "earlier moment")
        text = f"checked against {times} when nothing changed"
    if usual.days:
        text += f" and the same hour of {words.plural(usual.days, 'earlier day')}"
        if abs(usual.log_ratio) >= WORTH_TELLING:
            how = words.ratio_words(math.exp(usual.log_ratio))
            text += f", when the mean is usually {how} than in the hour before: that is taken off"
    return f"{text}; each route is compared with itself, so a shift of traffic is not latency"


def drifts(comparison: Comparison) -> Drifts:
    """From the day before the comparison's moment and the same hours of earlier days and weeks."""
    moment = comparison.cohorts
    if not isinstance(moment, Moment):
        raise TypeError("placebos belong to before and after")
    length = max(min(comparison.until - moment.at, HOUR), STEP)
    zone = Environment.objects.get(id=comparison.environment_id).zone
    days = same_hours(moment.at, zone)
    found = slices_of(
        comparison,
        moment.service or comparison.scope.service,
        [(moment.at - DAY, moment.at), *((at - HOUR, at + length) for at in days)],
    )
    changes = _changes(comparison, moment.service, min(days))
    boundaries = quiet_boundaries(moment.at, length, changes)
    same = [at for at in days if is_quiet(at, length, changes)]
    history = STEP * found.steps_with_events(moment.at - HOUR, moment.at)
    last_day, earlier = moments_of(found, boundaries, length), moments_of(found, same, length)
    whole = _drifts(last_day, earlier)
    by_route = {
        Scope(*name.split(" ", 1)): _drifts(last_day.of(place), earlier.of(place))
        for name, place in found.places.items()
        if len(same) >= LEAST_DAYS
    }
    return replace(whole, history=history, by_route=by_route)


def _drifts(last_day: Moments, earlier: Moments) -> Drifts:
    """Of one route, or of all with their mix held fixed."""
    moved, same = measured(last_day), measured(earlier)
    latency, usual_latency = with_usual(moved[0], same[0])
    errors, usual_errors = with_usual(moved[1], same[1])
    _, usual_typical = with_usual(moved[2], same[2])
    return Drifts(
        before_after.drift(latency, before_after.PRIOR_DRIFT_LATENCY),
        before_after.drift(errors, before_after.PRIOR_DRIFT_ERRORS),
        round(sum(one.worth for one in latency)),
        usual_latency=usual_latency,
        usual_errors=usual_errors,
        usual_typical=usual_typical,
        latency_moves=tuple(one.d for one in latency),
        error_moves=tuple(one.d for one in errors),
    )


def _changes(comparison: Comparison, service: str, since: datetime) -> list[datetime]:
    found = Change.objects.filter(
        environment_id=comparison.environment_id,
        time__gte=since - HOUR - CLEAR_OF_CHANGES,
        time__lt=comparison.until,
    )
    if service:
        found = found.filter(service__in=(service, ""))
    return list(found.values_list("time", flat=True))


def with_usual(last_day: list[Placebo], same: list[Placebo]) -> tuple[list[Placebo], Usual]:
    """All placebos, those of the same hour less what is usual then; and what is usual."""
    if len(same) < LEAST_DAYS:
        return [*last_day, *same], Usual()
    days = len(same)
    mean = sum(one.d for one in same) / days
    widened = math.sqrt(days / (days - 1))
    left = [replace(one, d=(one.d - mean) * widened) for one in same]
    spread = sum(one.d**2 for one in left) / days
    return [*last_day, *left], Usual(mean * days / (days + 1), spread / days, days)
