"""The events of some hours as cells of units, from which any number of splits can be made.

One scan serves all splits: the sums of a comparison are fetched by cell instead of by bucket, and
a split gives each cell to one side. A unit stays in its cell, so a split is as sticky as a flag's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from events.store.read import Columns, Statement, columns
from insights import counted, scan
from insights.cohorts import Comparison, Moment
from insights.comparison import cut_of
from insights.totals import BUCKETS, SUMS, Array, Cut, Whole

CELLS = 20 * BUCKETS  # a whole number a bucket
MOST_EVENTS = 150_000
LOOKS = 40


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows as scanned, by cell and look. `one_in` of the units were taken."""

    cut: Cut
    sums: dict[str, Any]
    bins: dict[str, Any]
    units: dict[str, Any]
    hits: dict[str, Any]
    plain: dict[str, Any]  # requests, Σms and Σms² by cell and look, for a plain t-test
    events: int
    users: int
    named_share: float
    one_in: int


def looks_at(seconds: float) -> Array:
    """When a comparison of this length is looked at, in seconds: often at first, then rarely."""
    first = max(seconds / 200, 10.0)
    return np.unique(np.ceil(np.geomspace(first, seconds, LOOKS)))


def cells(environment_id: int, since: datetime, until: datetime) -> Cells | None:
    """None where nothing came in. Raises StoreUnavailable and QueryTooLarge."""
    everything = Comparison(environment_id, Moment(since), since, until)
    cut, events = cut_of([everything])
    if not cut.places:
        return None
    one_in = max(-(-events // MOST_EVENTS), 1)
    looks = (looks_at((until - since).total_seconds()) * 1e6).astype(np.int64).tolist()
    begin = round(since.timestamp() * 1e6)

    def source(only: str) -> scan.Source:
        every = scan.source([everything], cut, only=only, extra=("time AS at",))
        look = f"""toUInt16(arrayFirstIndex(
            end -> toUnixTimestamp64Micro(at) - {begin} < end, {{looks:Array(Int64)}}) - 1)"""
        return scan.Source(
            f"""(SELECT * REPLACE (toUInt16(unit % {CELLS}) AS bucket, {look} AS slice)
                FROM {every.sql} WHERE intDiv(unit, {CELLS}) % {{one_in:UInt32}} = 0)""",  # noqa: S608  # numbers and constants only
            every.parameters | {"looks": [*looks[:-1], looks[-1] + 10**12], "one_in": one_in},
        )

    every = source("")
    sums = _fetched(counted.sums(every, cut)).columns
    if not sums:
        return None
    units = _fetched(_units(every)).columns
    return Cells(
        cut=cut,
        sums=sums,
        bins=_fetched(_bins(every)).columns,
        units=units,
        hits=_fetched(_hits(source(scan.FAILED))).columns,
        plain=_fetched(_plain(every)).columns,
        events=int(np.sum(sums["events"])),
        users=int(np.sum(np.asarray(units["units"])[np.asarray(units["all_places"]) == 1])),
        named_share=float(np.sum(sums["named"]) / max(np.sum(sums["events"]), 1)),
        one_in=one_in,
    )


def _fetched(source: scan.Source) -> Columns:
    return columns(Statement(source.sql, source.parameters))


def _bins(found: scan.Source) -> scan.Source:
    return scan.Source(
        f"""SELECT bucket, slice, place, bin, sum(w) AS weight, sum(w * w) AS squares
            FROM {found.sql} GROUP BY bucket, slice, place, bin""",  # noqa: S608
        found.parameters,
    )


def _units(found: scan.Source) -> scan.Source:
    """Units by the look that saw them first, of all places and of each."""
    return scan.Source(
        f"""SELECT all_places, cell, place, first, count() AS units FROM (
                SELECT grouping(place) AS all_places, any(bucket) AS cell, place,
                    min(slice) AS first
                FROM {found.sql} GROUP BY GROUPING SETS ((unit), (unit, place)))
            GROUP BY all_places, cell, place, first""",  # noqa: S608
        found.parameters,
    )


def _hits(found: scan.Source) -> scan.Source:
    return scan.Source(
        f"""SELECT all_places, all_codes, cell, place, code, error, first, count() AS units FROM (
                SELECT grouping(place) AS all_places, grouping(code) AS all_codes,
                    any(bucket) AS cell, place, code, error, min(slice) AS first
                FROM {found.sql} GROUP BY GROUPING SETS (
                    (unit, error), (unit, code), (unit, place, error), (unit, place, code)))
            GROUP BY all_places, all_codes, cell, place, code, error, first""",  # noqa: S608
        found.parameters,
    )


def _plain(found: scan.Source) -> scan.Source:
    return scan.Source(
        f"""SELECT bucket, slice, count() AS n, sum(ms) AS total, sum(ms * ms) AS squares
            FROM {found.sql} GROUP BY bucket, slice""",  # noqa: S608
        found.parameters,
    )


def column(found: dict[str, Any], name: str) -> Whole:
    return np.asarray(found.get(name, ()), dtype=np.int64)


def number_columns(found: dict[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(found[name], dtype=np.float64) for name in SUMS}
