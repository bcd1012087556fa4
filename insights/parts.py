"""One scope of a comparison's totals, as the strata and buckets that the statistics take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from insights.cohorts import Scope
from insights.statistics import quantiles
from insights.statistics.totals import (
    Arm,
    Array,
    Estimate,
    means,
    rates,
    share_variances,
)
from insights.totals import Totals

ALWAYS_KEPT = 10.0
Shares = list[tuple[float, float] | None]
Compare = Callable[[Array, Array], list[Any]]


class Beside:
    """The places of a comparison side by side: each measure is compared in all of them at once."""

    def __init__(self, totals: Totals) -> None:
        self.uneven = totals.unevenly_sampled
        self._weight = totals.sums["weight"].swapaxes(1, 2)
        self._found: dict[str, list[Any]] = {}

    def found(self, key: str, values: Array, compare: Compare) -> list[Any]:
        """By place. `key` names values and comparison: both are taken only once."""
        if key not in self._found:
            self._found[key] = compare(self._weight, values.swapaxes(1, 2))
        return self._found[key]


@dataclass(frozen=True, slots=True)
class Part:
    """One scope of the totals: a place, or all of them but `without`, each a stratum of its own."""

    totals: Totals
    place: int | None
    keep: tuple[int, ...]
    beside: Beside | None = None

    @property
    def scope(self) -> Scope:
        return Scope() if self.place is None else self.totals.places[self.place]

    def grid(self, values: Array) -> Array:
        """(cohorts, strata, buckets) of this scope."""
        found = values[:, :, self.keep, :]
        return found.reshape(2, -1, found.shape[3])

    def sums(self, name: str) -> Array:
        return self.grid(self._named(name))

    def _named(self, name: str) -> Array:
        whole = f"all_{name}"
        if self.place is None and whole in self.totals.sums:
            name = whole
        return self.totals.sums[name]

    def arms(self, value: Array) -> tuple[Arm, Arm]:
        """Σw and Σ`value` of baseline and candidate."""
        weight = self.grid(self.totals.sums["weight"])
        return Arm(weight[0], value[0]), Arm(weight[1], value[1])

    def mean(self, name: str) -> Estimate | None:
        """How the cohorts' means of a sum compare."""
        found: Estimate | None = self._one(f"mean {name}", self._named(name), means)
        return found

    def share(self, name: str) -> Estimate | None:
        """How the cohorts' shares of events above a threshold compare."""
        found: Estimate | None = self._one(f"share {name}", self._named(name), rates)
        return found

    def share_errors(self, name: str) -> Shares:
        """By cohort, that share and its variance over units."""
        found: Shares = self._one(f"errors {name}", self._named(name), share_variances)
        return found

    def rate(self, hit: str) -> Estimate | None:
        """How the cohorts' shares of failures ("error") or of a status code compare."""
        values = self.totals.sums["failed"] if hit == "error" else self.totals.codes[int(hit)]
        found: Estimate | None = self._one(f"rate {hit}", values, self._rates(hit))
        return found

    def _rates(self, hit: str) -> Compare:
        """`rates`, each scope with what its events stand for at least."""

        def compare(weight: Array, value: Array) -> list[Any]:
            of = [self] if weight.shape[1] == 1 else self._places()
            least = [one.mean_weights(hit) or (0.0, 0.0) for one in of]
            return rates(weight, value, np.array(least).T)

        return compare if self.uneven else rates

    def _places(self) -> list["Part"]:
        return [
            Part(self.totals, place, (place,), self.beside)
            for place in range(len(self.totals.places))
        ]

    def _one(self, key: str, values: Array, compare: Compare) -> Any:
        if self.place is None or self.beside is None:
            weight = self.grid(self.totals.sums["weight"])
            return compare(weight[:, None], self.grid(values)[:, None])[0]
        return self.beside.found(key, values, compare)[self.place]

    @property
    def uneven(self) -> bool:
        """Whether events stand for different numbers of events."""
        return self.totals.unevenly_sampled if self.beside is None else self.beside.uneven

    def evened(self, values: Array, power: int = 1) -> Array:
        """Σ over strata of values of the shape (2, slices, places, …), each cohort counted by the
        other's share of a stratum, to a power: 2 for squares of weights."""
        weight = self.totals.sums["weight"][:, :, self.keep, :].sum(axis=3)
        total = weight.sum(axis=0)
        factor = (weight[::-1] / np.where(total > 0, total, 1.0)) ** power
        own = values[:, :, self.keep]
        found: Array = (own * factor.reshape(factor.shape + (1,) * (own.ndim - 3))).sum(axis=(1, 2))
        return found

    def binned(self) -> Array:
        """Σw by cohort and latency bin, strata weighted by overlap."""
        return self.evened(self.totals.bins)

    def histograms(self) -> tuple[quantiles.Histogram, quantiles.Histogram, quantiles.Histogram]:
        """Latency of baseline, candidate and both, strata weighted by overlap."""
        found, squares = self.binned(), self.evened(self.totals.squares, 2)
        first = self.totals.first_bin
        baseline, candidate = (
            quantiles.of_bins(first, *own) for own in zip(found, squares, strict=True)
        )
        return (
            baseline,
            candidate,
            quantiles.of_bins(first, found.sum(axis=0), squares.sum(axis=0)),
        )

    def mean_weights(self, hit: str) -> tuple[float, float] | None:
        """By cohort, how many events one with an outcome stands for; None where all stand for one.

        The mean over what is represented, Σw²/Σw. Outcomes of which ten are there and each stands
        for itself alone are always kept; with fewer, or none alike, any event's mean is the least:
        a heavy one that is not there yet would change everything.
        """
        if not self.uneven:
            return None
        grids = self.totals.sums
        weight, squares = (
            grids[name][:, :, self.keep, :].sum(axis=(1, 2, 3)) for name in ("weight", "squares")
        )
        hits = self.totals.hit_squares[hit][:, :, self.keep].sum()
        value = grids["failed"] if hit == "error" else self.totals.codes[int(hit)]
        represented = value[:, :, self.keep, :].sum()
        if represented >= ALWAYS_KEPT and abs(hits - represented) < 1e-6 * hits:
            return None
        own = hits / represented if represented > 0 else 0.0
        baseline, candidate = (
            max(float(own), float(q / w)) if w > 0 else float(own)
            for q, w in zip(squares, weight, strict=True)
        )
        return baseline, candidate

    def shared(self) -> bool:
        """Whether both cohorts have events in at least one place and time slice."""
        seen = self.totals.events[:, :, self.keep] > 0
        return bool(seen.all(axis=0).any())

    def events(self) -> tuple[int, int]:
        found = self.totals.events[:, :, self.keep].sum(axis=(1, 2))
        return int(found[0]), int(found[1])

    @property
    def is_remainder(self) -> bool:
        """Some places are left out: distinct units are not known of it, only upper bounds."""
        return self.place is None and len(self.keep) < len(self.totals.places)

    def hits(self, name: str) -> tuple[int, int]:
        """Units with a failure ("error") or a status code; in a remainder, at most so many."""
        hits = self.totals.units.hits
        places = self.keep if self.is_remainder else (self.place,)
        found = [sum(hits.get((arm, place, name), 0) for place in places) for arm in (0, 1)]
        return found[0], found[1]

    def units(self) -> tuple[int, int]:
        units = self.totals.units
        if self.place is None:
            return units.whole
        return int(units.by_place[0, self.place]), int(units.by_place[1, self.place])


def part(totals: Totals, place: int | None, *, without: frozenset[int] = frozenset()) -> Part:
    """One place, or all of them but `without`."""
    everywhere = tuple(i for i in range(len(totals.places)) if i not in without)
    return Part(totals, place, everywhere if place is None else (place,))


def parts(totals: Totals, *, whole: bool = True) -> list[Part]:
    """All scopes: the whole, unless it is not wanted, then each place."""
    beside = Beside(totals)
    everywhere = tuple(range(len(totals.places)))
    found = [Part(totals, None, everywhere, beside)] if whole else []
    return [*found, *(Part(totals, place, (place,), beside) for place in everywhere)]
