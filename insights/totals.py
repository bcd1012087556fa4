"""What a scan of the events yields for one comparison: everything the statistics need to know.

Sums stand in dense grids of (cohort, time slice, place, bucket of units), so that the whole cohort
and each of its places are views of the same numbers and can never disagree about which events they
count. Latency distributions stand beside them in bins, without buckets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insights.cohorts import Comparison, Scope

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

BUCKETS = 100
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
FIRST_CODE_OF_FAILURES = 400
UNEVEN = 1.02  # n·Σw²/(Σw)²
CAP = "p99"  # the mean that is tested has values above this quantile cut down to it
# Σw, Σw², Σw·ms, Σw·ms with capped values, Σw of failures, Σw above each quantile's threshold;
# names that begin with all_ count by the whole cohort's thresholds, others by their own place's.
SUMS = (
    *("weight", "squares", "total_ms", "failed", "capped_ms", "all_capped_ms"),
    *(f"above_{name}" for name in QUANTILES),
    *(f"all_above_{name}" for name in QUANTILES),
)
# The same of requests that neither failed nor were answered with a status code from 400 on.
SUCCEEDED = ("ok_weight", "ok_capped_ms")


@dataclass(frozen=True, slots=True)
class Cut:
    """The places of a scan, busiest first, and ln of the latencies that divide their requests.

    Fixed for the length of one scan. Any threshold makes a valid test of a quantile; the pooled
    quantile makes the strongest.
    """

    places: tuple[Scope, ...]
    thresholds: Mapping[str, Array]  # by quantile: one a place, the whole cohort's last


@dataclass(frozen=True, slots=True)
class Units:
    """Distinct units, by cohort (0 baseline, 1 candidate)."""

    by_bucket: Array  # shape (2, BUCKETS)
    by_place: Whole  # shape (2, places)
    hits: Mapping[tuple[int, int | None, str], int]  # (cohort, place or all, "error" or "402")
    named_share: float = 1.0  # of events that name a user; each other trace is a unit of its own

    @property
    def whole(self) -> tuple[int, int]:
        return int(self.by_bucket[0].sum()), int(self.by_bucket[1].sum())

    @property
    def are_users(self) -> bool:
        """Whether nearly all units are users, so that they are what a flag is split by."""
        return self.named_share >= 0.95

    @property
    def noun(self) -> str:
        """What one is called, as the filter `counted` reads it."""
        return "user" if self.are_users else "user or trace,users or traces"


@dataclass(frozen=True, slots=True)
class Totals:
    """Both cohorts of one comparison. Grids have the shape (2, slices, places, buckets).

    `comparison` is what was counted: in the time that both cohorts share, with its slices. Whatever
    else is said of these numbers is asked of that, not of the longer time that was asked for.
    """

    comparison: Comparison
    cut: Cut
    sums: Mapping[str, Array]
    codes: Mapping[int, Array]  # Σw by status code
    hit_squares: Mapping[str, Array]  # Σw² of failures ("error") and by status code, no buckets
    events: Whole  # rows as stored, shape (2, slices, places)
    bins: Array  # Σw by latency bin, shape (2, slices, places, bins)
    squares: Array  # Σw² likewise
    first_bin: int
    units: Units
    seconds: tuple[float, float]  # how long each cohort was watched
    together: bool = True  # both in the same time, not one after the other
    pace: float = 1.0  # traffic of the later half of the window over the mean
    read_rows: int = 0
    took_ms: float = 0.0

    @property
    def places(self) -> tuple[Scope, ...]:
        return self.cut.places

    @property
    def both(self) -> bool:
        """Whether each cohort has an event at all."""
        counted = self.events.sum(axis=(1, 2))
        return bool((counted > 0).all())

    @property
    def unevenly_sampled(self) -> bool:
        """Whether events stand for different numbers of events, so that what is kept may depend
        on what happened: units and their requests can't be counted then."""
        weight, squares = (self.sums[name].sum(axis=(1, 2, 3)) for name in ("weight", "squares"))
        kept = self.events.sum(axis=(1, 2))
        return bool((kept * squares > UNEVEN * weight**2).any())


