"""Rules: a list whose first match decides; each gives one variant, or splits units by a hash.

{"name"?, "if"?: [{"attribute", "op", "value"}, …], "variant": "on"}
{"name"?, "if"?: […], "split": {"on": 10, "off": 90}, "by"?: "targetingKey"}
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

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
SMALLEST_SHARES = 1000  # parts of a percent that a split can name


@dataclass(frozen=True, slots=True)
class Condition:
    """`attribute op value`; false where the attribute is missing, except for != and not-in."""

    attribute: str
    op: str
    value: Any

    def as_json(self) -> dict[str, Any]:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"attribute": self.attribute, "op": self.op, "value": value}


@dataclass(frozen=True, slots=True)
class Rule:
    """All conditions must hold. Either `variant`, or `split` as (variant, percent) pairs by name:
    a fixed order, so that a share that grows takes nobody's variant away."""

    conditions: tuple[Condition, ...] = ()
    variant: str = ""
    split: tuple[tuple[str, float], ...] = ()
    by: str = TARGETING_KEY
    name: str = ""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name} if self.name else {}
        if self.conditions:
            found["if"] = [condition.as_json() for condition in self.conditions]
        if not self.split:
            return found | {"variant": self.variant}
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
    _check_fields(place, given, {"name", "if", "variant", "split", "by"})
    conditions = given.get("if") or []
    if not isinstance(conditions, list) or len(conditions) > MOST_CONDITIONS:
        raise DefinitionError(
            f"{place}.if", f"{place}.if must be a list of {MOST_CONDITIONS} conditions at most."
        )
    if ("variant" in given) == ("split" in given):
        raise DefinitionError(place, f"{place} needs either a variant or a split.")
    if "by" in given and "split" not in given:
        raise DefinitionError(f"{place}.by", f"{place}.by belongs to a split.")
    if "variant" in given:
        _check_variant(f"{place}.variant", given["variant"], variants)
    return Rule(
        conditions=tuple(_condition(f"{place}.if[{i}]", one) for i, one in enumerate(conditions)),
        variant=given.get("variant", ""),
        split=_split(f"{place}.split", given["split"], variants) if "split" in given else (),
        by=_text(f"{place}.by", given.get("by", TARGETING_KEY)),
        name=_text(f"{place}.name", given["name"]) if given.get("name") else "",
    )


def _split(place: str, given: Any, variants: Collection[str]) -> tuple[tuple[str, float], ...]:
    if not isinstance(given, Mapping) or not given:
        raise DefinitionError(place, f'{place} must be an object such as {{"on": 10, "off": 90}}.')
    for name, percent in given.items():
        _check_variant(place, name, variants)
        if (
            isinstance(percent, bool)
            or not isinstance(percent, (int, float))
            or not 0 <= percent <= 100
            or abs(percent * SMALLEST_SHARES - round(percent * SMALLEST_SHARES)) > 1e-6
        ):
            raise DefinitionError(
                place, f"{place}.{name} must be a percentage from 0 to 100, in thousandths at most."
            )
    total = sum(round(percent * SMALLEST_SHARES) for percent in given.values()) / SMALLEST_SHARES
    if total != 100:
        raise DefinitionError(place, f"{place} adds up to {total:g}%. Make it 100%.")
    whole = {name: int(p) if float(p).is_integer() else p for name, p in given.items()}
    return tuple(sorted(whole.items()))


def _condition(place: str, given: Any) -> Condition:
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
