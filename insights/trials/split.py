"""Cells → one flag that does nothing: split by chance, looked at as a real flag would be. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from insights.cohorts import Comparison, Variants
from insights.examine import Plan, Result, judged_side_by_side
from insights.health import Health
from insights.totals import BUCKETS, Array, BinRows, Rows, Totals, Units, Whole, gathered
from insights.trials.cells import CELLS, Cells, column, looks_at, number_columns

EVEN = Plan(split=True, shares=(0.5, 0.5))
PLAIN_Z = 1.96


@dataclass(frozen=True, slots=True)
class Shown:
    """What one flag that does nothing would have shown: the first verdict there was, if any, and
    whether a plain t-test at each look would have called its mean latency different."""

    number: int
    verdict: str = ""
    measure: str = ""
    place: str = ""
    after_s: float = 0.0
    plain: bool = False
    within: float | None = None  # half of the last interval of p50, as a part of it


def sides(seed: int, number: int) -> Whole:
    """Which side each cell is on; the same at every call."""
    return np.random.default_rng([seed, number]).integers(0, 2, CELLS)


def shown(cells: Cells, comparison: Comparison, seed: int, number: int) -> Shown:
    """`comparison` gives environment and window; its cohorts are replaced."""
    side = sides(seed, number)
    flag = Variants(f"nothing-{number}", "off", "on")
    seconds = looks_at((comparison.until - comparison.since).total_seconds())
    plain = plain_alarm(cells, side)
    last: Result | None = None
    asked = replace(comparison, cohorts=flag)
    for look, found in looked(asked, cells, side, seconds):
        if not found.both:
            continue
        last = judged_side_by_side(found, EVEN, Health())
        if last.findings:
            first = last.findings[0]
            return Shown(
                number,
                str(first.judged.verdict),
                first.delta.measure,
                first.delta.scope.route or first.delta.scope.service,
                float(seconds[look]),
                plain,
                _within(last),
            )
    return Shown(number, plain=plain, within=_within(last) if last else None)


def _within(result: Result) -> float | None:
    for one in result.judged:
        bounds = one.delta.ratio_interval
        if one.delta.measure == "latency_p50" and one.delta.scope.whole and bounds:
            return round((bounds[1] - bounds[0]) / 2, 4)
    return None


def looked(
    comparison: Comparison, cells: Cells, side: Whole, seconds: Array
) -> Iterator[tuple[int, Totals]]:
    """The totals at each look: all that had come by then."""
    sums, bins = cells.sums, cells.bins
    cell = column(sums, "bucket")
    every = gathered(
        comparison,
        cells.cut,
        Rows(
            cohort=side[cell],
            slice=column(sums, "slice"),
            place=column(sums, "place"),
            bucket=cell % BUCKETS,
            code=column(sums, "code"),
            error=np.asarray(sums["error"], dtype=np.bool_),
            events=column(sums, "events"),
            sums=number_columns(sums),
        ),
        BinRows(
            cohort=side[column(bins, "bucket")],
            slice=column(bins, "slice"),
            place=column(bins, "place"),
            bin=column(bins, "bin"),
            weight=np.asarray(bins["weight"], dtype=np.float64),
            squares=np.asarray(bins["squares"], dtype=np.float64),
        ),
        Units(np.zeros((2, BUCKETS)), np.zeros((2, len(cells.cut.places)), dtype=np.int64), {}),
        (1.0, 1.0),
    )
    grown = _cumulated(every)
    for place, look in enumerate(np.unique(column(sums, "slice")).tolist()):
        elapsed = float(seconds[look])
        units = units_until(cells, side, look)
        until = comparison.since + timedelta(seconds=elapsed)
        yield (
            look,
            replace(
                _at(grown, place),
                comparison=replace(comparison, until=until),
                units=units,
                seconds=(elapsed, elapsed),
            ),
        )


def _cumulated(found: Totals) -> Totals:
    """Each slice holds what came before it, too."""
    return replace(
        found,
        sums={name: grid.cumsum(axis=1) for name, grid in found.sums.items()},
        codes={code: grid.cumsum(axis=1) for code, grid in found.codes.items()},
        hit_squares={name: grid.cumsum(axis=1) for name, grid in found.hit_squares.items()},
        events=found.events.cumsum(axis=1),
        bins=found.bins.cumsum(axis=1),
        squares=found.squares.cumsum(axis=1),
    )


def _at(found: Totals, place: int) -> Totals:
    one = slice(place, place + 1)
    return replace(
        found,
        sums={name: grid[:, one] for name, grid in found.sums.items()},
        codes={code: grid[:, one] for code, grid in found.codes.items()},
        hit_squares={name: grid[:, one] for name, grid in found.hit_squares.items()},
        events=found.events[:, one],
        bins=found.bins[:, one],
        squares=found.squares[:, one],
    )


def units_until(cells: Cells, side: Whole, look: int) -> Units:
    """Distinct units seen by a look: each counts from the look that saw it first."""
    units, hits = cells.units, cells.hits
    by_bucket = np.zeros((2, BUCKETS))
    by_place = np.zeros((2, len(cells.cut.places)), dtype=np.int64)
    cell, number = column(units, "cell"), column(units, "units")
    seen = column(units, "first") <= look
    whole = column(units, "all_places") == 1
    rows = seen & whole
    np.add.at(by_bucket, (side[cell[rows]], cell[rows] % BUCKETS), number[rows])
    rows = seen & ~whole
    np.add.at(by_place, (side[cell[rows]], column(units, "place")[rows]), number[rows])
    found: dict[tuple[int, int | None, str], int] = {}
    rows = column(hits, "first") <= look
    for every, any_code, own, place, code, error, count in zip(
        *(column(hits, name)[rows].tolist() for name in HIT_COLUMNS), strict=True
    ):
        if any_code and not error:
            continue
        key = (int(side[own]), None if every else place, "error" if any_code else str(code))
        found[key] = found.get(key, 0) + count
    return Units(by_bucket, by_place, found, cells.named_share)


HIT_COLUMNS = ("all_places", "all_codes", "cell", "place", "code", "error", "units")


def plain_alarm(cells: Cells, side: Whole) -> bool:
    """Whether a t-test of mean latency, requests taken as independent, alarms at any look."""
    look, cell = column(cells.plain, "slice"), column(cells.plain, "bucket")
    grid = np.zeros((3, 2, int(look.max()) + 1))
    for number, name in enumerate(("n", "total", "squares")):
        values = np.asarray(cells.plain[name], dtype=np.float64)
        np.add.at(grid[number], (side[cell], look), values)
    n, total, squares = grid.cumsum(axis=2)
    enough = (n >= 2).all(axis=0)
    n = np.maximum(n, 1.0)
    mean = total / n
    variance = np.maximum(squares / n - mean**2, 0.0) / n
    error = np.sqrt(np.maximum(variance.sum(axis=0), 1e-12))
    return bool((np.abs(mean[1] - mean[0]) > PLAIN_Z * error)[enough].any())
