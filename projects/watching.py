"""The history is read in the background, a part at a time, and what is broken is said on its pages.

Each look goes on from the last link that was found whole, which must still stand where it was: that
also shows a history that was cut off at its end and continued. Then it reads a part of the older
entries once more, so that after a while each has been read again. A look costs a few milliseconds,
however long the history is.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from projects import chain
from projects.models import AuditEntry, HistoryCheck, Project

log = logging.getLogger("flipscope.projects")

GONE = "the entry that stood there when it was last checked is gone or another"
A_PART = 1000  # entries
AT_ONCE = 50  # projects
A_VIEW = 5000  # entries that a page reads, at most


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page says of a history: the chain up to where it was read, and how."""

    chain: chain.Chain
    before: int = 0  # entries that the background had read
    to_come: bool = False  # whether the background has to read more than the page did
    noticed: HistoryCheck | None = None  # what the background found broken

    @property
    def now(self) -> int:
        """Entries that were read for this page."""
        return self.chain.entries - self.before


def look_at_some(now: datetime) -> None:
    """One look at each of the projects that were looked at longest ago."""
    known = HistoryCheck.objects.values("project_id")
    new = Project.objects.exclude(id__in=known).filter(audit_entries__isnull=False).distinct()
    for project in new[:AT_ONCE]:
        HistoryCheck.objects.get_or_create(project=project, defaults={"checked_at": now})
    longest_ago = HistoryCheck.objects.order_by("checked_at").values_list("project_id", flat=True)
    for project in Project.objects.filter(id__in=list(longest_ago[:AT_ONCE])):
        look(project, now)


def look(project: Project, now: datetime) -> HistoryCheck | None:
    """One look; None where another worker is at it, or nothing has been written yet."""
    with transaction.atomic():
        rows = HistoryCheck.objects.select_for_update(skip_locked=True)
        kept = rows.filter(project=project).first()
        if kept is None:
            return None
        kept.checked_at = now
        if kept.broken_at is None and not _goes_on(project, kept):
            kept.found_at = now
            extra = {"project_id": project.pk, "number": kept.broken_at}
            log.error("history.broken", extra=extra)
        kept.save()
    return kept


def seen(project: Project) -> Seen:
    """For pages: what was noticed, or what comes after the last link that was found whole."""
    kept = HistoryCheck.objects.filter(project=project).first()
    if kept is not None and kept.broken_at is not None:
        return Seen(chain.WHOLE, noticed=kept)
    start = chain.WHOLE if kept is None else chain.Chain(kept.number, kept.number, kept.hash)
    if start.number and _hash_of(project, start.number) != start.hash:
        return Seen(replace(start, broken_at=start.number, why=GONE))
    found = chain.check(project, start, A_VIEW)
    to_come = AuditEntry.objects.filter(project=project, number__gt=found.number).exists()
    return Seen(found, before=start.number, to_come=to_come)


def noted(project: Project) -> tuple[int, str] | None:
    """The last link that was found whole: a chain that is whole still has it."""
    kept = HistoryCheck.objects.filter(project=project, number__gt=0).first()
    return (kept.number, kept.hash) if kept else None


def accept(project: Project, found: chain.Chain, now: datetime) -> None:
    """Takes a chain that holds as it is now, whatever was noticed before."""
    HistoryCheck.objects.update_or_create(
        project=project,
        defaults={
            **{"number": found.number, "hash": found.hash, "again_to": 0, "checked_at": now},
            **{"broken_at": None, "why": "", "found_at": None},
        },
    )


def _goes_on(project: Project, kept: HistoryCheck) -> bool:
    """Reads a part more; False where it is broken, which `kept` then says."""
    if kept.number and _hash_of(project, kept.number) != kept.hash:
        kept.broken_at = kept.number
        kept.why = GONE
        return False
    found = chain.verify_after(project, chain.Chain(0, kept.number, kept.hash), A_PART)
    if found.holds:
        kept.number, kept.hash = found.number, found.hash
        again = kept.again_to if kept.again_to < kept.number else 0
        start = chain.Chain(0, again, _hash_of(project, again) if again else "")
        found = chain.verify_after(project, start, A_PART)
        kept.again_to = found.number
    kept.broken_at, kept.why = found.broken_at, found.why
    return found.holds


def _hash_of(project: Project, number: int) -> str:
    rows = AuditEntry.objects.filter(project=project, number=number)
    return rows.values_list("hash", flat=True).first() or ""
