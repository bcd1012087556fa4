"""One measure over a picked time and the time before, in slices, the mix of routes held fixed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from events.store.read import Statement, columns
from insights import scan
from insights.cohorts import Comparison
from insights.deltas import Delta
from insights.statistics.steps import Steps, steps
from insights.totals import CAP, Array, Cut
from insights.where import outcome

SLICES = 60
SHORTEST_S = 5


@dataclass(frozen=True, slots=True)
class Levels:
    """The steps of a series that begins at `begin`, a slice every `step_s` seconds."""

    begin: datetime
    step_s: int
    steps: Steps

    @property
    def moved_at(self) -> datetime | None:
        best = self.steps.best
        return None if best is None else self.begin + timedelta(seconds=best * self.step_s)

    def fits(self, time: datetime) -> bool:
        """Whether the level moved at about this time."""
        return self.steps.fits((time - self.begin).total_seconds() / self.step_s)


def value_of(delta: Delta, cut: Cut) -> str:
    """What is averaged for a measure, as SQL over events."""
    if delta.measure in ("latency_mean", "latency_p50"):
        return f"least(duration_ms, {float(cut.thresholds[CAP][-1])!r})"
    return f"toFloat64({outcome(delta, cut)})"


def levels(comparison: Comparison, delta: Delta, cut: Cut) -> Levels:
    """Raises StoreUnavailable and QueryTooLarge."""
    seconds = (comparison.until - comparison.since).total_seconds()
    step_s = max(SHORTEST_S, round(seconds / SLICES))
    y = "0." if delta.measure == "traffic" else value_of(delta, cut)
    source = scan.source([replace(comparison, slice_s=step_s)], cut, extra=(f"{y} AS y",))
    found = columns(
        Statement(
            f"""SELECT slice, place, sum(w) AS weight, sum(w * y) AS total
                FROM {source.sql} GROUP BY slice, place""",  # noqa: S608  # constant fragments
            source.parameters,
        )
    ).columns
    first = int(comparison.since.timestamp()) // step_s
    last = int(comparison.until.timestamp()) // step_s
    shape = (last - first + 1, max(len(cut.places), 1))
    grid = np.zeros((2, *shape))
    at = np.asarray(found.get("slice", ()), dtype=np.int64) - first
    place = np.asarray(found.get("place", ()), dtype=np.int64)
    inside = (at >= 0) & (at < shape[0])
    for number, name in enumerate(("weight", "total")):
        values = np.asarray(found.get(name, ()), dtype=np.float64)
        np.add.at(grid[number], (at[inside], place[inside]), values[inside])
    weight, total = grid
    begin = datetime.fromtimestamp(first * step_s, comparison.since.tzinfo)
    if delta.measure == "traffic":
        whole = slice(1, -1)  # the slices at both ends are cut off
        counted = weight.sum(axis=1)[whole]
        begin += timedelta(seconds=step_s)
        return Levels(begin, step_s, steps(np.ones(len(counted)), counted))
    return Levels(begin, step_s, steps(weight.sum(axis=1), at_one_mix(weight, total)))


def at_one_mix(weight: Array, total: Array) -> Array:
    """Each slice's mean as if all slices had the same mix of places."""
    share = weight.sum(axis=0) / max(float(weight.sum()), 1e-9)
    usual = total.sum(axis=0) / np.where(weight.sum(axis=0) > 0, weight.sum(axis=0), 1.0)
    own = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), usual)
    mixed: Array = (own * share).sum(axis=1)
    return mixed
