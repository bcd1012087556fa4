"""A scan is fetched whole while it is small, and piece by piece when it is not.

What a statement keeps in memory grows with the events that it joins. So sums and bins, which add
up, are fetched a time at a time. Distinct users do not add up over times, but they do over shares
of the users: those are counted over the whole window, a share of the users at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from events.store.read import Columns, Statement, columns
from insights import counted
from insights.cohorts import Comparison
from insights.scan import ALL, FAILED, Piece, Source
from insights.totals import Cut

__all__ = ["ALL", "Scanned", "array", "fetched", "scanned", "shares_of_users", "times"]

EVENTS_AT_ONCE = 1_000_000  # whose sums are fetched by one statement
COUNTED_AT_ONCE = 4_000_000  # whose users are counted by one


@dataclass(frozen=True, slots=True)
class Scanned:
    """Sums, bins, units and hits as arrays, the rows of each comparison's cohorts side by side."""

    arrays: list[dict[str, Any]]
    read_rows: int
    took_ms: float


def times(comparisons: Sequence[Comparison], events: int) -> tuple[Piece, ...]:
    """As many times of equal length as hold so many events at once."""
    count = max(-(-events // EVENTS_AT_ONCE), 1)
    if count == 1:
        return (ALL,)
    since = min(one.since for one in comparisons)
    until = max(one.until for one in comparisons)
    edges = [*(since + (until - since) * n / count for n in range(count)), until]
    return tuple(Piece((edges[n], edges[n + 1])) for n in range(count))


def shares_of_users(events: int) -> tuple[Piece, ...]:
    """As many shares of the users as make so many events at once."""
    count = max(-(-events // COUNTED_AT_ONCE), 1)
    return tuple(Piece(users=(n, count)) for n in range(count))


def scanned(
    source: Callable[[str, Piece], Source],
    cut: Cut,
    during: Sequence[Piece] = (ALL,),
    users: Sequence[Piece] = (ALL,),
) -> Scanned:
    """`source` gives the events of a piece that meet a condition ("" for all)."""
    asked = (
        [counted.sums(source("", piece), cut) for piece in during],
        [counted.bins(source("", piece)) for piece in during],
        [counted.units(source("", piece)) for piece in users],
        [counted.hits(source(FAILED, piece)) for piece in users],
    )
    answers = [[fetched(one) for one in each] for each in asked]
    every = [one for each in answers for one in each]
    return Scanned(
        [_arrays([one.columns for one in each]) for each in answers],
        sum(one.read_rows for one in every),
        sum(one.took_ms for one in every),
    )


def fetched(source: Source) -> Columns:
    """What a statement yields. Raises StoreUnavailable and QueryTooLarge."""
    return columns(Statement(source.sql, source.parameters))


def array(found: dict[str, Any], name: str, kind: Any) -> Any:
    """One column, empty where nothing was found."""
    return np.asarray(found.get(name, ()), dtype=kind)


def _arrays(pieces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    cohort = np.concatenate([array(one, "cohort", np.int64) for one in pieces])
    order = np.argsort(cohort, kind="stable")
    names = dict.fromkeys(name for one in pieces for name in one)
    return {
        name: np.concatenate([np.asarray(one[name]) for one in pieces if name in one])[order]
        for name in names
    } | {"cohort": cohort[order]}
