"""What is served, as frozen values without Django: read from JSON with errors that name the field.

Everything that reaches the database passes here, so what is stored can be compiled and said in
words without asking again.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from flags.raw import check_metadata, check_targeting
from flags.rules import Rule, read_rules
from flags.wrong import DefinitionError

TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "string": (str,),
    "number": (int, float),
    "object": (dict,),
}
KEY = re.compile(r"[A-Za-z0-9._~:-]+(?:/[A-Za-z0-9._~:-]+)*")
LONGEST_KEY = 200
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
MOST_VARIANTS = 100
LARGEST_NUMBER = 2**53  # beyond it JSON numbers differ between languages
DEEPEST = 20
LONGEST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Definition:
    """One flag as it is evaluated. `default_variant` "" leaves the default to the code; a flag
    that is off serves `off_variant`, or with "" nothing. `targeting` is JsonLogic that stands in
    place of rules, where these can't say it; `metadata` is sent along with every answer."""

    key: str
    type: str
    variants: Mapping[str, Any]
    enabled: bool
    default_variant: str
    off_variant: str
    rules: tuple[Rule, ...] = field(default=())
    version: int = 1
    targeting: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What is served, without key and version: how a version is kept, and how two compare."""
        more = {"targeting": dict(self.targeting)} if self.targeting is not None else {}
        if self.metadata:
            more["metadata"] = dict(self.metadata)
        return more | {
            "type": self.type,
            "variants": dict(self.variants),
            "enabled": self.enabled,
            "default_variant": self.default_variant,
            "off_variant": self.off_variant,
            "rules": [rule.as_json() for rule in self.rules],
        }

    def text(self) -> bytes:
        """What is served as text: 1, 1.0 and true differ here, as they do for clients."""
        return orjson.dumps(self.as_json(), option=orjson.OPT_SORT_KEYS)

    @property
    def is_float(self) -> bool:
        """A number flag with one variant written with a point: all its values are sent with one."""
        return self.type == "number" and any(isinstance(v, float) for v in self.variants.values())


def read(key: str, given: Mapping[str, Any], version: int = 1) -> Definition:
    """A whole definition from its JSON form (`as_json`), with what is left out filled in.

    Raises DefinitionError with the field and what to do.
    """
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise DefinitionError("type", f"type must be one of {', '.join(TYPES)}.")
    variants = _variants(kind, given.get("variants"))
    enabled = given.get("enabled", False)
    if not isinstance(enabled, bool):
        raise DefinitionError("enabled", "enabled must be true or false.")
    off_variant = given.get("off_variant")
    if off_variant is None:
        off_variant = _off_of(kind, variants)
    _check_named("off_variant", off_variant, variants)
    default_variant = given.get("default_variant")
    if default_variant is None:
        default_variant = off_variant or _off_of(kind, variants) or next(iter(variants))
    _check_named("default_variant", default_variant, variants)
    rules = given.get("rules")
    targeting = check_targeting(given.get("targeting"))
    if targeting is not None and rules:
        raise DefinitionError(
            "targeting", "A flag has either rules or raw targeting. Set the other to nothing."
        )
    return Definition(
        key=key,
        type=kind,
        variants=variants,
        enabled=enabled,
        default_variant=default_variant,
        off_variant=off_variant,
        rules=read_rules([] if rules is None else rules, variants),
        version=version,
        targeting=targeting,
        metadata=check_metadata(given.get("metadata")),
    )


TAKEN = ("change", "edit", "history", "revert", "state")  # pages of a flag


def check_key(key: Any) -> str:
    """The key, if clients can send it in an address as it is. Raises DefinitionError."""
    if not isinstance(key, str) or not KEY.fullmatch(key) or len(key) > LONGEST_KEY:
        raise DefinitionError(
            "key",
            f"key must have 1 to {LONGEST_KEY} of the characters A-Z a-z 0-9 . _ ~ : - and, "
            "between others, single slashes.",
        )
    parts = key.split("/")
    if "." in parts or ".." in parts or key == "new" or parts[-1] in TAKEN:
        raise DefinitionError("key", f"key must not be {key}: an address means something else.")
    return key


def check_text(name: str, value: Any, longest: int = LONGEST_TEXT) -> str:
    """A text that the database can hold. Raises DefinitionError."""
    if not isinstance(value, str):
        raise DefinitionError(name, f"{name} must be a text.")
    if len(value) > longest:
        raise DefinitionError(name, f"{name} may have {longest:,} characters at most.")
    if "\x00" in value or not _encodes(value):
        raise DefinitionError(name, f"{name} must be Unicode text without NUL characters.")
    return value


def check_tags(value: Any) -> list[str]:
    """Tags, each once, in the order given. Raises DefinitionError."""
    if not isinstance(value, list) or len(value) > 50:
        raise DefinitionError("tags", "tags must be a list of 50 texts at most.")
    tags = [check_text("tags", tag, 50).strip() for tag in value]
    if "" in tags:
        raise DefinitionError("tags", "A tag must not be empty.")
    return list(dict.fromkeys(tags))


def _off_of(kind: str, variants: Mapping[str, Any]) -> str:
    """The variant that an off flag serves where nobody said: only a boolean has a plain one."""
    if kind != "boolean":
        return ""
    if variants.get("off") is False:
        return "off"
    return next((name for name, value in variants.items() if value is False), "")


def _variants(kind: str, given: Any) -> dict[str, Any]:
    if given is None and kind == "boolean":
        return {"on": True, "off": False}
    if not isinstance(given, Mapping) or not given:
        raise DefinitionError(
            "variants", f'variants of a {kind} flag must be an object such as {{"name": value}}.'
        )
    if len(given) > MOST_VARIANTS:
        raise DefinitionError("variants", f"A flag may have {MOST_VARIANTS} variants at most.")
    for name, value in given.items():
        place = f"variants.{name}"
        if not NAME.fullmatch(name) or not _encodes(name):
            raise DefinitionError(
                "variants", "A variant's name must have 1 to 100 printable characters."
            )
        right = isinstance(value, TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)
        if not right:
            raise DefinitionError(place, f"{place} must be a {kind}, as the flag is.")
        _check_value(place, value)
    return dict(given)


def _check_named(name: str, value: Any, variants: Collection[str]) -> None:
    if not isinstance(value, str) or (value and value not in variants):
        raise DefinitionError(name, f"{name} must be one of the variants {', '.join(variants)}.")


def _check_value(place: str, value: Any, depth: int = 0) -> None:
    """What JSON, the database and every client can carry unchanged."""
    if depth > DEEPEST:
        raise DefinitionError(place, f"{place} is nested more than {DEEPEST} deep.")
    if isinstance(value, str):
        check_text(place, value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise DefinitionError(place, f"{place} must be a finite number.")
    elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise DefinitionError(place, f"{place} must lie between -2^53 and 2^53.")
    elif isinstance(value, Mapping):
        for name, part in value.items():
            check_text(place, name)
            _check_value(place, part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _check_value(place, part, depth + 1)


def _encodes(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)
