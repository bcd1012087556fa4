"""How much the environment's own levels move when nothing changed.

The same before-and-after statistic at earlier, disjoint boundaries of the last day, away from
every change, so that a verdict can be held against what happens by itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from events.store.read import Statement, run
from events.store.read import moment as as_text
from insights.cohorts import Comparison, Moment
from insights.statistics import before_after
from releases.changes import timeline
from web import words

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STEP = timedelta(minutes=5)
CLEAR_OF_CHANGES = timedelta(minutes=10)
LEAST_EVENTS = 50.0


@dataclass(frozen=True, slots=True)
class Drifts:
    """Standard deviations of ln ratios between windows when nothing changed, and from how many."""

    latency: float
    errors: float
    count: int
    history: timedelta = timedelta(0)  # how much of the hour before the moment has events


@dataclass(frozen=True, slots=True)
class Slice:
    """Weighted totals of five minutes: requests, latency, its square, errors."""

    start: datetime
    n: float
    total_ms: float
    squares: float
    errors: float


def said(found: Drifts) -> str:
    """What the difference was held against, in words."""
    if not found.count:
        return "no earlier moment could be looked at, so only a large difference counts"
    times = words.plural(found.count, "earlier moment")
    return f"checked against {times} when nothing changed"


def drifts(comparison: Comparison) -> Drifts:
    """From the day before the comparison's moment, in the comparison's service."""
    moment = comparison.cohorts
    if not isinstance(moment, Moment):
        raise TypeError("placebos belong to before and after")
    length = min(comparison.until - moment.at, HOUR)
    slices = _slices(comparison.environment_id, moment)
    others = [
        change.time
        for change in timeline(
            comparison.environment_id, since=moment.at - DAY - STEP, until=moment.at, limit=500
        )
        if not moment.service or not change.service or change.service == moment.service
    ]
    boundaries = quiet_boundaries(moment.at, length, others)
    latency, errors = [], []
    for boundary in boundaries:
        before = _sum([s for s in slices if boundary - HOUR <= s.start < boundary])
        after = _sum([s for s in slices if boundary <= s.start < boundary + max(length, STEP)])
        if before.n < LEAST_EVENTS or after.n < LEAST_EVENTS:
            continue
        latency.append(_log_ratio_of_means(before, after))
        if before.errors >= 1 and after.errors >= 1:
            errors.append(_log_ratio_of_rates(before, after))
    return Drifts(
        before_after.drift(latency, before_after.PRIOR_DRIFT_LATENCY),
        before_after.drift(errors, before_after.PRIOR_DRIFT_ERRORS),
        len(latency),
        STEP * len([s for s in slices if s.start >= moment.at - HOUR]),
    )


def quiet_boundaries(
    moment: datetime, length: timedelta, changes: Sequence[datetime]
) -> list[datetime]:
    """Disjoint earlier boundaries within a day, none with a change close by."""
    pace = HOUR + max(length, STEP)
    found = []
    boundary = moment - pace
    while boundary - HOUR >= moment - DAY:
        window = (boundary - CLEAR_OF_CHANGES, boundary + max(length, STEP))
        if not any(window[0] <= change <= window[1] for change in changes):
            found.append(boundary)
        boundary -= pace
    return found


def _slices(environment_id: int, moment: Moment) -> list[Slice]:
    where = "AND service = {service:String}" if moment.service else ""
    parameters: dict[str, Any] = {
        "environment": environment_id,
        "since": as_text(moment.at - DAY),
        "until": as_text(moment.at),
        "service": moment.service,
        "step": int(STEP.total_seconds()),
    }
    rows = run(
        Statement(
            f"""SELECT intDiv(toUnixTimestamp(time), {{step:UInt32}}) * {{step:UInt32}} AS start,
                sum(sample_rate) AS n, sum(sample_rate * duration_ms) AS total_ms,
                sum(sample_rate * duration_ms * duration_ms) AS squares,
                sum(sample_rate * error) AS errors
            FROM events
            WHERE environment = {{environment:UInt32}} AND entry
              AND time >= {{since:DateTime64(6, 'UTC')}} AND time < {{until:DateTime64(6, 'UTC')}}
              {where}
            GROUP BY start ORDER BY start""",  # noqa: S608  # constant fragments only
            parameters,
        )
    ).rows
    return [
        Slice(
            datetime.fromtimestamp(int(row["start"]), UTC),
            float(row["n"]),
            float(row["total_ms"]),
            float(row["squares"]),
            float(row["errors"]),
        )
        for row in rows
    ]


def _sum(slices: Sequence[Slice]) -> Slice:
    return Slice(
        slices[0].start if slices else datetime.min.replace(tzinfo=UTC),
        sum(s.n for s in slices),
        sum(s.total_ms for s in slices),
        sum(s.squares for s in slices),
        sum(s.errors for s in slices),
    )


def _log_ratio_of_means(before: Slice, after: Slice) -> tuple[float, float]:
    """(d, sampling variance of d), requests taken as independent: drift reads high, not low."""
    variance = 0.0
    for part in (before, after):
        mean = part.total_ms / part.n
        variance += max(part.squares / part.n - mean**2, 0.0) / (mean**2 * part.n)
    return math.log((after.total_ms / after.n) / (before.total_ms / before.n)), variance


def _log_ratio_of_rates(before: Slice, after: Slice) -> tuple[float, float]:
    d = math.log((after.errors / after.n) / (before.errors / before.n))
    return d, 1 / before.errors + 1 / after.errors
