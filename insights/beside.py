"""What else there was at the time of a change: other changes nearby, each with its part in what was
found, and flags that take part without having been changed. What matters comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from insights.changes import Told, told
from insights.overlaps import named
from projects.models import Environment
from releases.changes import timeline
from releases.models import Change

AROUND = timedelta(hours=1)
MOST = 200
PARTS = ("explains", "only_with", "partly", "inseparable")  # the most telling first
OTHERS = len(PARTS)


@dataclass(frozen=True, slots=True)
class Beside:
    """Another change, or a flag or service that did not change nearby (`told` is None), and what it
    has to do with the leading finding: `answer` is "" where nobody asked."""

    told: Told | None
    kind: str = ""  # flag or build
    name: str = ""
    change_id: int | None = None
    sentence: str = ""
    answer: str = ""

    @property
    def takes_part(self) -> bool:
        return self.answer in PARTS


def beside(
    environment: Environment, change: Change, same_time: Sequence[dict[str, Any]]
) -> list[Beside]:
    """Other changes within an hour, and whatever takes part in the finding, in order.

    `same_time` is what was held against the leading finding (`insights.reasons`).
    """
    near = timeline(
        environment.id, since=change.time - AROUND, until=change.time + AROUND, limit=MOST
    )
    by_change, left = _said_once(near, same_time)
    changed = [
        _of_change(one, by_change.get(one.change.id, {}))
        for one in told([other for other in near if other.id != change.id])
    ]
    return ordered([*changed, *parts(left)], change.time)


def parts(same_time: Sequence[dict[str, Any]]) -> list[Beside]:
    """What explains a finding or takes part in it, as flags and services."""
    return [
        Beside(None, one["kind"], one["name"], one["change"], one["sentence"], one["answer"])
        for one in same_time
        if one["answer"] in PARTS
    ]


def ordered(found: Sequence[Beside], time: datetime) -> list[Beside]:
    """What takes part first, then changes that did harm or good, then the nearest in time."""

    def place(one: Beside) -> tuple[int, int, float]:
        part = PARTS.index(one.answer) if one.takes_part else OTHERS
        decided = one.told is not None and one.told.verdict in ("worse", "better")
        apart = abs((one.told.change.time - time).total_seconds()) if one.told else 0.0
        return part, not decided, apart

    return sorted(found, key=place)


def _said_once(
    near: Sequence[Change], same_time: Sequence[dict[str, Any]]
) -> tuple[dict[int, dict[str, Any]], list[dict[str, Any]]]:
    """Each flag's or service's part by the one change nearby that says it, and those without one.

    A flag that was turned twice has one part in the finding, not two.
    """
    by_change: dict[int, dict[str, Any]] = {}
    left = []
    for one in same_time:
        own = [change.id for change in near if named(change) == (one["kind"], one["name"])]
        if own:
            by_change[one["change"] if one["change"] in own else own[0]] = one
        else:
            left.append(one)
    return by_change, left


def _of_change(one: Told, about: dict[str, Any]) -> Beside:
    sentence, answer = about.get("sentence", ""), about.get("answer", "")
    return Beside(one, *named(one.change), one.change.id, sentence, answer)
