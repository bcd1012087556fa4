"""A new version of a flag → database: the row, its version, the audit log and the timeline.

Everything that changes what a flag serves ends here, by hand or by plan, in its caller's
transaction and with the flag's row locked.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from flags import words
from flags.definition import Definition
from flags.documents import forget
from flags.models import Flag, FlagVersion
from flags.notices import publish
from flags.wrong import DefinitionError
from projects import audit
from projects.models import Environment
from releases import changes
from releases.changes import NewChange
from releases.models import Change

log = logging.getLogger("flipscope.flags")

LARGEST_BYTES = 256 * 1024
LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class Act:
    """Who did it, why and from when on; `source` is flags, or plan for what a plan did."""

    actor: str
    at: datetime
    reason: str = ""
    source: str = "flags"


@dataclass(frozen=True, slots=True)
class Edited:
    """The flag as it is now, and the change that users see, if there was one."""

    flag: Flag
    change: Change | None
    title: str


def check_size(definition: Definition) -> None:
    """Raises DefinitionError for what would weigh down every evaluator."""
    if len(definition.text()) > LARGEST_BYTES:
        raise DefinitionError("variants", f"A flag may have {LARGEST_BYTES // 1024} KiB at most.")


def columns(definition: Definition) -> dict[str, Any]:
    """A definition as the row's fields."""
    return {"targeting": None, "metadata": {}} | definition.as_json()


def save(
    environment: Environment,
    flag: Flag,
    before: Definition,
    after: Definition,
    act: Act,
    title: str = "",
) -> Edited:
    """Serves `after` from now on, as the flag's next version; `title` as in `record`."""
    check_size(after)
    for name, value in columns(after).items():
        setattr(flag, name, value)
    flag.version += 1
    flag.revision += 1
    flag.save()
    return record(environment, flag, before, after, act, title)


def touch(environment: Environment, flag: Flag) -> None:
    """What is served later has changed: every process loads its document anew."""
    Flag.objects.filter(id=flag.id).update(revision=F("revision") + 1)
    flag.refresh_from_db(fields=["revision"])
    tell(environment)


def tell(environment: Environment) -> None:
    """After the transaction this process forgets its document, and the others are told."""
    environment_id = environment.id

    def told() -> None:
        forget(environment_id)
        publish(environment_id)

    transaction.on_commit(told)


def record(
    environment: Environment,
    flag: Flag,
    before: Definition | None,
    after: Definition,
    act: Act,
    title: str = "",
) -> Edited:
    """Version, audit and timeline of one act on a row that is saved already; `title` says in words
    what the definition alone does not show."""
    was, now = before.as_json() if before else None, after.as_json()
    title = title or (words.edited(before, after) if before else words.created(after))
    made = None
    if before or words.does_something(after):
        made, _ = changes.record(
            NewChange(
                environment_id=environment.id,
                kind=Change.Kind.FLAG,
                time=act.at,
                title=title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…",
                flag=flag.key,
                actor=act.actor,
                source=act.source,
                external_id=f"flag {flag.id} version {flag.version}",
                details={
                    "before": was,
                    "after": now,
                    "reason": act.reason,
                    "version": flag.version,
                },
            )
        )
    FlagVersion.objects.create(
        flag=flag,
        version=flag.version,
        definition=now,
        at=act.at,
        actor=act.actor,
        reason=act.reason,
        change_id=made.id if made else None,
    )
    audit.record(
        project=environment.project,
        environment=environment,
        actor=act.actor,
        action="flag.changed" if before else "flag.created",
        object_type="flag",
        object_id=flag.key,
        before=was,
        after=now,
        reason=act.reason,
        version=flag.version,
        effective_at=act.at if act.source == "plan" else None,
    )
    tell(environment)
    log.info("flag.changed", extra={"flag_id": flag.id, "version": flag.version})
    return Edited(flag, made, title)
