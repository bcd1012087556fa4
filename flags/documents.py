"""What each process knows of an environment's flags: its compiled document, kept fresh.

A request at most half a second after the last check takes the document as it is; the first one
later asks the database for the flags' fingerprint (two small aggregates) and loads them anew only
where that changed, while others go on with what is there. So no answer is older than about half a
second in any process, and while the database is away the last document keeps answering.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models import Count, Max, Sum
from django.db.models.functions import Coalesce

from flags import upcoming
from flags.courses import Course
from flags.evaluate import Document, document_of
from flags.models import Flag, Segment
from flags.segments import Segment as Group
from flags.segments import read_segment
from flags.wrong import DefinitionError
from projects.models import Environment
from web.errors import StoreAway

log = logging.getLogger("flipscope.flags")

FRESH_S = 0.5
BARRIER_S = 2.0
BARRIER_STEP_S = 0.05


@dataclass(slots=True)
class _Kept:
    document: Document
    fingerprint: tuple[Any, ...]
    checked: float


_kept: dict[int, _Kept] = {}
_lock = threading.Lock()


def document_for(environment_id: int) -> Document:
    """The environment's document, not older than about FRESH_S. Raises StoreAway where the
    database is away and nothing is known yet."""
    now = time.monotonic()
    with _lock:
        kept = _kept.get(environment_id)
        if kept is not None:
            if now - kept.checked < FRESH_S:
                return kept.document
            kept.checked = now  # this thread looks; the others go on with what is there
    try:
        return _checked(environment_id, kept, now)
    except (DatabaseError, InterfaceError) as error:
        log.warning("flags.recalled", extra={"known": kept is not None})
        if kept is None:
            raise StoreAway("The database does not answer right now.") from error
        return kept.document


def forget(environment_id: int) -> None:
    """Drops what this process keeps: after an edit here its own next answer is the new one."""
    with _lock:
        _kept.pop(environment_id, None)


def document_since(environment_id: int, generation: int) -> Document:
    """The document, of that generation or newer: whoever was told of a change then sees it.

    Waits a moment for it; an answer that is older than what a client has heard of would make it
    flip back. Raises StoreAway as `document_for` does.
    """
    deadline = time.monotonic() + BARRIER_S
    document = document_for(environment_id)
    while document.generation < generation and time.monotonic() < deadline:
        forget_check(environment_id)
        document = document_for(environment_id)
        if document.generation < generation:
            time.sleep(BARRIER_STEP_S)
    return document


def forget_check(environment_id: int) -> None:
    """Makes the next look ask the database, and keeps the document for while that is away."""
    with _lock:
        if (kept := _kept.get(environment_id)) is not None:
            kept.checked = 0.0


def _checked(environment_id: int, kept: _Kept | None, now: float) -> Document:
    every = Flag.objects.filter(environment_id=environment_id)
    rows = every.current()
    # Read before the flags: an edit between the two is then seen by the next check.
    groups = Segment.objects.filter(environment_id=environment_id)
    own = every.aggregate(
        Count("id"), Max("id"), Max("updated_at"), revisions=Coalesce(Sum("revision"), 0)
    )
    shared = groups.aggregate(Count("id"), versions=Coalesce(Sum("version"), 0))
    fingerprint = (*own.values(), *shared.values())
    if kept is not None and kept.fingerprint == fingerprint:
        return kept.document
    environment = Environment.objects.select_related("project").get(id=environment_id)
    document = document_of(
        _readable(list(rows)),
        str(environment),
        _groups(groups),
        generation=own["revisions"] + shared["versions"],
    )
    with _lock:
        _kept[environment_id] = _Kept(document, fingerprint, now)
    return document


def _readable(rows: list[Flag]) -> Iterator[Course]:
    """One row that no longer reads must not take the other flags away."""
    steps = upcoming.to_come(rows)
    for row in rows:
        try:
            yield upcoming.course(row, steps.get(row.id, []))
        except DefinitionError as error:
            log.error("flag.unreadable", extra={"flag_id": row.id, "field": error.field})


def _groups(rows: Iterable[Segment]) -> Iterator[Group]:
    for row in rows:
        try:
            yield read_segment(row.name, row.definition)
        except DefinitionError as error:
            log.error("segment.unreadable", extra={"segment_id": row.id, "field": error.field})
