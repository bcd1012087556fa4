"""Comparison → the cells of both cohorts: one scan of the events, everything else is arithmetic.

A cell adds up the events of one cohort that share service, route, time slice, bucket of units,
status code, error and latency bin. Means, quantiles, rates, status codes and their variances all
come from the same cells, so they can never disagree about which events they count.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from events.query.flags import variant_of_trace
from events.store.read import Statement, columns, moment
from insights.cohorts import Builds, Comparison, Moment, Scope, Variants
from insights.statistics.quantiles import BINS_PER_E

BUCKETS = 100
TOP_ROUTES = 40
OTHER_ROUTES = "(other routes)"
CELL_COLUMNS = (
    *("service", "route", "arm", "slice", "bucket", "status_code", "error", "bin"),
    *("weight", "total_ms", "events"),
)


@dataclass(frozen=True, slots=True)
class Cells:
    """Parallel arrays, one entry a cell. `place` indexes `places`; `arm` is 0 or 1."""

    places: tuple[Scope, ...]
    place: NDArray[np.int64]
    arm: NDArray[np.int64]
    slice: NDArray[np.int64]
    bucket: NDArray[np.int64]
    status: NDArray[np.int64]
    error: NDArray[np.bool_]
    bin: NDArray[np.int64]
    weight: NDArray[np.float64]  # Σ sample rate
    total_ms: NDArray[np.float64]  # Σ sample rate · duration
    events: NDArray[np.int64]  # rows as stored

    def where(self, mask: NDArray[np.bool_]) -> "Cells":
        return Cells(
            self.places,
            *(
                getattr(self, name)[mask]
                for name in (
                    "place",
                    "arm",
                    "slice",
                    "bucket",
                    "status",
                    "error",
                    "bin",
                    "weight",
                    "total_ms",
                    "events",
                )
            ),
        )

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, slots=True)
class Units:
    """Distinct units. Keys: arm; (arm, place); and both with an error or a status code."""

    whole: dict[int, int]
    by_place: dict[tuple[int, int], int]
    hits: dict[tuple[int, int | None, str], int]  # (arm, place or None, "error" or "402")
    by_bucket: NDArray[np.float64]  # shape (2, BUCKETS)


@dataclass(frozen=True, slots=True)
class Totals:
    """All that the statistics need to know of a comparison."""

    cells: Cells
    units: Units
    read_rows: int
    took_ms: float


def _events(comparison: Comparison) -> tuple[str, dict[str, Any]]:
    """The entry events of the comparison's window, each with what a cell is made of."""
    cohorts = comparison.cohorts
    parameters: dict[str, Any] = {
        "environment": comparison.environment_id,
        "since": moment(comparison.since),
        "until": moment(comparison.until),
        "slice": max(comparison.slice_s, 1),
        "sliced": 1 if comparison.slice_s else 0,
        "bins": BINS_PER_E,
        "buckets": BUCKETS,
    }
    where = [
        "environment = {environment:UInt32}",
        "entry",
        "time >= {since:DateTime64(6, 'UTC')}",
        "time < {until:DateTime64(6, 'UTC')}",
    ]
    service = comparison.scope.service
    if isinstance(cohorts, Builds | Moment) and cohorts.service:
        service = cohorts.service
    if service:
        where.append("service = {service:String}")
        parameters["service"] = service
    if comparison.scope.route:
        where.append("route = {route:String}")
        parameters["route"] = comparison.scope.route
    arm = "0"
    if isinstance(cohorts, Builds):
        where.append("build_id IN ({baseline:String}, {candidate:String})")
        parameters |= {"baseline": cohorts.baseline, "candidate": cohorts.candidate}
        arm = "toUInt8(build_id = {candidate:String})"
    elif isinstance(cohorts, Moment):
        parameters["moment"] = moment(cohorts.at)
        arm = "toUInt8(time >= {moment:DateTime64(6, 'UTC')})"
        if cohorts.build:
            where.append(f"({arm} = 0 OR build_id = {{candidate:String}})")
            parameters["candidate"] = cohorts.build
    select = f"""
        SELECT trace, service, route, {arm} AS own_arm,
            if(user_id != '', cityHash64(user_id), cityHash64(trace)) AS unit,
            if({{sliced:UInt8}}, intDiv(toUnixTimestamp(time), {{slice:UInt32}}), 0) AS slice,
            toUInt16(unit % {{buckets:UInt16}}) AS bucket, status_code, error,
            toInt16(floor(log(greatest(duration_ms, 0.001)) * {{bins:UInt16}})) AS bin,
            sample_rate, duration_ms
        FROM events WHERE {" AND ".join(where)}"""  # noqa: S608  # constant fragments only
    return select, parameters


