"""Earlier moments when nothing changed, and what levels did there by themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from insights.levels import STEP, Slices, Windows
from insights.statistics.before_after import Placebo
from insights.totals import Array

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EARLIER_DAYS = (1, 2, 3, 4, 5, 6, 7, 14, 21, 28)
CLEAR_OF_CHANGES = timedelta(minutes=10)
LEAST_EVENTS = 50.0


@dataclass(frozen=True, slots=True)
class Moments:
    """What was seen before and after some boundaries, the latest first; `span` holds both."""

    boundaries: Sequence[datetime]
    before: Windows
    after: Windows
    span: timedelta

    def of(self, place: int) -> "Moments":
        """Of one route alone."""
        return replace(self, before=self.before.of(place), after=self.after.of(place))


def moments_of(found: Slices, boundaries: Sequence[datetime], length: timedelta) -> Moments:
    return Moments(
        boundaries,
        found.windows([at - HOUR for at in boundaries], boundaries),
        found.windows(boundaries, [at + length for at in boundaries]),
        HOUR + length,
    )


def same_hours(moment: datetime, zone: tzinfo) -> list[datetime]:
    """The same time by the environment's clock on earlier days and weeks."""
    local = moment.astimezone(zone)
    return [(local - timedelta(days=days)).astimezone(moment.tzinfo) for days in EARLIER_DAYS]


def is_quiet(boundary: datetime, length: timedelta, changes: Sequence[datetime]) -> bool:
    """Whether nothing changed close to a boundary."""
    return not any(boundary - CLEAR_OF_CHANGES <= change <= boundary + length for change in changes)


def quiet_boundaries(
    moment: datetime, length: timedelta, changes: Sequence[datetime]
) -> list[datetime]:
    """Boundaries within the day before, the latest first, none with a change close by."""
    boundary = moment - (HOUR + max(length, STEP))
    found = []
    while boundary - HOUR >= moment - DAY:
        if is_quiet(boundary, length, changes):
            found.append(boundary)
        boundary -= STEP
    return found


def measured(at: Moments) -> list[list[Placebo]]:
    """Mean latency, failures and typical latency over each boundary that has enough traffic."""
    before, after = at.before, at.after
    busy = np.minimum(before.n.sum(axis=1), after.n.sum(axis=1)) >= LEAST_EVENTS
    return [
        _placebos(*ratios, busy & np.isfinite(ratios[0]), at)
        for ratios in (
            before.ratio_of_means(after),
            before.ratio_of_failures(after),
            before.ratio_of_typical(after),
        )
    ]


def _placebos(
    log_ratio: Array, variance: Array, known: NDArray[np.bool_], at: Moments
) -> list[Placebo]:
    """Those that are known. Each is worth its part of the windows that lie apart."""
    which = np.flatnonzero(known).tolist()
    worth = apart([at.boundaries[number] for number in which], at.span) / max(len(which), 1)
    return [
        Placebo(d, v, worth)
        for d, v in zip(log_ratio[which].tolist(), variance[which].tolist(), strict=True)
    ]


def apart(boundaries: Sequence[datetime], span: timedelta) -> int:
    """How many windows of this length around boundaries, the latest first, do not overlap."""
    count = 0
    last: datetime | None = None
    for boundary in boundaries:
        if last is None or last - boundary >= span:
            count, last = count + 1, boundary
    return count
