"""How much the environment's own levels move when nothing changed.

The same before-and-after statistic at earlier, disjoint boundaries of the last day, and at the same
hour of earlier days and weeks, away from every change: a verdict is held against what happens by
itself, and against what usually happens at this time of day. Routes are compared with themselves.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from insights.cohorts import Comparison, Moment, Scope
from insights.delta import Delta
from insights.levels import STEP, Slices, slices_of
from insights.statistics import before_after
from projects.models import Environment
from releases.models import Change
from web import words

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EARLIER_DAYS = (1, 2, 3, 4, 5, 6, 7, 14, 21, 28)
LEAST_DAYS = 3  # of them, for what is usual to be known
CLEAR_OF_CHANGES = timedelta(minutes=10)
LEAST_EVENTS = 50.0
WORTH_TELLING = 0.03

Placebo = tuple[float, float]  # ln of a ratio, and its sampling variance


@dataclass(frozen=True, slots=True)
class Usual:
    """What a level does at this time of day by itself: the mean of ln ratios over `days` earlier
    days, drawn towards none where they are few, and its variance."""

    log_ratio: float = 0.0
    variance: float = 0.0
    days: int = 0


@dataclass(frozen=True, slots=True)
class Drifts:
    """Standard deviations of ln ratios between windows when nothing changed, and from how many."""

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
        times = words.plural(found.count, "earlier moment")
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
    whole = _drifts(found, boundaries, same, length, None)
    by_route = {
        Scope(*name.split(" ", 1)): _drifts(found, boundaries, same, length, place)
        for name, place in found.places.items()
        if len(same) >= LEAST_DAYS
    }
    return replace(whole, history=history, by_route=by_route)


def _drifts(
    found: Slices,
    boundaries: Sequence[datetime],
    same_hours: Sequence[datetime],
    length: timedelta,
    place: int | None,
) -> Drifts:
    """Of one route, or of all with their mix held fixed."""
    last_day = _measured(found, boundaries, length, place)
    same = _measured(found, same_hours, length, place)
    latency, usual_latency = with_usual(last_day[0], same[0])
    errors, usual_errors = with_usual(last_day[1], same[1])
    _, usual_typical = with_usual(last_day[2], same[2])
    return Drifts(
        before_after.drift(latency, before_after.PRIOR_DRIFT_LATENCY),
        before_after.drift(errors, before_after.PRIOR_DRIFT_ERRORS),
        len(latency),
        usual_latency=usual_latency,
        usual_errors=usual_errors,
        usual_typical=usual_typical,
        latency_moves=tuple(d for d, _ in latency),
        error_moves=tuple(d for d, _ in errors),
    )


def same_hours(moment: datetime, zone: tzinfo) -> list[datetime]:
    """The same time by the environment's clock on earlier days and weeks."""
    local = moment.astimezone(zone)
    return [(local - timedelta(days=days)).astimezone(moment.tzinfo) for days in EARLIER_DAYS]


def _changes(comparison: Comparison, service: str, since: datetime) -> list[datetime]:
    found = Change.objects.filter(
        environment_id=comparison.environment_id,
        time__gte=since - HOUR - CLEAR_OF_CHANGES,
        time__lt=comparison.until,
    )
    if service:
        found = found.filter(service__in=(service, ""))
    return list(found.values_list("time", flat=True))


def is_quiet(boundary: datetime, length: timedelta, changes: Sequence[datetime]) -> bool:
    """Whether nothing changed close to a boundary."""
    return not any(boundary - CLEAR_OF_CHANGES <= change <= boundary + length for change in changes)


def quiet_boundaries(
    moment: datetime, length: timedelta, changes: Sequence[datetime]
) -> list[datetime]:
    """Disjoint earlier boundaries within a day, none with a change close by."""
    length = max(length, STEP)
    pace = HOUR + length
    found = []
    boundary = moment - pace
    while boundary - HOUR >= moment - DAY:
        if is_quiet(boundary, length, changes):
            found.append(boundary)
        boundary -= pace
    return found


def _measured(
    found: Slices, boundaries: Sequence[datetime], length: timedelta, place: int | None
) -> tuple[list[Placebo], list[Placebo], list[Placebo]]:
    """ln ratios of mean latency, of failures and of typical latency over each boundary that has
    enough traffic."""
    latency, errors, typical = [], [], []
    for boundary in boundaries:
        before = found.window(boundary - HOUR, boundary)
        after = found.window(boundary, boundary + length)
        if place is not None:
            before, after = before.of(place), after.of(place)
        if before.n.sum() < LEAST_EVENTS or after.n.sum() < LEAST_EVENTS:
            continue
        if (mean := before.ratio_of_means(after)) is not None:
            latency.append(mean)
        if (rate := before.ratio_of_failures(after)) is not None:
            errors.append(rate)
        if (level := before.ratio_of_typical(after)) is not None:
            typical.append(level)
    return latency, errors, typical


def with_usual(last_day: list[Placebo], same: list[Placebo]) -> tuple[list[Placebo], Usual]:
    """All placebos, those of the same hour less what is usual then; and what is usual."""
    if len(same) < LEAST_DAYS:
        return [*last_day, *same], Usual()
    days = len(same)
    mean = sum(d for d, _ in same) / days
    widened = math.sqrt(days / (days - 1))
    left = [((d - mean) * widened, variance) for d, variance in same]
    spread = sum(d * d for d, _ in left) / days
    return [*last_day, *left], Usual(mean * days / (days + 1), spread / days, days)
