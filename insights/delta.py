"""One measure's difference in one scope, and what every kind of measure needs to make one."""

import math
from dataclasses import dataclass

from scipy.special import stdtrit

from insights.cohorts import Scope
from insights.parts import Part
from insights.statistics import sequences
from insights.statistics.totals import Estimate

LEVEL = 0.95
HARM_LEVEL_ALPHA = 0.10  # both sides; one side of it is the 95% bound of a guard
ENOUGH_UNITS = 20.0
ENOUGH_HITS = 10.0
UNEVEN = 2  # times as many units as are needed, and still worth fewer
FURTHEST = 20.0  # a log ratio that is as good as no bound


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test of no difference says: ln of its e-value, its score, or why there is none.

    The score `z` is that of a normal variable under no difference, few units allowed for; 0 where
    only an exact e-value can be had.
    """

    log_e: float = -math.inf
    z: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """One measure's difference in one scope.

    Latencies in ms, rates as fractions of 1. `d` is what is reported: ln(ratio) for latencies and
    traffic, the plain difference for rates; `error` its standard error and `scale` the factor that
    makes it a log ratio's. `log_e` is ln of the e-value, −∞ where nothing may be claimed; `tested`
    says whether enough was seen for intervals to be relied on, `reason` why not. Intervals are
    None where nothing is excluded or a ratio has no denominator.
    """

    measure: str
    scope: Scope
    baseline: float
    candidate: float
    ratio: float | None
    difference: float
    ratio_interval: tuple[float, float] | None
    difference_interval: tuple[float, float] | None
    events: tuple[int, int]
    units: tuple[int, int]
    d: float
    error: float
    scale: float
    degrees: float
    log_e: float
    tested: bool
    reason: str = ""
    z: float = 0.0  # |score| under no difference, 0 where nothing may be claimed from it
    drift: float = 0.0  # before and after: how far levels move by themselves (1 sd), as d
    drift_degrees: float = math.inf
    unit: str = "user"  # what `units` are, as the filter `counted` reads it

    def half(self, alpha: float) -> float:
        """Half the width of its interval: of sampling, and of what levels do by themselves."""
        sampling = sequences.half_width(self.error, self.error * self.scale, self.degrees, alpha)
        return math.hypot(sampling, self.by_itself(alpha))

    def by_itself(self, alpha: float) -> float:
        """How far levels move when nothing changed, in all but `alpha` of the times."""
        if self.drift <= 0:
            return 0.0
        return self.drift * float(stdtrit(self.drift_degrees, 1 - alpha / 2))

    @property
    def is_latency(self) -> bool:
        return self.measure.startswith("latency_")

    @property
    def is_rate(self) -> bool:
        return self.measure == "error_rate" or self.measure.startswith("status_code:")

    @property
    def harm_excluded(self) -> float:
        """By how much it is at most higher (95%, one-sided, at every look), on the scale of `d`."""
        if not self.tested:
            return math.inf
        return self.d + self.half(HARM_LEVEL_ALPHA)


def too_few(of: Part, estimate: Estimate, enough: float) -> str:
    """Why so few units tell nothing, or "". A unit that makes most of the requests outweighs the
    others, so that all of them are worth a few only."""
    if min(estimate.units) >= enough:
        return ""
    one, _, several = of.totals.units.noun.partition(",")
    many = several or f"{one}s"
    if min(of.units()) >= UNEVEN * enough:
        return (
            f"some {many} make so many of the requests that those of one side count as fewer than"
            f" the {enough:.0f} that are needed"
        )
    return f"too few {many} on one side so far: at least {enough:.0f} are needed"


def distinct(of: Part, events: float) -> float:
    """Units of so many events, times the smaller cohort's share of all units.

    Units are taken as distinct until the events outnumber them.
    """
    units = of.units()
    everyone = sum(units)
    if not everyone:
        return 0.0
    return everyone * -math.expm1(-events / everyone) * min(units) / everyone


def score(d: float, variance: float) -> float:
    return abs(d) / math.sqrt(variance) if variance > 0 else 0.0


def symmetric(estimate: Estimate) -> tuple[float, float] | None:
    """The interval of a log ratio; None where nothing is excluded."""
    error = math.sqrt(estimate.variance)
    half = sequences.half_width(error, error, estimate.degrees, 1 - LEVEL)
    return (estimate.d - half, estimate.d + half) if half < FURTHEST else None


def log_delta(
    of: Part,
    measure: str,
    estimate: Estimate,
    test: Tested,
    log_bounds: tuple[float, float] | None,
) -> Delta:
    """A delta whose difference is bounded on the log scale."""
    error = math.sqrt(estimate.variance)
    bounds = None
    if log_bounds:
        bounds = (math.exp(log_bounds[0]), math.exp(log_bounds[1]))
    base = estimate.baseline
    return Delta(
        measure=measure,
        scope=of.scope,
        baseline=base,
        candidate=estimate.candidate,
        ratio=math.exp(estimate.d),
        difference=estimate.candidate - base,
        ratio_interval=bounds,
        difference_interval=(base * (bounds[0] - 1), base * (bounds[1] - 1)) if bounds else None,
        events=of.events(),
        units=of.units(),
        d=estimate.d,
        error=error,
        scale=1.0,
        degrees=estimate.degrees,
        log_e=-math.inf if test.reason else test.log_e,
        tested=not test.reason,
        reason=test.reason,
        z=0.0 if test.reason else test.z,
        unit=of.totals.units.noun,
    )
