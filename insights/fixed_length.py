"""Comparisons whose end is known in advance: a group-sequential plan beside the e-values.

Half of the family's 5% stays with the e-values, which hold for ever; the other half is shared among
the family by its weights and spent over at most twenty looks until the end. Where the end is known,
a difference that fills the length is found with less traffic: docs/statistics.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from scipy.special import ndtri

from insights.delta import Delta
from insights.statistics import multiple
from insights.statistics.group_sequential import bounds

ALPHA = multiple.RATE / 2
MOST_LOOKS = 20
LEAST_GROWTH = 1.02  # of what is known between two looks: less is no look


@dataclass(frozen=True, slots=True)
class FixedLength:
    """From `start` to `end`, looked at now; `looks` so far as (part of the length, events seen).

    `crossed` holds the deltas that crossed their bound at some look, with the direction.
    """

    start: datetime
    end: datetime
    now: datetime
    looks: tuple[tuple[float, float], ...] = ()
    crossed: tuple[tuple[str, int], ...] = ()

    @property
    def over(self) -> bool:
        return bool(self.looks) and self.looks[-1][0] >= 1

    def as_json(self) -> dict[str, Any]:
        return {"looks": [list(look) for look in self.looks], "crossed": list(self.crossed)}


def kept(
    start: datetime, end: datetime | None, now: datetime, looks: dict[str, Any]
) -> FixedLength | None:
    """As a watch keeps it, at a look `now`; None without a known end."""
    if end is None or end <= start:
        return None
    return FixedLength(
        start,
        end,
        now,
        tuple((float(part), float(events)) for part, events in looks.get("looks", ())),
        tuple((str(name), int(sign)) for name, sign in looks.get("crossed", ())),
    )


def looked(plan: FixedLength, deltas: Sequence[Delta], weights: Sequence[float]) -> FixedLength:
    """The plan after a look at these deltas; the same plan where no look is due."""
    part = min((plan.now - plan.start) / (plan.end - plan.start), 1.0)
    events = float(max((sum(delta.events) for delta in deltas), default=0))
    last_part, last_events = plan.looks[-1] if plan.looks else (0.0, 0.0)
    due = part >= 1 or (part - last_part >= 1 / MOST_LOOKS and events > last_events * LEAST_GROWTH)
    if plan.over or not due or events <= 0:
        return plan
    looks = (*plan.looks, (part, max(events, last_events * LEAST_GROWTH)))
    found = dict(plan.crossed)
    for delta, weight in zip(deltas, weights, strict=True):
        if _name(delta) not in found and _crosses(delta, ALPHA * weight, looks):
            found[_name(delta)] = 1 if delta.d > 0 else -1
    return replace(plan, looks=looks, crossed=tuple(found.items()))


def claimed(plan: FixedLength, deltas: Iterable[Delta]) -> set[int]:
    """The places of deltas that crossed their bound and still point that way."""
    crossed = dict(plan.crossed)
    return {
        place
        for place, delta in enumerate(deltas)
        if crossed.get(_name(delta)) == (1 if delta.d > 0 else -1)
    }


def _crosses(delta: Delta, alpha: float, looks: tuple[tuple[float, float], ...]) -> bool:
    if alpha <= 0 or delta.z < float(ndtri(1 - alpha / 2)):
        return False  # no look's bound is lower than that of a single test
    parts, events = zip(*looks, strict=True)
    return delta.z >= bounds(parts, events, alpha)[-1]


def _name(delta: Delta) -> str:
    return "\x1f".join((delta.measure, delta.scope.service, delta.scope.route))
