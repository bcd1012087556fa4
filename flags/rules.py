"""Rules: a list whose first match decides; each gives one variant, or splits units by a hash.

{"name"?, "if"?: [{"attribute", "op", "value"}, …], "variant": "on"}
{"name"?, "if"?: […], "split": {"on": 10, "off": 90}, "by"?: "targetingKey"}
{"name"?, "if"?: […], "ramp": {…flags.ramps}, "by"?: "targetingKey"}

A condition may also be {"segment": "internal"}, {"not-segment": "internal"}, or, on another flag,
{"flag": "NEW_API", "is": "on"} and {"flag": "NEW_API", "is-not": "on"}.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flags.ramps import THOUSANDTHS, Ramp, check_percent, read_ramp
from flags.wrong import DefinitionError

TARGETING_KEY = "targetingKey"
COMPARISONS = (">", ">=", "<", "<=")
SEMANTIC = "sem-ver "
OPERATORS = (
    *("=", "!=", "in", "not-in", "starts-with", "ends-with"),
    *COMPARISONS,
    *(f"{SEMANTIC}{op}" for op in ("=", "!=", ">", ">=", "<", "<=", "^", "~")),
)
VERSION = re.compile(r"[vV]?\d{1,9}(\.\d{1,9}){0,2}(-[0-9A-Za-z.-]{1,80})?(\+[0-9A-Za-z.-]{1,80})?")
MOST_RULES, MOST_CONDITIONS, MOST_VALUES = 100, 50, 10_000
LONGEST = 500
SEGMENT, NOT_SEGMENT, FLAG_IS, FLAG_IS_NOT = "segment", "not-segment", "flag-is", "flag-is-not"


@dataclass(frozen=True, slots=True)
class Condition:
    """`attribute op value`; false where the attribute is missing, except for != and not-in.

    With the operators on segments `value` is the segment's name; with those on flags `attribute`
    is the other flag's key and `value` its variant."""

    attribute: str
    op: str
    value: Any

    def as_json(self) -> dict[str, Any]:
        if self.op in (SEGMENT, NOT_SEGMENT):
            return {self.op: self.value}
        if self.op in (FLAG_IS, FLAG_IS_NOT):
            return {"flag": self.attribute, self.op.removeprefix("flag-"): self.value}
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"attribute": self.attribute, "op": self.op, "value": value}


@dataclass(frozen=True, slots=True)
class Rule:
    """All conditions must hold. Either `variant`, or `split` as (variant, percent) pairs by name:
    a fixed order, so that a share that grows takes nobody's variant away. Or `ramp`: a split
    whose shares move with time."""

    conditions: tuple[Condition, ...] = ()
    variant: str = ""
    split: tuple[tuple[str, float], ...] = ()
    by: str = TARGETING_KEY
    name: str = ""
    ramp: Ramp | None = None

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name} if self.name else {}
        if self.conditions:
            found["if"] = [condition.as_json() for condition in self.conditions]
        if not self.split and not self.ramp:
            return found | {"variant": self.variant}
        if self.ramp:
            found["ramp"] = self.ramp.as_json()
        else:
            found["split"] = dict(self.split)
        if self.by != TARGETING_KEY:
            found["by"] = self.by
        return found


def read_rules(given: Any, variants: Collection[str]) -> tuple[Rule, ...]:
    """Rules from their JSON form. Raises DefinitionError with the place: rules[1].if[0].op."""
    if not isinstance(given, list) or len(given) > MOST_RULES:
        raise DefinitionError("rules", f"rules must be a list of {MOST_RULES} rules at most.")
    rules = tuple(_rule(f"rules[{i}]", one, variants) for i, one in enumerate(given))
    for i, rule in enumerate(rules[:-1]):
        if not rule.conditions:
            raise DefinitionError(
                f"rules[{i + 1}]",
                f"rules[{i + 1}] is never reached: rules[{i}] holds for everyone. "
                "Move it first, or give that one a condition.",
            )
    return rules


def _rule(place: str, given: Any, variants: Collection[str]) -> Rule:
    _check_fields(place, given, {"name", "if", "variant", "split", "ramp", "by"})
    if sum(name in given for name in ("variant", "split", "ramp")) != 1:
        raise DefinitionError(place, f"{place} needs either a variant, a split or a ramp.")
    if "by" in given and "variant" in given:
        raise DefinitionError(f"{place}.by", f"{place}.by belongs to a split.")
    if "variant" in given:
        _check_variant(f"{place}.variant", given["variant"], variants)
    return Rule(
        conditions=read_conditions(f"{place}.if", given.get("if") or []),
        variant=given.get("variant", ""),
        split=_split(f"{place}.split", given["split"], variants) if "split" in given else (),
        by=_text(f"{place}.by", given.get("by", TARGETING_KEY)),
        name=_text(f"{place}.name", given["name"]) if given.get("name") else "",
        ramp=read_ramp(f"{place}.ramp", given["ramp"], variants) if "ramp" in given else None,
    )


