"""Every edit of a flag: lock, settle what was due, validate, save, in one transaction.

A version is what users get: it counts up when, and only when, that changes. Notes about a flag
(description, owner, tags, when to remove it) are audited, but make no version and no change on the
timeline.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from flags import governance, overtaking, surroundings
from flags.definition import Definition, check_key, check_tags, check_text, read
from flags.models import Flag, FlagVersion
from flags.saving import Act, Edited, check_size, columns, record, save
from flags.schedule import settle
from flags.wrong import DefinitionError
from projects import audit
from projects.models import Environment
from web.words import joined

SERVED = (
    *("type", "variants", "enabled", "default_variant", "off_variant"),
    *("rules", "targeting", "metadata"),
)
NOTES: dict[str, Callable[[Any], Any]] = {
    "description": lambda value: check_text("description", value, 5000),
    "owner": lambda value: check_text("owner", value, 254),
    "tags": check_tags,
    "remove_by": lambda value: _date(value),
}
LONGEST_REASON = 1000


class FlagExists(Exception):
    """The environment has a flag of this key."""


class NoSuchFlag(Exception):
    """The environment has no flag of this key, or the flag no such version."""


class FlagArchived(DefinitionError):
    """The flag is served to nobody: it has to be restored before it is changed."""

    def __init__(self, key: str) -> None:
        super().__init__("key", f"{key} is archived. Restore it first.")


class FlagMovedOn(Exception):
    """Somebody else changed the flag since the caller looked; `flag` is how it is now."""

    def __init__(self, flag: Flag, seen: int) -> None:
        super().__init__(f"version {seen} was changed, the flag is at version {flag.version}")
        self.flag, self.seen = flag, seen


def find(environment: Environment, key: str) -> Flag | None:
    """The flag of this key, as it is now."""
    if "\x00" in key:  # the database cannot even be asked
        return None
    return Flag.objects.filter(environment=environment, key=key).first()


def create(
    environment: Environment,
    given: Mapping[str, Any],
    *,
    actor: str,
    reason: str = "",
    override: str = "",
) -> Edited:
    """A new flag. Raises DefinitionError or FlagExists, and Withheld where it would give users
    something at a time, or without an approval, that the environment does not allow.

    It is a change on the timeline only where it begins to give users something: one that is
    created off, or with its off variant for everyone, is not.
    """
    definition = read(check_key(given.get("key")), _named(given, SERVED))
    check_size(definition)
    notes = _notes(given)
    now = timezone.now()
    reason = checked_reason(reason)
    surroundings.check(environment, definition)
    reason = governance.allow(environment, None, definition, now, reason, override)
    try:
        with transaction.atomic():
            flag = Flag.objects.create(
                environment=environment, key=definition.key, **columns(definition), **notes
            )
            edited = record(environment, flag, None, definition, Act(actor, now, reason))
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
    override: str = "",
) -> Edited:
    """Changes the parts that `patch` names. What changes nothing leaves no trace.

    `version` is what the caller looked at: FlagMovedOn if the flag has changed since. Raises
    NoSuchFlag, DefinitionError, and Withheld unless `override` gives a reason.
    """
    reason = checked_reason(reason)
    if "type" in patch:
        raise DefinitionError("type", "A flag keeps its type. Create another flag.")
    with transaction.atomic():
        flag = locked(environment, key, version)
        before = flag.definition()
        after = read(key, before.as_json() | _named(patch, SERVED), flag.version)
        act = Act(actor, timezone.now(), reason)
        return _saved(environment, flag, before, after, _notes(patch), act, override)


def revert(
    environment: Environment,
    key: str,
    to_version: int,
    *,
    actor: str,
    reason: str = "",
    version: int | None = None,
    override: str = "",
) -> Edited:
    """Serves again what an earlier version served, as a new version. Raises as `change` does."""
    reason = checked_reason(reason) or f"Back to version {to_version}"
    with transaction.atomic():
        flag = locked(environment, key, version)
        kept = FlagVersion.objects.filter(flag=flag, version=to_version).first()
        if kept is None:
            raise NoSuchFlag(f"{key} has no version {to_version}")
        before, after = flag.definition(), read(key, kept.definition, flag.version)
        act = Act(actor, timezone.now(), reason)
        return _saved(environment, flag, before, after, {}, act, override)


def checked_reason(reason: str) -> str:
    """Raises DefinitionError."""
    return check_text("reason", reason, LONGEST_REASON)


def _named(patch: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: patch[name] for name in names if name in patch}
    for name in ("default_variant", "off_variant"):
        if name in found and found[name] is None:
            found[name] = ""  # said to be none, and not: left out
    return found


def _notes(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: check(given[name]) for name, check in NOTES.items() if name in given}


def _date(value: Any) -> date | None:
    if value in (None, ""):
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise DefinitionError("remove_by", "remove_by must be a date such as 2027-03-31.") from None


def locked(environment: Environment, key: str, version: int | None = None) -> Flag:
    """The flag's row, locked, after everything that was due. The caller is in a transaction."""
    found = find(environment, key)
    if found is None:
        raise NoSuchFlag(key)
    flag = Flag.objects.select_for_update().get(id=found.id)
    if flag.archived_at is not None:
        raise FlagArchived(key)
    settle(environment, flag, timezone.now())
    if version is not None and version != flag.version:
        raise FlagMovedOn(flag, version)
    return flag


def _saved(
    environment: Environment,
    flag: Flag,
    before: Definition,
    after: Definition,
    notes: dict[str, Any],
    act: Act,
    override: str,
) -> Edited:
    noted = {name: value for name, value in notes.items() if value != getattr(flag, name)}
    served = before.text() != after.text()
    if not served and not noted:
        return Edited(flag, None, f"{flag.key} is as it was")
    if noted:
        _note(environment, flag, noted, act)
    if not served:
        flag.save()
        names = [name.replace("remove_by", "removal date") for name in noted]
        return Edited(flag, None, f"{flag.key} has new {joined(names)}")
    surroundings.check(environment, after)
    surroundings.check_dependants(environment, before, after)
    overtaking.check(flag, before, after)
    reason = governance.allow(environment, before, after, act.at, act.reason, override)
    edited = save(environment, flag, before, after, Act(act.actor, act.at, reason))
    overtaking.end(environment, flag, before, after, act.actor)
    return edited


def _note(environment: Environment, flag: Flag, noted: dict[str, Any], act: Act) -> None:
    audit.record(
        project=environment.project,
        environment=environment,
        actor=act.actor,
        action="flag.described",
        object_type="flag",
        object_id=flag.key,
        before={name: _plain(getattr(flag, name)) for name in noted},
        after={name: _plain(value) for name, value in noted.items()},
        reason=act.reason,
    )
    for name, value in noted.items():
        setattr(flag, name, value)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
