"""The history is read in the background, a part at a time, and what is broken is said on its pages.

Each look goes on from the last link that was found whole, which must still stand where it was: that
also shows a history that was cut off at its end and continued. Then it reads a part of the older
entries once more, so that after a while each has been read again. A look costs a few milliseconds,
however long the history is.
"""

import logging
from datetime import datetime

from django.db import transaction

from projects import chain
from projects.models import AuditEntry, HistoryCheck, Project

log = logging.getLogger("flipscope.projects")

A_PART = 1000  # entries
AT_ONCE = 50  # projects


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


def broken(project: Project) -> HistoryCheck | None:
    """What was found broken in the background, until somebody accepts it."""
    return HistoryCheck.objects.filter(project=project, broken_at__isnull=False).first()


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
        kept.why = "the entry that stood there when it was last checked is gone or another"
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
