"""Changes with what is known of their effect: the timeline joined with its watches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from insights.models import Watch
from releases.changes import as_json
from releases.models import Change

ORDER = {"worse": 0, "better": 1, "unknown": 2, "no_difference": 3}


@dataclass(frozen=True, slots=True)
class Told:
    """A change and the watch that says most about it; None while nothing was looked at yet."""

    change: Change
    watch: Watch | None

    @property
    def verdict(self) -> str | None:
        return self.watch.verdict if self.watch and self.watch.looks else None

    @property
    def shown(self) -> str | None:
        """The verdict as pages tell it."""
        return self.watch.shown if self.watch and self.watch.looks else None

    @property
    def headline(self) -> str:
        return self.watch.headline if self.watch else ""


def told(changes: Sequence[Change]) -> list[Told]:
    """Each change with its most telling watch, in the order given. One query."""
    watches: dict[int, list[Watch]] = {}
    found = Watch.objects.filter(change__in=[change.id for change in changes]).defer(
        "result", "history"
    )
    for watch in found:
        watches.setdefault(watch.change_id or 0, []).append(watch)
    return [Told(change, most_telling(watches.get(change.id, ()))) for change in changes]


def distinct(watches: Iterable[Watch]) -> list[Watch]:
    """Without the repeats of one before and after, in the order given.

    Where a flag was flipped for everyone, each pair of its variants comes to the same comparison:
    all requests before the change and after it.
    """
    found: dict[tuple[object, ...], Watch] = {}
    for watch in watches:
        key: tuple[object, ...] = (watch.id,)
        if watch.subject == Watch.Subject.FLAG and watch.evidence == "before_after":
            key = (watch.flag, watch.started_at)
        found.setdefault(key, watch)
    return list(found.values())


def most_telling(watches: Iterable[Watch]) -> Watch | None:
    """Of the comparisons of a flag's variants with their baseline: one that is worse, if any is."""
    return min(watches, key=_rank, default=None)


def _rank(watch: Watch) -> tuple[int, int, int]:
    return ORDER[watch.verdict], -watch.looks, watch.id


def change_json(one: Told) -> dict[str, Any]:
    """A change as the contract lists it, with what is known of its effect; findings is a number."""
    return {
        **as_json(one.change),
        "verdict": one.verdict,
        "headline": one.headline or None,
        "findings": one.watch.findings_count if one.watch else 0,
    }
