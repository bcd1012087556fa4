"""Every write to a flag: lock, validate, save, version, audit and timeline, in one transaction.

A version is what users get: it counts up when, and only when, that changes. Notes about a flag
(description, owner, tags) are audited, but make no version and no change on the timeline.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from flags import words
from flags.definition import Definition, check_key, check_tags, check_text, read
from flags.evaluate import forget
from flags.models import Flag, FlagVersion
from flags.wrong import DefinitionError
from projects import audit
from projects.models import Environment
from releases import changes
from releases.changes import NewChange
from releases.models import Change
from web.words import joined

log = logging.getLogger("flipscope.flags")

SERVED = ("type", "variants", "enabled", "default_variant", "off_variant", "rules")
NOTES: dict[str, Callable[[Any], Any]] = {
    "description": lambda value: check_text("description", value, 5000),
    "owner": lambda value: check_text("owner", value, 254),
    "tags": check_tags,
}
LARGEST_BYTES = 256 * 1024
LONGEST_REASON = 1000
LONGEST_TITLE = 300


class FlagExists(Exception):
    """The environment has a flag of this key."""


class NoSuchFlag(Exception):
    """The environment has no flag of this key, or the flag no such version."""


class FlagMovedOn(Exception):
    """Somebody else changed the flag since the caller looked; `flag` is how it is now."""

    def __init__(self, flag: Flag, seen: int) -> None:
        super().__init__(f"version {seen} was changed, the flag is at version {flag.version}")
        self.flag, self.seen = flag, seen


@dataclass(frozen=True, slots=True)
class Edited:
    """The flag as it is now, and the change that users see, if there was one."""

    flag: Flag
    change: Change | None
    title: str


def find(environment: Environment, key: str) -> Flag | None:
    """The flag of this key, as it is now."""
    if "\x00" in key:  # the database cannot even be asked
        return None
    return Flag.objects.filter(environment=environment, key=key).first()


def create(
    environment: Environment, given: Mapping[str, Any], *, actor: str, reason: str = ""
) -> Edited:
    """A new flag. Raises DefinitionError or FlagExists.

    It is a change on the timeline only where it begins to give users something: one that is
    created off, or with its off variant for everyone, is not.
    """
    definition = read(check_key(given.get("key")), _named(given, SERVED))
    _check_size(definition)
    notes = _notes(given)
    reason = check_text("reason", reason, LONGEST_REASON)
    try:
        with transaction.atomic():
            flag = Flag.objects.create(
                environment=environment, key=definition.key, **definition.as_json(), **notes
            )
            edited = _kept(environment, flag, None, definition, actor=actor, reason=reason)
    except IntegrityError:
        if find(environment, definition.key) is None:
            raise
        raise FlagExists(definition.key) from None
    return edited


def change(
    environment: Environment,
    key: str,
    patch: Mapping[str, Any],
    *,
    actor: str,
    reason: str = "",
    version: int | None = None,
) -> Edited:
    """Changes the parts that `patch` names. What changes nothing leaves no trace.

    `version` is what the caller looked at: FlagMovedOn if the flag has changed since. Raises
    NoSuchFlag, DefinitionError.
    """
    reason = check_text("reason", reason, LONGEST_REASON)
    if "type" in patch:
        raise DefinitionError("type", "A flag keeps its type. Create another flag.")
    with transaction.atomic():
        flag = _locked(environment, key, version)
        before = flag.definition()
        after = read(key, before.as_json() | _named(patch, SERVED), flag.version)
        return _saved(environment, flag, before, after, _notes(patch), actor=actor, reason=reason)


def revert(
    environment: Environment,
    key: str,
    to_version: int,
    *,
    actor: str,
    reason: str = "",
    version: int | None = None,
) -> Edited:
    """Serves again what an earlier version served, as a new version. Raises as `change` does."""
    reason = check_text("reason", reason, LONGEST_REASON) or f"Back to version {to_version}"
    with transaction.atomic():
        flag = _locked(environment, key, version)
        kept = FlagVersion.objects.filter(flag=flag, version=to_version).first()
        if kept is None:
            raise NoSuchFlag(f"{key} has no version {to_version}")
        before, after = flag.definition(), read(key, kept.definition, flag.version)
        return _saved(environment, flag, before, after, {}, actor=actor, reason=reason)


def _named(patch: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: patch[name] for name in names if name in patch}
    for name in ("default_variant", "off_variant"):
        if name in found and found[name] is None:
            found[name] = ""  # said to be none, and not: left out
    return found


def _notes(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: check(given[name]) for name, check in NOTES.items() if name in given}


def _locked(environment: Environment, key: str, version: int | None) -> Flag:
    found = find(environment, key)
    if found is None:
        raise NoSuchFlag(key)
    flag = Flag.objects.select_for_update().get(id=found.id)
    if version is not None and version != flag.version:
        raise FlagMovedOn(flag, version)
    return flag


def _saved(
    environment: Environment,
    flag: Flag,
    before: Definition,
    after: Definition,
    notes: dict[str, Any],
    *,
    actor: str,
    reason: str,
) -> Edited:
    noted = {name: value for name, value in notes.items() if value != getattr(flag, name)}
    served = _text(before) != _text(after)
    if not served and not noted:
        return Edited(flag, None, f"{flag.key} is as it was")
    if noted:
        _note(environment, flag, noted, actor=actor, reason=reason)
    if not served:
        flag.save()
        return Edited(flag, None, f"{flag.key} has new {joined(list(noted))}")
    _check_size(after)
    for name, value in after.as_json().items():
        setattr(flag, name, value)
    flag.version += 1
    flag.save()
    return _kept(environment, flag, before, after, actor=actor, reason=reason)


def _note(
    environment: Environment, flag: Flag, noted: dict[str, Any], *, actor: str, reason: str
) -> None:
    audit.record(
        project=environment.project,
        environment=environment,
        actor=actor,
        action="flag.described",
        object_type="flag",
        object_id=flag.key,
        before={name: getattr(flag, name) for name in noted},
        after=noted,
        reason=reason,
    )
    for name, value in noted.items():
        setattr(flag, name, value)


def _kept(
    environment: Environment,
    flag: Flag,
    before: Definition | None,
    after: Definition,
    *,
    actor: str,
    reason: str,
) -> Edited:
    """Version, audit and timeline of one act; the process's own document is dropped after it."""
    was, now = before.as_json() if before else None, after.as_json()
    title = words.edited(before, after) if before else words.created(after)
    made = None
    if before or words.does_something(after):
        made, _ = changes.record(
            NewChange(
                environment_id=environment.id,
                kind=Change.Kind.FLAG,
                time=timezone.now(),
                title=title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…",
                flag=flag.key,
                actor=actor,
                source="flags",
                external_id=f"flag {flag.id} version {flag.version}",
                details={"before": was, "after": now, "reason": reason, "version": flag.version},
            )
        )
    FlagVersion.objects.create(
        flag=flag,
        version=flag.version,
        definition=now,
        actor=actor,
        reason=reason,
        change_id=made.id if made else None,
    )
    audit.record(
        project=environment.project,
        environment=environment,
        actor=actor,
        action="flag.changed" if before else "flag.created",
        object_type="flag",
        object_id=flag.key,
        before=was,
        after=now,
        reason=reason,
    )
    transaction.on_commit(lambda: forget(environment.id))
    log.info("flag.changed", extra={"flag_id": flag.id, "version": flag.version})
    return Edited(flag, made, title)


def _text(definition: Definition) -> bytes:
    """What is served as text: 1, 1.0 and true differ here, as they do for clients."""
    return orjson.dumps(definition.as_json(), option=orjson.OPT_SORT_KEYS)


def _check_size(definition: Definition) -> None:
    if len(_text(definition)) > LARGEST_BYTES:
        raise DefinitionError("variants", f"A flag may have {LARGEST_BYTES // 1024} KiB at most.")
