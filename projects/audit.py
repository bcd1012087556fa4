"""The history: who did what, to what, when and why. Written here, never changed."""

from datetime import datetime
from typing import Any

from projects.access import Access
from projects.models import AuditEntry, Environment, Project


def record(
    *,
    project: Project,
    actor: str,
    action: str,
    object_type: str,
    object_id: str,
    environment: Environment | None = None,
    before: Any = None,
    after: Any = None,
    reason: str = "",
    version: int | None = None,
    effective_at: datetime | None = None,
) -> AuditEntry:
    """Adds one act. `actor`: an e-mail address, a key or a part of the system; never blank.

    `version` is the object's after the act, where it counts them; `effective_at` from when on it
    held, where that is not now (a plan that is written down). With the transaction's commit
    the act becomes the next link of the project's chain.
    """
    if not actor.strip():
        raise ValueError("an act has an actor")
    return AuditEntry.objects.create(
        project=project,
        environment=environment,
        actor=actor,
        action=action,
        object_type=object_type,
        object_id=str(object_id)[:255],
        before=before,
        after=after,
        reason=reason,
        version=version,
        effective_at=effective_at,
    )


def record_by(
    access: Access,
    environment: Environment,
    action: str,
    object_id: str,
    *,
    before: Any = None,
    after: Any = None,
) -> AuditEntry:
    """The same, of a signed-in member; what was acted on has the kind that `action` begins with."""
    return record(
        project=access.project,
        environment=environment,
        actor=access.actor,
        action=action,
        object_type=action.partition(".")[0],
        object_id=object_id,
        before=before,
        after=after,
    )
