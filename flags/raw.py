"""JsonLogic as it was written: for what rules can't say. Served, exported and kept as it came."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from flags.wrong import DefinitionError

OPERATORS = frozenset(
    (
        *("var", "missing", "missing_some", "if", "?:", "==", "===", "!=", "!==", "!", "!!"),
        *("or", "and", ">", ">=", "<", "<=", "max", "min", "+", "-", "*", "/", "%"),
        *("map", "filter", "reduce", "all", "none", "some", "merge", "in", "cat", "substr", "log"),
        *("fractional", "starts_with", "ends_with", "sem_ver", "$ref"),
    )
)
DEEPEST = 60
LARGEST_BYTES = 128 * 1024
OURS = ("flagSetId", "version")
MOST_METADATA = 50


def check_targeting(value: Any) -> dict[str, Any] | None:
    """Raw targeting, or None; {} is none, as flagd reads it. Raises DefinitionError."""
    if value is None or value == {}:
        return None
    if not isinstance(value, Mapping):
        raise DefinitionError("targeting", "targeting must be an object of JsonLogic, or null.")
    check_logic("targeting", value)
    return dict(value)


def check_logic(place: str, value: Any) -> None:
    """Whether evaluators can be given this. Raises DefinitionError with the place."""
    _walk(place, value, 0)
    try:
        size = len(orjson.dumps(value))
    except (TypeError, ValueError):
        raise DefinitionError(place, f"{place} holds what JSON can't carry.") from None
    if size > LARGEST_BYTES:
        raise DefinitionError(place, f"{place} may have {LARGEST_BYTES // 1024} KiB at most.")


def references(value: Any) -> Iterator[str]:
    """The names of shared evaluators (segments) that it refers to."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name == "$ref" and isinstance(part, str):
                yield part
            else:
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def check_metadata(value: Any) -> dict[str, Any]:
    """What flagd allows as a flag's metadata: texts, numbers and booleans by name."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MOST_METADATA:
        raise DefinitionError("metadata", f"metadata must be an object of {MOST_METADATA} at most.")
    for name, part in value.items():
        if not name or len(name) > 200 or "\x00" in name:
            raise DefinitionError("metadata", "metadata needs names of 1 to 200 characters.")
        if not isinstance(part, (str, int, float, bool)) or len(str(part)) > 5000:
            raise DefinitionError(
                f"metadata.{name}", f"metadata.{name} must be a text, a number, true or false."
            )
        if name in OURS:
            raise DefinitionError(
                f"metadata.{name}", f"metadata.{name} is set by Flipscope. Leave it out."
            )
    check_logic("metadata", dict(value))
    return dict(value)


def _walk(place: str, value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise DefinitionError(place, f"{place} is nested more than {DEEPEST} deep.")
    if isinstance(value, Mapping):
        for name, part in value.items():
            if place != "metadata" and len(value) == 1 and name not in OPERATORS:
                raise DefinitionError(place, f"{place}: there is no operator {name!s:.50}.")
            _text(place, name)
            _walk(place, part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _walk(place, part, depth + 1)
    elif isinstance(value, str):
        _text(place, value)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        raise DefinitionError(place, f"{place} holds a number beyond 2^53.")


def _text(place: str, value: str) -> None:
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise DefinitionError(place, f"{place} must be Unicode text without NUL characters.")
