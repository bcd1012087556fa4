"""What runs, from senders that report it again and again: a deploy is where the build changes.

Argo CD and Flux tell of the same build after each sync. All reports are kept with the deploy they
belong to and the runs of equal builds are computed from the whole set, so that reports which come
late, twice or in disorder end as the same deploys, a roll-back among them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.db import transaction

from releases.changes import NewChange, record
from releases.models import Change

AROUND = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Report:
    """A build seen running; `change` is the deploy that holds the report, None for the new one."""

    at: datetime
    build_id: str
    external_id: str
    change: Change | None


def report(new: NewChange) -> tuple[Change, bool]:
    """(the deploy that the report belongs to, whether the report was news)."""
    with transaction.atomic():
        near = Change.objects.select_for_update().filter(
            environment_id=new.environment_id,
            kind=Change.Kind.DEPLOY,
            service=new.service,
            time__range=(new.time - AROUND, new.time + AROUND),
        )
        told = [one for change in near for one in _reports(change)]
        if known := [one for one in told if one.external_id == new.external_id]:
            assert known[0].change is not None  # noqa: S101  # all of these were stored
            return known[0].change, False
        told.append(Report(new.time, new.build_id, new.external_id, None))
        told.sort(key=lambda one: (one.at, one.external_id))
        return _kept(new, [list(run) for _, run in groupby(told, key=lambda one: one.build_id)])


def _reports(change: Change) -> list[Report]:
    if change.details.get("state") == "failed":
        return []  # a failed deploy is no report of what runs
    held = change.details.get("reports") or {change.external_id: change.time.isoformat()}
    return [
        Report(datetime.fromisoformat(at), change.build_id, external_id, change)
        for external_id, at in held.items()
    ]


def _kept(new: NewChange, runs: list[list[Report]]) -> tuple[Change, bool]:
    """Makes the stored deploys what the runs say; answers the one that holds the new report."""
    claimed: dict[int, Change] = {}
    answer: tuple[Change, bool] | None = None
    for run in runs:
        first = next((o.change for o in run if o.change and o.change.id not in claimed), None)
        holds_new = any(one.change is None for one in run)
        if first is None:
            pattern = next((one.change for one in run if one.change), None)
            first, _ = record(_like(pattern, run[0]) if pattern else new)
        created = first.id not in {one.change.id for one in run if one.change}
        claimed[first.id] = first
        if "reports" in first.details or first.source == new.source:
            first.time = min(one.at for one in run)
            first.details["reports"] = {one.external_id: one.at.isoformat() for one in run}
            first.save()
        if holds_new:
            answer = first, created
    for run in runs:
        for one in run:
            if one.change and one.change.id not in claimed and "reports" in one.change.details:
                one.change.delete()
                claimed[one.change.id or 0] = one.change
    assert answer is not None  # noqa: S101  # the new report is in one of the runs
    return answer


def _like(change: Change, first: Report) -> NewChange:
    """A deploy as an earlier one of that build was told, where a later report begins a run."""
    copied = {
        name: getattr(change, name)
        for name in ("environment_id", "kind", "title", "service", "build_id", "actor", "url")
    }
    details = {name: told for name, told in change.details.items() if name != "reports"}
    return NewChange(
        **copied,
        source=change.source,
        time=first.at,
        external_id=f"{first.external_id[:190]}:again",
        details=details,
    )
