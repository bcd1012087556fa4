"""Attributes by type: every reader fills the same five maps, and touches each attribute once."""

import base64
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from events.event import Notes

MAX_DEPTH = 5  # of nested key-value lists; deeper ones stay whole, as JSON
LARGEST = 2**63


@dataclass(slots=True)
class Attributes:
    strings: dict[str, str] = field(default_factory=dict)
    integers: dict[str, int] = field(default_factory=dict)
    floats: dict[str, float] = field(default_factory=dict)
    booleans: dict[str, bool] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)

    def maps(self) -> tuple[dict[str, Any], ...]:
        return self.strings, self.integers, self.floats, self.booleans, self.lists

    def take(self, names: Iterable[str]) -> str:
        """Removes and returns the first of the names that is there, as text; else ""."""
        for name in names:
            if name in self.strings:
                return self.strings.pop(name)
            if name in self.integers:
                return str(self.integers.pop(name))
        return ""

    def under(self, base: "Attributes") -> "Attributes":
        """Puts those of `base` under these: the same name, of whatever type, is this one's."""
        own = self.maps()
        added = [_others(theirs, own) if theirs else theirs for theirs in base.maps()]
        for mine, theirs in zip(own, added, strict=True):
            mine.update(theirs)
        return self

    def number(self, name: str) -> float | None:
        """Removes and returns a finite number, also one written as text; else leaves it."""
        for numbers in (self.integers, self.floats):
            if name in numbers:
                return float(numbers.pop(name))
        text = self.strings.get(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            return None
        del self.strings[name]
        return value


def _others(theirs: dict[str, Any], own: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    if all(theirs.keys().isdisjoint(mine.keys()) for mine in own):
        return theirs
    names: set[str] = set().union(*own)
    return {name: value for name, value in theirs.items() if name not in names}


def put(into: Attributes, name: str, value: Any, notes: Notes, depth: int = 0) -> None:
    """Adds one plain Python value: objects are flattened with dots, lists kept as JSON."""
    kind = type(value)
    if kind is str:
        into.strings[name] = value
    elif kind is bool:
        into.booleans[name] = value
    elif kind is int:
        if -LARGEST <= value < LARGEST:
            into.integers[name] = value
        else:
            notes.add("value", "integer_beyond_64_bits", f"{name}={str(value)[:40]}")
    elif kind is float:
        if math.isfinite(value):
            into.floats[name] = value
        else:
            notes.add("value", "not_a_finite_number", f"{name}={value}")
    elif kind is dict and depth < MAX_DEPTH:
        for key, inner in value.items():
            put(into, f"{name}.{key}", inner, notes, depth + 1)
    elif kind is dict or kind is list:
        into.lists[name] = as_json(value)
    elif kind is bytes:
        into.strings[name] = base64.b64encode(value).decode()


def as_json(value: Any) -> str:
    """JSON text; what JSON can't hold becomes null or text."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return orjson.dumps(repr(value)[:1000].encode("utf-8", "replace").decode()).decode()


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
