"""A flag is archived: no evaluator has it any more, its history stays, and it can come back.

There is no other way to delete one: who changed what is kept for good, and a key that means
something else tomorrow would make nonsense of the events that named it.
"""

from django.db import transaction
from django.utils import timezone

from flags import editing, governance, surroundings
from flags.models import Flag, Plan
from flags.saving import tell
from flags.words import does_something
from flags.wrong import DefinitionError
from projects import audit
from projects.models import Environment
from releases import changes
from releases.changes import NewChange
from releases.models import Change


def in_the_way(environment: Environment, flag: Flag) -> list[str]:
    """What has to go before the flag can: each a sentence."""
    found = [
        f"{key} asks for it. Take that condition out of its rules first."
        for key in surroundings.dependants(environment, flag.key)
    ]
    plans = Plan.objects.filter(flag=flag, status__in=Plan.OPEN).select_related("launch")
    found += [f"The launch {plan.launch.name} changes it. Cancel it first." for plan in plans]
    return found


def archive(
    environment: Environment, key: str, *, actor: str, reason: str = "", override: str = ""
) -> Flag:
    """Takes the flag from every evaluator. Raises NoSuchFlag, DefinitionError where something is
    in the way, and Withheld where users would lose what they get at a time that is not allowed.
    """
    reason = editing.checked_reason(reason)
    with transaction.atomic():
        flag = editing.locked(environment, key)
        if found := in_the_way(environment, flag):
            raise DefinitionError("key", f"{key} stays: {' '.join(found)}")
        before, now = flag.definition(), timezone.now()
        if does_something(before):
            reason = governance.allow_at(environment, now, reason, override)
        flag.archived_at, flag.archived_by = now, actor[:254]
        _saved(
            environment, flag, "flag.archived", actor, reason, changes_users=does_something(before)
        )
    return flag


def restore(
    environment: Environment, key: str, *, actor: str, reason: str = "", override: str = ""
) -> Flag:
    """Serves the flag again as it was. Raises as `archive` does, and where what it asks for is
    gone by now. A flag that is not archived stays as it is."""
    reason = editing.checked_reason(reason)
    with transaction.atomic():
        flag = Flag.objects.select_for_update().filter(environment=environment, key=key).first()
        if flag is None:
            raise editing.NoSuchFlag(key)
        if flag.archived_at is None:
            return flag
        back = flag.definition()
        surroundings.check(environment, back)
        if does_something(back):
            reason = governance.allow_at(environment, timezone.now(), reason, override)
        flag.archived_at, flag.archived_by = None, ""
        _saved(
            environment, flag, "flag.restored", actor, reason, changes_users=does_something(back)
        )
    return flag


def _saved(
    environment: Environment,
    flag: Flag,
    action: str,
    actor: str,
    reason: str,
    *,
    changes_users: bool,
) -> None:
    flag.revision += 1
    flag.save(update_fields=["archived_at", "archived_by", "revision", "updated_at"])
    served = flag.served()
    gone = action == "flag.archived"
    audit.record(
        project=environment.project,
        environment=environment,
        actor=actor,
        action=action,
        object_type="flag",
        object_id=flag.key,
        before=served if gone else None,
        after=None if gone else served,
        reason=reason,
        version=flag.version,
    )
    if changes_users:
        said = "archived: its code's own default holds" if gone else "restored"
        changes.record(
            NewChange(
                environment_id=environment.id,
                kind=Change.Kind.FLAG,
                time=timezone.now(),
                title=f"{flag.key} {said}",
                flag=flag.key,
                actor=actor,
                source="flags",
                external_id=f"flag {flag.id} {action} {flag.revision}",
                details={"reason": reason, "version": flag.version},
            )
        )
    tell(environment)
