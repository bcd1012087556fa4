"""Requests, latency and failures of each route in slices of five minutes, over any stretches of
time: what before and after is held against."""

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


Ratios = tuple[Array, Array]  # by window: ln of a ratio, NaN where there is none, its variance


@dataclass(frozen=True, slots=True)
class Windows:
    """Weighted totals, shape (windows, routes): requests, latency, its square, failures,
    logarithms of latency and their squares."""

    n: Array
    total_ms: Array
    squares: Array
    errors: Array
    logs: Array
    log_squares: Array

    def of(self, place: int) -> "Windows":
        """Of one route alone."""
        return Windows(*(getattr(self, name)[:, place : place + 1] for name in Windows.__slots__))

    def ratio_of_means(self, after: "Windows") -> Ratios:
        """ln of the ratio of means, the mix of routes held fixed, and its sampling variance.

        Requests are taken as independent, so drift reads high, not low.
        """
        weight = self._overlap(after)
        a0, a1 = ((weight * part._mean(part.total_ms)).sum(axis=1) for part in (self, after))
        known = (a0 > 0) & (a1 > 0)
        a0, a1 = np.where(known, a0, 1.0), np.where(known, a1, 1.0)
        variance = sum(
            (weight**2 * part._variance(part.total_ms, part.squares)).sum(axis=1) / level**2
            for part, level in ((self, a0), (after, a1))
        )
        return np.where(known, np.log(a1 / a0), np.nan), np.asarray(variance)

    def ratio_of_failures(self, after: "Windows") -> Ratios:
        """The same of the share that fails; none where either side has no failure."""
        weight = self._overlap(after)
        e0, e1 = ((weight * part._mean(part.errors)).sum(axis=1) for part in (self, after))
        counts = [part.errors.sum(axis=1) for part in (self, after)]
        known = (e0 > 0) & (e1 > 0) & (np.minimum(*counts) >= 1)
        e0, e1 = np.where(known, e0, 1.0), np.where(known, e1, 1.0)
        variance = sum(1 / np.where(known, count, 1.0) for count in counts)
        return np.where(known, np.log(e1 / e0), np.nan), np.asarray(variance)

    def ratio_of_typical(self, after: "Windows") -> Ratios:
        """The same of what is typical: the geometric mean, which the tail hardly moves."""
        weight = self._overlap(after)
        total = weight.sum(axis=1)
        safe = np.where(total > 0, total, 1.0)
        moved = (weight * (after._mean(after.logs) - self._mean(self.logs))).sum(axis=1) / safe
        variance = sum(
            (weight**2 * part._variance(part.logs, part.log_squares)).sum(axis=1) / safe**2
            for part in (self, after)
        )
        return np.where(total > 0, moved, np.nan), np.asarray(variance)

    def _overlap(self, after: "Windows") -> Array:
        total = self.n + after.n
        found: Array = self.n * after.n / np.where(total > 0, total, 1.0)
        return found

    def _mean(self, total: Array) -> Array:
        found: Array = total / np.where(self.n > 0, self.n, 1.0)
        return found

    def _variance(self, total: Array, squares: Array) -> Array:
        """Of the mean of a request."""
        spread = self._mean(squares) - self._mean(total) ** 2
        return self._mean(np.maximum(spread, 0.0))


@dataclass(frozen=True, slots=True)
class Slices:
    """Weighted totals of the routes in each slice that has events."""

    start: Whole  # seconds since the epoch, in order
    sums: Array  # (sums, slices, routes)
    places: dict[str, int]  # by service and route, the busiest; the others together are the last

    def windows(self, since: Sequence[datetime], until: Sequence[datetime]) -> Windows:
        """Of as many windows, which may overlap."""
        begin, end = (
            np.array([[at.timestamp()] for at in each]).reshape(-1, 1) for each in (since, until)
        )
        inside = (self.start >= begin) & (self.start < end)
        return Windows(*(inside.astype(np.float64) @ self.sums))

    def steps_with_events(self, since: datetime, until: datetime) -> int:
        inside = (self.start >= since.timestamp()) & (self.start < until.timestamp())
        return int(np.count_nonzero(inside))


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
    names = np.asarray(rows.get("of", ()), dtype=object).tolist()
    values = [np.asarray(rows.get(name, ()), dtype=np.float64) for name in Windows.__slots__]
    traffic: dict[str, float] = {}
    for name, n in zip(names, values[0].tolist(), strict=True):
        traffic[name] = traffic.get(name, 0.0) + n
    busiest = sorted(traffic, key=lambda name: -traffic[name])[:MOST_ROUTES]
    place = {name: number for number, name in enumerate(busiest)}
    route = np.array([place.get(name, MOST_ROUTES) for name in names], dtype=np.int64)
    start, row = np.unique(np.asarray(rows.get("start", ()), dtype=np.int64), return_inverse=True)
    sums = np.zeros((len(values), len(start), MOST_ROUTES + 1))
    for own, value in zip(sums, values, strict=True):
        np.add.at(own, (row, route), value)
    return Slices(start, sums, place)
