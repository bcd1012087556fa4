"""Comparison → the totals of both cohorts: a few scans of the events, the rest is arithmetic.

`totals` fetches one comparison, `totals_of_many` those of many flags in the same scans.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from events.store.read import Statement, moment, run
from insights import scan
from insights.cohorts import Builds, Comparison, Moment, Scope, Variants
from insights.folded import MOST
from insights.pieces import ALL, array, fetched, scanned, shares_of_users, times
from insights.slices import in_slices
from insights.statistics import quantiles
from insights.totals import BUCKETS, QUANTILES, SUMS, BinRows, Cut, Rows, Totals, Units, gathered

TOP_ROUTES = 40
LEAST_TOGETHER_S = 180.0  # of builds: in less, whatever else happened is taken for their doing


class NothingToCompare(Exception):
    """One of the cohorts holds nothing; the message says which and what to do."""


def totals(comparison: Comparison) -> Totals:
    """Both cohorts of one comparison, in the time that they share: `comparison` of what is found.

    Raises NothingToCompare, StoreUnavailable, QueryTooLarge.
    """
    comparison = side_by_side(comparison)
    found = totals_of_many([comparison])[0]
    if isinstance(found, NothingToCompare):
        raise found
    return found


def totals_of_many(comparisons: Sequence[Comparison]) -> list[Totals | NothingToCompare]:
    """In the order given. All share environment and scope; several must all be of variants."""
    if len(comparisons) > MOST:
        return [
            one
            for first in range(0, len(comparisons), MOST)
            for one in totals_of_many(comparisons[first : first + MOST])
        ]
    rows = fetched(scan.profile(comparisons))
    cut, events = _cut(rows.columns)
    if not cut.places:
        return [nothing(one, one.labels[0]) for one in comparisons]
    sliced, paces = in_slices(comparisons, cut, events)
    during: tuple[scan.Piece, ...] = (ALL,)
    users: tuple[scan.Piece, ...] = (ALL,)
    if isinstance(comparisons[0].cohorts, Variants):
        during, users = times(sliced, events), shares_of_users(events)
    found = scanned(
        lambda only, piece: scan.source(sliced, cut, only=only, piece=piece), cut, during, users
    )
    read, took = rows.read_rows + found.read_rows, rows.took_ms + found.took_ms
    return [
        _while_other(_one(one, number, cut, found.arrays, (paces[number], read, took)), asked, one)
        for number, (asked, one) in enumerate(zip(comparisons, sliced, strict=True))
    ]


def _while_other(
    found: Totals | NothingToCompare, asked: Comparison, shared: Comparison
) -> Totals | NothingToCompare:
    """What a cohort lacks in the time that both share, it may have had before and after it."""
    of = asked.cohorts
    narrowed = (shared.since, shared.until) != (asked.since, asked.until)
    if isinstance(found, NothingToCompare) and narrowed and isinstance(of, Variants):
        return NothingToCompare(
            f"Hardly any request saw {of.flag}={of.baseline} and {of.flag}={of.candidate} at the"
            " same time, so there is nothing to compare yet."
        )
    return found


def totals_of(
    comparison: Comparison, cut: Cut, source: Callable[[str], scan.Source]
) -> Totals | NothingToCompare:
    """Of one comparison whose cohorts or places are the caller's own.

    `source` gives the events that meet a condition ("" for all), as `scan.source` does.
    """
    found = scanned(lambda only, _: source(only), cut)
    return _one(comparison, 0, cut, found.arrays, (1.0, found.read_rows, found.took_ms))


def cut_of(comparisons: Sequence[Comparison]) -> tuple[Cut, int]:
    """Places and thresholds of what the comparisons share, and how many events these are."""
    return _cut(fetched(scan.profile(comparisons)).columns)


def _cut(found: dict[str, Any]) -> tuple[Cut, int]:
    """The busiest routes, the rest of each service together, and their pooled quantiles."""
    weight = array(found, "weight", np.float64)
    if not len(weight):
        return Cut((), {name: np.zeros(1) for name in QUANTILES}), 0
    pairs = list(zip(found["service"], found["route"], strict=True))
    traffic: dict[tuple[str, str], float] = {}
    for pair, part in zip(pairs, weight.tolist(), strict=True):
        traffic[pair] = traffic.get(pair, 0.0) + part
    busiest = sorted(traffic, key=lambda pair: -traffic[pair])
    places = [Scope(*pair) for pair in busiest[:TOP_ROUTES]]
    index = {pair: number for number, pair in enumerate(busiest[:TOP_ROUTES])}
    for service, route in busiest[TOP_ROUTES:]:
        other = Scope(service, scan.OTHER_ROUTES)
        if other not in places:
            places.append(other)
        index[service, route] = places.index(other)
    place = np.array([index[pair] for pair in pairs])
    return _thresholds(tuple(places), place, array(found, "bin", np.int64), weight), int(
        array(found, "events", np.int64).sum()
    )


def _thresholds(places: tuple[Scope, ...], place: Any, bin: Any, weight: Any) -> Cut:
    masks = [*(place == number for number in range(len(places))), np.ones(len(place), bool)]
    histograms = [quantiles.histogram(bin[mask], weight[mask]) for mask in masks]
    return Cut(
        places,
        {
            name: np.exp([one.log_quantile(share) for one in histograms])
            for name, share in QUANTILES.items()
        },
    )


def _one(
    comparison: Comparison,
    number: int,
    cut: Cut,
    found: list[dict[str, Any]],
    cost: tuple[float, int, float],
) -> Totals | NothingToCompare:
    sums, bins, units, hits = (_of(number, one) for one in found)
    for arm in (0, 1):
        if not (sums["cohort"] == arm).any():
            return nothing(comparison, comparison.labels[arm])
    rows = Rows(
        cohort=sums["cohort"],
        slice=sums["slice"].astype(np.int64),
        place=sums["place"].astype(np.int64),
        bucket=sums["bucket"].astype(np.int64),
        code=sums["code"].astype(np.int64),
        error=sums["error"].astype(np.bool_),
        events=sums["events"].astype(np.int64),
        sums={name: sums[name].astype(np.float64) for name in SUMS},
    )
    by_bin = BinRows(
        cohort=bins["cohort"],
        slice=bins["slice"].astype(np.int64),
        place=bins["place"].astype(np.int64),
        bin=bins["bin"].astype(np.int64),
        weight=bins["weight"].astype(np.float64),
        squares=bins["squares"].astype(np.float64),
    )
    return gathered(
        comparison,
        cut,
        rows,
        by_bin,
        _units(units, hits, len(cut.places), float(sums["named"].sum() / sums["events"].sum())),
        _seconds(comparison),
        together=not isinstance(comparison.cohorts, Moment),
        pace=cost[0],
        read_rows=cost[1],
        took_ms=cost[2],
    )


def _of(number: int, found: dict[str, Any]) -> dict[str, Any]:
    """The columns of one comparison, its cohorts numbered 0 and 1."""
    first = 2 * number + 1
    begin, end = np.searchsorted(found["cohort"], (first, first + 2))
    part = {name: values[begin:end] for name, values in found.items()}
    return {**part, "cohort": part["cohort"] - first}


def _seconds(comparison: Comparison) -> tuple[float, float]:
    of = comparison.cohorts
    middle = of.at if isinstance(of, Moment) else None
    whole = max((comparison.until - comparison.since).total_seconds(), 1.0)
    if middle is None:
        return whole, whole
    before = max((middle - comparison.since).total_seconds(), 1.0)
    return before, max((comparison.until - middle).total_seconds(), 1.0)


def _units(
    counted: dict[str, Any], erring: dict[str, Any], places: int, named_share: float
) -> Units:
    by_bucket = np.zeros((2, BUCKETS))
    by_place = np.zeros((2, max(places, 1)), dtype=np.int64)
    for whole, cohort, place, bucket, units in _rows(
        counted, "all_places", "cohort", "place", "bucket", "units"
    ):
        if whole:
            by_bucket[cohort, bucket] += units
        else:
            by_place[cohort, place] += units
    hits: dict[tuple[int, int | None, str], int] = {}
    for whole, any_code, cohort, place, code, error, units in _rows(
        erring, "all_places", "all_codes", "cohort", "place", "code", "error", "units"
    ):
        if not any_code or error:
            key = (cohort, None if whole else place, "error" if any_code else str(code))
            hits[key] = hits.get(key, 0) + units
    return Units(by_bucket, by_place, hits, named_share)


def _rows(found: dict[str, Any], *names: str) -> Iterator[Any]:
    return zip(*(np.asarray(found.get(name, ())).tolist() for name in names), strict=True)


def side_by_side(comparison: Comparison) -> Comparison:
    """Two builds are compared in the time from when the second served until one of them ended."""
    of = comparison.cohorts
    if not isinstance(of, Builds):
        return comparison
    found = run(
        Statement(
            """SELECT build_id, toUnixTimestamp64Micro(min(time)) AS first,
                toUnixTimestamp64Micro(max(time)) AS last
            FROM events WHERE environment = {environment:UInt32} AND entry
                AND service = {service:String} AND build_id IN {builds:Array(String)}
                AND time >= {since:DateTime64(6, 'UTC')} AND time < {until:DateTime64(6, 'UTC')}
            GROUP BY build_id""",
            {
                "environment": comparison.environment_id,
                "service": of.service,
                "builds": [of.baseline, of.candidate],
                "since": moment(comparison.since),
                "until": moment(comparison.until),
            },
        )
    ).rows
    seen = {row["build_id"]: row for row in found}
    for build in (of.baseline, of.candidate):
        if build not in seen:
            raise nothing(comparison, build)
    since = max(int(row["first"]) for row in found)
    last = min(int(row["last"]) for row in found)
    if last <= since:
        raise NothingToCompare(
            f"Builds {of.baseline} and {of.candidate} of {of.service} never served at the same"
            " time in this window."
        )
    if last - since < LEAST_TOGETHER_S * 1e6:
        raise NothingToCompare(
            f"Builds {of.baseline} and {of.candidate} of {of.service} served side by side for only"
            f" {(last - since) / 1e6:.0f} s of this window; {LEAST_TOGETHER_S:.0f} s are needed."
        )
    return replace(
        comparison,
        since=datetime.fromtimestamp(since / 1e6, UTC),
        until=datetime.fromtimestamp(last / 1e6, UTC) + timedelta(microseconds=1),
    )


def nothing(comparison: Comparison, label: str) -> NothingToCompare:
    """Which cohort holds nothing, in words."""
    of = comparison.cohorts
    if isinstance(of, Variants):
        return NothingToCompare(f"No request has seen {of.flag}={label} in this window.")
    if isinstance(of, Builds):
        return NothingToCompare(f"Build {label} of {of.service} served no request in this window.")
    if isinstance(of, Moment):
        if label == "before":
            return NothingToCompare(
                "No request came in the hour before, so there is nothing to compare with."
            )
        return NothingToCompare("No request came since then.")
    return NothingToCompare(f"No request of {of.service} was served by {label} in this window.")
