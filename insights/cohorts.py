"""What is compared: two cohorts of entry events, in one window and scope.

Plain values, no SQL and no statistics: `insights.comparison` fetches them, `insights.deltas`
compares them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Scope:
    """Which entry events: all of them, those of a service, or of one route of it."""

    service: str = ""
    route: str = ""

    @property
    def whole(self) -> bool:
        return not self.service and not self.route

    def as_json(self) -> dict[str, str]:
        pairs = (("service", self.service), ("route", self.route))
        return {name: value for name, value in pairs if value}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Scope":
        return cls(value.get("service", ""), value.get("route", ""))


@dataclass(frozen=True, slots=True)
class Variants:
    """Two variants of one flag, seen by traces at the same time."""

    flag: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True)
class Builds:
    """Two builds of one service that ran side by side for a while."""

    service: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True)
class Callers:
    """Requests of services that call `service`, by which of its builds their trace met."""

    service: str
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True)
class Instances:
    """Copies of a service first seen from `at` on against those seen before: a deploy without
    build ids. `build` is what the deploy was announced as."""

    service: str
    at: datetime
    build: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Before a moment against after it; `build` keeps only that build afterwards. `picked`: the
    time after it was picked by somebody, not begun by a change; `flag`: what changed then."""

    at: datetime
    service: str = ""
    build: str = ""
    picked: bool = False
    flag: str = ""


TIMES = ("before", "after", "in this time")


def among(label: str) -> str:
    """A cohort's label behind a number, in a sentence: "with on", "before"."""
    return label if label in TIMES else f"with {label}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cohorts in one environment between `since` and `until` (aware times, UTC)."""

    environment_id: int
    cohorts: Variants | Builds | Callers | Instances | Moment
    since: datetime
    until: datetime
    scope: Scope = Scope()
    slice_s: int = 0  # compare within slices of this many seconds; 0: one slice

    @property
    def labels(self) -> tuple[str, str]:
        if isinstance(self.cohorts, Moment):
            return "before", "after"
        if isinstance(self.cohorts, Instances):
            return "old instances", "new instances"
        return self.cohorts.baseline, self.cohorts.candidate