def _split(place: str, given: Any, variants: Collection[str]) -> tuple[tuple[str, float], ...]:
    if not isinstance(given, Mapping) or not given:
        raise DefinitionError(place, f'{place} must be an object such as {{"on": 10, "off": 90}}.')
    for name, percent in given.items():
        _check_variant(place, name, variants)
        check_percent(place, percent)
    total = sum(round(percent * THOUSANDTHS) for percent in given.values()) / THOUSANDTHS
    if total != 100:
        raise DefinitionError(place, f"{place} adds up to {total:g}%. Make it 100%.")
    whole = {name: int(p) if float(p).is_integer() else p for name, p in given.items()}
    return tuple(sorted(whole.items()))


def read_conditions(place: str, given: Any) -> tuple[Condition, ...]:
    """Conditions from their JSON form. Raises DefinitionError with the place."""
    if not isinstance(given, list) or len(given) > MOST_CONDITIONS:
        raise DefinitionError(
            place, f"{place} must be a list of {MOST_CONDITIONS} conditions at most."
        )
    return tuple(_condition(f"{place}[{i}]", one) for i, one in enumerate(given))


def _condition(place: str, given: Any) -> Condition:
    if isinstance(given, Mapping):
        for op in (SEGMENT, NOT_SEGMENT):
            if op in given:
                _check_fields(place, given, {op})
                return Condition("", op, _text(f"{place}.{op}", given[op]))
        if "flag" in given:
            return _prerequisite(place, given)
    _check_fields(place, given, {"attribute", "op", "value"})
    attribute = _text(f"{place}.attribute", given.get("attribute"))
    op, value = given.get("op"), given.get("value")
    if op not in OPERATORS:
        raise DefinitionError(f"{place}.op", f"{place}.op must be one of {', '.join(OPERATORS)}.")
    where = f"{place}.value"
    if op in ("in", "not-in"):
        if not isinstance(value, list) or not 0 < len(value) <= MOST_VALUES:
            raise DefinitionError(where, f"{where} must be a list of 1 to {MOST_VALUES:,} values.")
        return Condition(attribute, op, tuple(_scalar(where, one) for one in value))
    if op in COMPARISONS:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise DefinitionError(where, f"{where} must be a number for {op}.")
    elif op in ("starts-with", "ends-with"):
        _text(where, value)
    elif op.startswith(SEMANTIC) and not (isinstance(value, str) and VERSION.fullmatch(value)):
        raise DefinitionError(where, f"{where} must be a version such as 2.1 or 2.1.0.")
    return Condition(attribute, op, _scalar(where, value))


def _prerequisite(place: str, given: Mapping[str, Any]) -> Condition:
    """{"flag": key, "is" or "is-not": variant}; whether they exist is asked where it is saved."""
    _check_fields(place, given, {"flag", "is", "is-not"})
    if ("is" in given) == ("is-not" in given):
        raise DefinitionError(place, f"{place} needs either is or is-not, with a variant.")
    op = "is" if "is" in given else "is-not"
    value = _text(f"{place}.{op}", given[op])
    return Condition(_text(f"{place}.flag", given["flag"]), f"flag-{op}", value)


def _scalar(place: str, value: Any) -> str | int | float | bool:
    if isinstance(value, (bool, str)):
        return value if isinstance(value, bool) else _text(place, value, empty=True)
    if isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= 2**53:
        return value
    raise DefinitionError(place, f"{place} must be a text, a number, true or false.")


def _text(place: str, value: Any, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty) or len(value) > LONGEST:
        raise DefinitionError(place, f"{place} must be a text of 1 to {LONGEST} characters.")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise DefinitionError(place, f"{place} must be Unicode text without NUL characters.")
    return value


def _check_variant(place: str, name: Any, variants: Collection[str]) -> None:
    if not isinstance(name, str) or name not in variants:
        raise DefinitionError(place, f"{place}: there is no variant {name!s:.100} in variants.")


def _check_fields(place: str, given: Any, known: set[str]) -> None:
    if not isinstance(given, Mapping):
        raise DefinitionError(place, f"{place} must be an object.")
    if unknown := sorted(set(given) - known):
        raise DefinitionError(
            place, f"{place} has {unknown[0]!s:.100}, which is none of {', '.join(sorted(known))}."
        )
