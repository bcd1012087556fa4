"""A file → flags of an environment: created, changed, left as they were; and what stays behind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import transaction

from flags import differences, editing, grouping
from flags.governance import Withheld
from flags.importing import flagd, launchdarkly, unleash
from flags.importing.translation import Translation, UnreadableFile
from flags.models import Flag
from flags.words import state_in_words
from flags.wrong import DefinitionError
from projects.models import Environment

LARGEST_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Imported:
    """Keys by what became of them."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    untranslated: list[str] = field(default_factory=list)


def translated(data: bytes, environment: str = "production") -> Translation:
    """What a file holds, by its form: flagd, Unleash or LaunchDarkly. Raises UnreadableFile."""
    if len(data) > LARGEST_BYTES:
        raise UnreadableFile(f"The file may have {LARGEST_BYTES // 1024**2} MiB at most.")
    try:
        file = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UnreadableFile(f"The file is not JSON: {error}.") from None
    if isinstance(file, Mapping):
        if "flags" in file and "items" not in file:
            return flagd.translate(file)
        if "features" in file:
            return unleash.translate(file, environment)
        if "items" in file or "variations" in file:
            return launchdarkly.translate(file, environment)
    raise UnreadableFile(
        "Neither a flagd definition (flags), nor an Unleash export (features), nor flags of "
        "LaunchDarkly's API (items)."
    )


def apply(
    environment: Environment,
    found: Translation,
    *,
    actor: str,
    reason: str = "",
    override: str = "",
) -> Imported:
    """Makes the environment's flags what was translated. One flag that is refused is told among
    what stays behind; the others are taken."""
    done = Imported(untranslated=list(found.untranslated))
    for name, segment in found.segments.items():
        try:
            if grouping.keep(
                environment, name, segment, actor=actor, reason=reason, override=override
            ):
                done.segments.append(name)
        except (DefinitionError, Withheld) as error:
            done.untranslated.append(f"segment {name}: {error.message}")
    for key, given in found.flags.items():
        try:
            with transaction.atomic():
                _flag(environment, key, given, done, actor=actor, reason=reason, override=override)
        except (DefinitionError, Withheld) as error:
            done.untranslated.append(f"flag {key}: {error.message}")
    return done


@dataclass(frozen=True, slots=True)
class Row:
    """What one flag would become: what it does then, and what differs from now."""

    key: str
    state: str
    differences: list[str]


def preview(
    environment: Environment, found: Translation, *, actor: str, override: str = ""
) -> tuple[Imported, list[Row], list[Row]]:
    """(what `apply` would do, flags that it would create, and change), with nothing kept."""
    flags = Flag.objects.filter(environment=environment, key__in=list(found.flags))
    with transaction.atomic():
        before = {flag.key: flag.definition().as_json() for flag in flags}
        done = apply(environment, found, actor=actor, override=override)
        after = {flag.key: flag for flag in flags.all()}
        transaction.set_rollback(True)
    rows = {
        key: Row(
            key,
            state_in_words(after[key]),
            differences.of_flags(key, before.get(key), after[key].definition().as_json()),
        )
        for key in (*done.created, *done.changed)
    }
    return done, [rows[key] for key in done.created], [rows[key] for key in done.changed]


def _flag(
    environment: Environment,
    key: str,
    given: Mapping[str, Any],
    done: Imported,
    *,
    actor: str,
    reason: str,
    override: str,
) -> None:
    known = editing.find(environment, key)
    if known is None:
        editing.create(environment, given, actor=actor, reason=reason, override=override)
        done.created.append(key)
        return
    if known.type != given["type"]:
        raise DefinitionError("type", f"it is a {known.type} flag here, {given['type']} there")
    patch = {name: value for name, value in given.items() if name not in ("key", "type")}
    if not patch.get("description"):
        patch.pop("description", None)
    before = known.version
    edited = editing.change(environment, key, patch, actor=actor, reason=reason, override=override)
    (done.changed if edited.flag.version != before else done.unchanged).append(key)