def _source(comparison: Comparison) -> tuple[str, dict[str, Any]]:
    """The window's events with `arm` 0 or 1."""
    select, parameters = _events(comparison)
    if not isinstance(comparison.cohorts, Variants):
        return f"(SELECT *, own_arm AS arm FROM ({select}))", parameters  # noqa: S608
    flag = comparison.cohorts
    parameters |= {"flag": flag.flag, "baseline": flag.baseline, "candidate": flag.candidate}
    seen = variant_of_trace()
    return (
        f"""(SELECT hit.*, toUInt8(seen.variant = {{candidate:String}}) AS arm
             FROM (SELECT trace, variant FROM {seen}
                   WHERE variant IN ({{baseline:String}}, {{candidate:String}})) AS seen
             INNER JOIN ({select}) AS hit ON seen.trace = hit.trace)""",  # noqa: S608
        parameters,
    )


def totals(comparison: Comparison) -> Totals:
    """Fetches both cohorts' cells and units. Raises StoreUnavailable or QueryTooLarge."""
    source, parameters = _source(comparison)
    cells = columns(
        Statement(
            f"""SELECT service, route, arm, slice, bucket, status_code, error, bin,
                    sum(sample_rate) AS weight, sum(sample_rate * duration_ms) AS total_ms,
                    count() AS events
                FROM {source}
                GROUP BY service, route, arm, slice, bucket, status_code, error, bin""",  # noqa: S608
            parameters,
        )
    )
    units = columns(
        Statement(
            f"""SELECT grouping(service) AS all_places, grouping(status_code) AS all_statuses,
                    grouping(error) AS all_errors, grouping(bucket) AS all_buckets,
                    service, route, arm, bucket, status_code, error, uniqExact(unit) AS units
                FROM {source}
                GROUP BY GROUPING SETS (
                    (arm), (arm, bucket), (arm, error), (arm, status_code),
                    (arm, service, route), (arm, service, route, error),
                    (arm, service, route, status_code))""",  # noqa: S608
            parameters,
        )
    )
    read, index = _cells(cells.columns)
    return Totals(
        read,
        _units(units.columns, index),
        cells.read_rows + units.read_rows,
        cells.took_ms + units.took_ms,
    )


def _cells(found: dict[str, Any]) -> tuple[Cells, dict[tuple[str, str], int]]:
    if not found:  # the engine names no columns where it has no rows
        found = dict.fromkeys(CELL_COLUMNS, ())
    services, routes = list(found["service"]), list(found["route"])
    weight = np.asarray(found["weight"], dtype=np.float64)
    traffic: dict[tuple[str, str], float] = {}
    for service, route, part in zip(services, routes, weight, strict=True):
        traffic[service, route] = traffic.get((service, route), 0.0) + float(part)
    kept = sorted(traffic, key=lambda key: -traffic[key])[:TOP_ROUTES]
    places = [Scope(*key) for key in kept]
    index = {key: number for number, key in enumerate(kept)}
    for key in traffic.keys() - index.keys():
        other = Scope(key[0], OTHER_ROUTES)
        if other not in places:
            places.append(other)
        index[key] = places.index(other)
    cells = Cells(
        places=tuple(places),
        place=np.array([index[key] for key in zip(services, routes, strict=True)], dtype=np.int64),
        arm=np.asarray(found["arm"], dtype=np.int64),
        slice=np.asarray(found["slice"], dtype=np.int64),
        bucket=np.asarray(found["bucket"], dtype=np.int64),
        status=np.asarray(found["status_code"], dtype=np.int64),
        error=np.asarray(found["error"], dtype=np.bool_),
        bin=np.asarray(found["bin"], dtype=np.int64),
        weight=weight,
        total_ms=np.asarray(found["total_ms"], dtype=np.float64),
        events=np.asarray(found["events"], dtype=np.int64),
    )
    return cells, index


def _units(found: dict[str, Any], index: dict[tuple[str, str], int]) -> Units:
    whole: dict[int, int] = {}
    by_place: dict[tuple[int, int], int] = {}
    hits: dict[tuple[int, int | None, str], int] = {}
    by_bucket = np.zeros((2, BUCKETS))
    names = [
        *("all_places", "all_statuses", "all_errors", "all_buckets", "service", "route", "arm"),
        *("bucket", "status_code", "error", "units"),
    ]
    for row in zip(*(found.get(name, ()) for name in names), strict=True):
        any_place, any_status, any_error, any_bucket, service, route, arm, *rest = row
        bucket, status, error, count = (int(value) for value in rest)
        arm = int(arm)
        place = None if any_place else index[service, route]
        if not any_bucket:
            by_bucket[arm, bucket] = count
        elif not any_error:
            if error:
                _add(hits, (arm, place, "error"), count)
        elif not any_status:
            _add(hits, (arm, place, str(status)), count)
        elif place is None:
            whole[arm] = count
        else:
            _add(by_place, (arm, place), count)
    return Units(whole, by_place, hits, by_bucket)


def _add(counts: dict[Any, int], key: Any, count: int) -> None:
    """Rare routes share a place, where a unit may be counted more than once."""
    counts[key] = counts.get(key, 0) + count
