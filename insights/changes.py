"""Changes with what is known of their effect: the timeline joined with its watches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from insights.models import Watch
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
    def headline(self) -> str:
        return self.watch.headline if self.watch else ""


def told(changes: Sequence[Change]) -> list[Told]:
    """Each change with its most telling watch, in the order given. One query."""
    watches: dict[int, Watch] = {}
    found = Watch.objects.filter(change__in=[change.id for change in changes]).defer(
        "result", "history"
    )
    for watch in found:
        best = watches.get(watch.change_id or 0)
        if best is None or _rank(watch) < _rank(best):
            watches[watch.change_id or 0] = watch
    return [Told(change, watches.get(change.id)) for change in changes]


def _rank(watch: Watch) -> tuple[int, int]:
    return ORDER[watch.verdict], -watch.looks


def change_json(one: Told) -> dict[str, Any]:
    """A change as the contract lists it; findings is a number."""
    change = one.change
    return {
        "id": change.id,
        "kind": change.kind,
        "time": change.time.isoformat(),
        "end_time": change.end_time.isoformat() if change.end_time else None,
        "title": change.title,
        "service": change.service or None,
        "flag": change.flag or None,
        "build_id": change.build_id or None,
        "actor": change.actor or None,
        "url": change.url or None,
        "source": change.source,
        "verdict": one.verdict,
        "headline": one.headline or None,
        "findings": one.watch.findings_count if one.watch else 0,
    }