@dataclass(frozen=True, slots=True)
class Rows:
    """Parallel arrays as scanned, or as invented by a simulation. Cohort is 0 or 1."""

    cohort: Whole
    slice: Whole
    place: Whole
    bucket: Whole
    code: Whole
    error: NDArray[np.bool_]
    events: Whole
    sums: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BinRows:
    """Parallel arrays: Σw and Σw² by cohort, slice, place and latency bin."""

    cohort: Whole
    slice: Whole
    place: Whole
    bin: Whole
    weight: Array
    squares: Array


def gathered(
    comparison: Comparison,
    cut: Cut,
    rows: Rows,
    bins: BinRows,
    units: Units,
    seconds: tuple[float, float],
    *,
    together: bool = True,
    pace: float = 1.0,
    read_rows: int = 0,
    took_ms: float = 0.0,
) -> Totals:
    """Rows → grids. Slices are numbered anew; those that only one cohort was seen in stay."""
    numbers, slices = np.unique(rows.slice, return_inverse=True)
    shape = (2, max(len(numbers), 1), max(len(cut.places), 1), BUCKETS)
    key = np.ravel_multi_index((rows.cohort, slices, rows.place, rows.bucket), shape)

    def grid(values: Array) -> Array:
        found = np.bincount(key, weights=values, minlength=int(np.prod(shape)))
        return found.astype(np.float64).reshape(shape)

    sums = {name: grid(rows.sums[name]) for name in SUMS}
    succeeded = (rows.code < FIRST_CODE_OF_FAILURES) & ~rows.error
    sums["ok_weight"] = grid(np.where(succeeded, rows.sums["weight"], 0.0))
    sums["ok_capped_ms"] = grid(np.where(succeeded, rows.sums["capped_ms"], 0.0))
    codes = {
        int(code): grid(np.where(rows.code == code, rows.sums["weight"], 0.0))
        for code in np.unique(rows.code)
        if code
    }
    hit_squares = {
        str(code): grid(np.where(rows.code == code, rows.sums["squares"], 0.0)).sum(axis=3)
        for code in codes
    }
    hit_squares["error"] = grid(np.where(rows.error, rows.sums["squares"], 0.0)).sum(axis=3)
    first = int(bins.bin.min()) if len(bins.bin) else 0
    width = int(bins.bin.max()) - first + 1 if len(bins.bin) else 1
    # A slice that the sums have not seen is one that this scan's second half reached alone.
    known = np.isin(bins.slice, numbers)
    place_of = np.searchsorted(numbers, bins.slice[known])
    shape_of_bins = (*shape[:3], width)
    key_of = np.ravel_multi_index(
        (bins.cohort[known], place_of, bins.place[known], bins.bin[known] - first), shape_of_bins
    )
    by_bin, squares = (
        np.bincount(key_of, weights=values[known], minlength=int(np.prod(shape_of_bins)))
        .astype(np.float64)
        .reshape(shape_of_bins)
        for values in (bins.weight, bins.squares)
    )
    return Totals(
        comparison=comparison,
        cut=cut,
        sums=sums,
        codes=codes,
        hit_squares=hit_squares,
        events=np.rint(grid(rows.events.astype(np.float64)).sum(axis=3)).astype(np.int64),
        bins=by_bin,
        squares=squares,
        first_bin=first,
        units=units,
        seconds=seconds,
        together=together,
        pace=pace,
        read_rows=read_rows,
        took_ms=took_ms,
    )


def without_slices(found: Totals) -> Totals:
    """The same without time slices."""
    return _with_slices(found, lambda grid: grid.sum(axis=1, keepdims=True))


def shared_slices(found: Totals) -> Totals:
    """Only the slices in which both cohorts were seen: no others can be compared within."""
    seen = (found.events.sum(axis=2) > 0).all(axis=0)
    if seen.all() or not seen.any():
        return found
    return _with_slices(found, lambda grid: grid[:, seen])


def _with_slices(found: Totals, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Totals:
    return replace(
        found,
        sums={name: change(grid) for name, grid in found.sums.items()},
        codes={code: change(grid) for code, grid in found.codes.items()},
        hit_squares={name: change(grid) for name, grid in found.hit_squares.items()},
        events=change(found.events),
        bins=change(found.bins),
        squares=change(found.squares),
    )
