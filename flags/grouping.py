"""Segments → database: who belongs to a group, on the record, never taken from under a flag.

Another meaning of a segment is another version of every flag that names it and is on: it asks for
the same approval, stands on the timeline, and has its effect measured.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from flags import governance, words
from flags.definition import check_text
from flags.editing import locked
from flags.models import Segment
from flags.saving import Act, save, tell
from flags.segments import read_segment
from flags.surroundings import users_of_segment
from flags.wrong import DefinitionError
from projects import audit
from projects.models import Environment

LONGEST_NAME = 100


def find(environment: Environment, name: str) -> Segment | None:
    """The segment of this name."""
    if "\x00" in name:
        return None
    return Segment.objects.filter(environment=environment, name=name).first()


def keep(
    environment: Environment,
    name: str,
    given: Mapping[str, Any],
    *,
    actor: str,
    description: str | None = None,
    reason: str = "",
    version: int | None = None,
    override: str = "",
) -> Segment | None:
    """Makes or changes a segment; None where it is so already. Raises DefinitionError, also where
    somebody changed it since `version` was looked at, and Withheld where users would get something
    else than the environment allows now."""
    name = check_text("name", name, LONGEST_NAME).strip()
    if not name:
        raise DefinitionError("name", "A segment needs a name.")
    reason = check_text("reason", reason, 1000)
    definition = read_segment(name, given).as_json()
    notes = {} if description is None else {"description": check_text("description", description)}
    with transaction.atomic():
        known = (
            Segment.objects.select_for_update().filter(environment=environment, name=name).first()
        )
        if known is None:
            made = Segment.objects.create(
                environment=environment, name=name, definition=definition, **notes
            )
            _record(environment, made, actor, "segment.created", None, definition, reason)
            return made
        if version is not None and known.version != version:
            raise DefinitionError(
                "version", f"{name} was changed since you looked at it. Here is how it is."
            )
        was = known.definition
        same_notes = description is None or known.description == description
        if was == definition and same_notes:
            return None
        if was != definition:
            reason = _served_anew(environment, name, definition, actor, reason, override)
        known.definition = definition
        known.description = notes.get("description", known.description)
        known.version = F("version") + 1
        known.save()
        known.refresh_from_db()
        _record(environment, known, actor, "segment.changed", was, definition, reason)
        return known


def _served_anew(
    environment: Environment,
    name: str,
    definition: Mapping[str, Any],
    actor: str,
    reason: str,
    override: str,
) -> str:
    """A new version of each flag that gives its users something by this segment; the reason to
    record. Raises Withheld."""
    flags = [locked(environment, key) for key in sorted(users_of_segment(environment, name))]
    serving = [flag for flag in flags if words.does_something(flag.definition())]
    now = timezone.now()
    if serving:
        reason = governance.allow_at(environment, now, reason, override)
    said = words.segment(read_segment(name, definition))
    for flag in serving:
        kept = flag.definition()
        title = f"{flag.key}: segment {name} is now {said}"
        save(environment, flag, kept, kept, Act(actor, now, reason), title)
    return reason


def remove(environment: Environment, name: str, *, actor: str, reason: str = "") -> None:
    """Removes a segment that no flag names. Raises DefinitionError where one does."""
    with transaction.atomic():
        known = find(environment, name)
        if known is None:
            raise DefinitionError("name", f"There is no segment {name}.")
        if users := users_of_segment(environment, name):
            raise DefinitionError(
                "name", f"{name} is used by {', '.join(users)}. Change them first."
            )
        _record(environment, known, actor, "segment.removed", known.definition, None, reason)
        known.delete()


def _record(
    environment: Environment,
    segment: Segment,
    actor: str,
    action: str,
    before: Any,
    after: Any,
    reason: str,
) -> None:
    audit.record(
        project=environment.project,
        environment=environment,
        actor=actor,
        action=action,
        object_type="segment",
        object_id=segment.name,
        before=before,
        after=after,
        reason=reason,
    )
    tell(environment)
