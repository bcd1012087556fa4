"""The audit log: who did what, to what, when and why. Written here, never changed."""

from typing import Any

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
) -> AuditEntry:
    """Adds one act. `actor`: an e-mail address, a key or a part of the system; never blank."""
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
    )
