"""Requests, latency and failures of each route in slices of five minutes, over any stretches of
time: what before and after is held against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from events.store.read import Statement, columns, moment
from insights.cohorts import Comparison
from insights.totals import Array, Whole

STEP = timedelta(minutes=5)
MOST_ROUTES = 40


@dataclass(frozen=True, slots=True)
class Window:
    """Weighted totals by route: requests, latency, its square, failures, logarithms of latency and
    their squares."""

    n: Array
    total_ms: Array
    squares: Array
    errors: Array
    logs: Array
    log_squares: Array

    def of(self, place: int) -> "Window":
        """Of one route alone."""
        return Window(*(getattr(self, name)[place : place + 1] for name in Window.__slots__))

    def ratio_of_means(self, after: "Window") -> tuple[float, float] | None:
        """ln of the ratio of means, the mix of routes held fixed, and its sampling variance.

        Requests are taken as independent, so drift reads high, not low.
        """
        weight = self._overlap(after)
        own, other = self._means(), after._means()
        a0, a1 = float((weight * own).sum()), float((weight * other).sum())
        if a0 <= 0 or a1 <= 0:
            return None
        variance = sum(
            float((weight**2 * part._variances()).sum()) / level**2
            for part, level in ((self, a0), (after, a1))
        )
        return math.log(a1 / a0), variance

    def ratio_of_failures(self, after: "Window") -> tuple[float, float] | None:
        """The same of the share that fails; None where either side has no failure."""
        weight = self._overlap(after)
        rates = [part.errors / np.where(part.n > 0, part.n, 1.0) for part in (self, after)]
        e0, e1 = (float((weight * rate).sum()) for rate in rates)
        if e0 <= 0 or e1 <= 0 or min(self.errors.sum(), after.errors.sum()) < 1:
            return None
        return math.log(e1 / e0), float(1 / self.errors.sum() + 1 / after.errors.sum())

    def ratio_of_typical(self, after: "Window") -> tuple[float, float] | None:
        """The same of what is typical: the geometric mean, which the tail hardly moves."""
        weight = self._overlap(after)
        total = float(weight.sum())
        if total <= 0:
            return None
        own, other = (part.logs / np.where(part.n > 0, part.n, 1.0) for part in (self, after))
        variance = sum(
            float((weight**2 * part._log_variances()).sum()) / total**2 for part in (self, after)
        )
        return float((weight * (other - own)).sum()) / total, variance

    def _log_variances(self) -> Array:
        n = np.where(self.n > 0, self.n, 1.0)
        found: Array = np.maximum(self.log_squares / n - (self.logs / n) ** 2, 0.0) / n
        return found

    def _overlap(self, after: "Window") -> Array:
        total = self.n + after.n
        found: Array = self.n * after.n / np.where(total > 0, total, 1.0)
        return found

    def _means(self) -> Array:
        found: Array = self.total_ms / np.where(self.n > 0, self.n, 1.0)
        return found

    def _variances(self) -> Array:
        n = np.where(self.n > 0, self.n, 1.0)
        found: Array = np.maximum(self.squares / n - self._means() ** 2, 0.0) / n
        return found


@dataclass(frozen=True, slots=True)
class Slices:
    """Rows as scanned, each of one route in one slice."""

    start: Whole  # seconds since the epoch
    route: Whole
    values: Array  # (sums, rows)
    places: dict[str, int]  # by service and route, the busiest

    def window(self, since: datetime, until: datetime) -> Window:
        inside = (self.start >= since.timestamp()) & (self.start < until.timestamp())
        grid = np.zeros((len(self.values), MOST_ROUTES + 1))
        for number in range(len(self.values)):
            np.add.at(grid[number], self.route[inside], self.values[number, inside])
        return Window(*grid)

    def steps_with_events(self, since: datetime, until: datetime) -> int:
        inside = (self.start >= since.timestamp()) & (self.start < until.timestamp())
        return len(np.unique(self.start[inside]))


def slices_of(
    comparison: Comparison, service: str, stretches: Sequence[tuple[datetime, datetime]]
) -> Slices:
    """Of the comparison's route, if it has one. Raises StoreUnavailable and QueryTooLarge."""
    parameters: dict[str, Any] = {
        "environment": comparison.environment_id,
        "service": service,
        "route": comparison.scope.route,
        "step": int(STEP.total_seconds()),
    }
    during = []
    for number, (since, until) in enumerate(stretches):
        parameters |= {f"since{number}": moment(since), f"until{number}": moment(until)}
        during.append(
            f"(time >= {{since{number}:DateTime64(6, 'UTC')}}"
            f" AND time < {{until{number}:DateTime64(6, 'UTC')}})"
        )
    only = "AND service = {service:String}" if service else ""
    if comparison.scope.route:
        only += " AND route = {route:String}"
    rows = columns(
        Statement(
            f"""SELECT intDiv(toUnixTimestamp(time), {{step:UInt32}}) * {{step:UInt32}} AS start,
                concat(service, ' ', route) AS of, sum(sample_rate) AS n,
                sum(sample_rate * duration_ms) AS total_ms,
                sum(sample_rate * duration_ms * duration_ms) AS squares,
                sum(sample_rate * error) AS errors,
                sum(sample_rate * log(greatest(duration_ms, 0.001))) AS logs,
                sum(sample_rate * pow(log(greatest(duration_ms, 0.001)), 2)) AS log_squares
            FROM events
            WHERE environment = {{environment:UInt32}} AND entry AND ({" OR ".join(during)}) {only}
            GROUP BY start, of""",  # noqa: S608  # constant fragments only
            parameters,
        )
    ).columns
    names = np.asarray(rows.get("of", ()), dtype=object)
    values = np.array(
        [np.asarray(rows.get(name, ()), dtype=np.float64) for name in Window.__slots__]
    )
    traffic: dict[str, float] = {}
    for name, n in zip(names.tolist(), values[0].tolist(), strict=True):
        traffic[name] = traffic.get(name, 0.0) + n
    busiest = sorted(traffic, key=lambda name: -traffic[name])[:MOST_ROUTES]
    place = {name: number for number, name in enumerate(busiest)}
    return Slices(
        np.asarray(rows.get("start", ()), dtype=np.int64),
        np.array([place.get(name, MOST_ROUTES) for name in names.tolist()], dtype=np.int64),
        values,
        place,
    )
