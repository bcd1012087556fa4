"""Segments → database: who belongs to a group, on the record, never taken from under a flag."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F

from flags.definition import check_text
from flags.models import Segment
from flags.saving import tell
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
) -> Segment | None:
    """Makes or changes a segment; None where it is so already. Raises DefinitionError, also where
    somebody changed it since `version` was looked at."""
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
        known.definition = definition
        known.description = notes.get("description", known.description)
        known.version = F("version") + 1
        known.save()
        known.refresh_from_db()
        _record(environment, known, actor, "segment.changed", was, definition, reason)
        return known


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
