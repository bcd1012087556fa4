"""flagd's own definition files: targeting and evaluators stay as they are."""

from collections.abc import Iterator, Mapping
from typing import Any

from flags.importing.translation import Translation, UnreadableFile
from flags.raw import OURS

KNOWN = {"key", "state", "variants", "defaultVariant", "targeting", "metadata"}


def translate(file: Mapping[str, Any]) -> Translation:
    """A document with `flags` as an object, or as flagd's daemon also takes it, a list."""
    found = Translation()
    shared = _metadata(found, "the file's metadata", file.get("metadata"))
    evaluators = file.get("$evaluators") or {}
    if not isinstance(evaluators, Mapping):
        raise UnreadableFile("$evaluators must be an object.")
    for name, logic in evaluators.items():
        found.segments[name] = {"logic": logic}
    for key, flag in _flags(file.get("flags")):
        if key in found.flags:
            found.leave_out(f"a second flag {key}", "an environment has one flag of a key")
        elif not isinstance(flag, Mapping):
            found.leave_out(f"flag {key}", "it is no object")
        else:
            _flag(found, str(key), flag, shared)
    return found


def _flags(flags: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(flags, Mapping):
        yield from flags.items()
    elif isinstance(flags, list):
        for one in flags:
            yield (one.get("key", "") if isinstance(one, Mapping) else ""), one
    else:
        raise UnreadableFile("flags must be an object or a list.")


def _flag(found: Translation, key: str, flag: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
    variants = flag.get("variants")
    kind = _kind(variants)
    if not isinstance(variants, Mapping) or not kind:
        found.leave_out(f"flag {key}", "its variants are missing or not all of one type")
        return
    if flag.get("state") not in ("ENABLED", "DISABLED"):
        found.leave_out(f"flag {key}", "its state is neither ENABLED nor DISABLED")
        return
    for name in sorted(set(flag) - KNOWN):
        found.leave_out(f"flag {key}, {name}", "flagd knows no such field")
    default = flag.get("defaultVariant") or ""
    if not isinstance(default, str) or (default and default not in variants):
        found.leave_out(f"flag {key}", f"its defaultVariant {default!s:.50} is no variant")
        return
    metadata = dict(shared) | _metadata(found, f"flag {key}, metadata", flag.get("metadata"))
    found.flags[key] = {
        "key": key,
        "type": kind,
        "variants": dict(variants),
        "enabled": flag["state"] == "ENABLED",
        "default_variant": default,
        "off_variant": "",  # flagd's DISABLED leaves the value to the code
        "targeting": flag.get("targeting") or None,
        "metadata": metadata,
        "rules": [],
    }


def _metadata(found: Translation, what: str, given: Any) -> dict[str, Any]:
    """What may be kept; our own set and version are served in place of the file's."""
    if not isinstance(given, Mapping):
        return {}
    kept = {}
    for name, value in given.items():
        if name in OURS:
            found.leave_out(f"{what}, {name}", "Flipscope sets it")
        elif isinstance(value, (str, int, float, bool)):
            kept[name] = value
        else:
            found.leave_out(f"{what}, {name}", "metadata are texts, numbers and booleans")
    return kept


def _kind(variants: Any) -> str:
    if not isinstance(variants, Mapping) or not variants:
        return ""
    kinds = {_kind_of(value) for value in variants.values()}
    return kinds.pop() if len(kinds) == 1 else ""


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "object" if isinstance(value, Mapping) else "?"
