"""Definitions → flagd's JSON (pure). The same document is served over OFREP and to flagd.

Format: flagd.dev/schema/v0/flags.json. Each flag's metadata names its flag set and version, which
telemetry hooks copy onto what they report.
"""

import re
from collections.abc import Iterable
from typing import Any

from flags.definition import Definition
from flags.rules import SEMANTIC, SMALLEST_SHARES, TARGETING_KEY, Condition, Rule

SCHEMA = "https://flagd.dev/schema/v0/flags.json"
Logic = dict[str, Any]


def compiled(definitions: Iterable[Definition], flag_set_id: str) -> dict[str, Any]:
    """The flagd document of one environment; `flag_set_id` is "project/environment"."""
    return {
        "$schema": SCHEMA,
        "metadata": {"flagSetId": flag_set_id},
        "flags": {one.key: flag(one, flag_set_id) for one in definitions},
    }


def flag(definition: Definition, flag_set_id: str) -> dict[str, Any]:
    """One flag. What is off serves its off variant, so that telemetry shows who saw it; without
    one its state is DISABLED and the code's own default holds."""
    found: dict[str, Any] = {
        "state": "ENABLED" if definition.enabled or definition.off_variant else "DISABLED",
        "variants": _values(definition),
        "metadata": {"flagSetId": flag_set_id, "version": str(definition.version)},
    }
    default = definition.default_variant if definition.enabled else definition.off_variant
    if default:
        found["defaultVariant"] = default
    if definition.enabled and definition.rules:
        found["targeting"] = targeting(definition.rules)
    return found


def _values(definition: Definition) -> dict[str, Any]:
    if not definition.is_float:
        return dict(definition.variants)
    return {name: float(value) for name, value in definition.variants.items()}


def targeting(rules: tuple[Rule, ...]) -> Logic:
    """Rules as JsonLogic: the first that holds decides, and null falls to the default variant."""
    steps: list[Any] = []
    for rule in rules:
        if not rule.conditions:
            if not steps and rule.split:
                return _split(rule)
            return {"if": [*steps, _outcome(rule)] if steps else [True, _outcome(rule)]}
        steps += [_all(rule.conditions), _outcome(rule)]
    return {"if": [*steps, None]}


def _outcome(rule: Rule) -> Any:
    return _split(rule) if rule.split else rule.variant


def _split(rule: Rule) -> Logic:
    """flagd's fractional. Scaling all weights alike moves nobody: bucket < weight is
    hash < 2^32 · weight / total."""
    whole = all(isinstance(percent, int) for _, percent in rule.split)
    scale = 1 if whole else SMALLEST_SHARES
    parts: list[Any] = [[name, round(percent * scale)] for name, percent in rule.split]
    if rule.by == TARGETING_KEY:
        return {"fractional": parts}
    unit = {"var": rule.by}
    salted = {"cat": [{"var": "$flagd.flagKey"}, "/", unit]}
    # Without the attribute there is no unit to place, and null leads to the default variant.
    return {"if": [_there(unit), {"fractional": [salted, *parts]}, None]}


def _all(conditions: tuple[Condition, ...]) -> Logic:
    found = [_condition(one) for one in conditions]
    return found[0] if len(found) == 1 else {"and": found}


def _condition(condition: Condition) -> Logic:
    """Evaluators disagree on what a missing attribute equals (0 and false in Python's, nothing in
    JavaScript's), so it is asked for wherever the value is a number or a boolean."""
    attribute, op, value = {"var": condition.attribute}, condition.op, condition.value
    if op.startswith(SEMANTIC):
        return {"sem_ver": [attribute, op.removeprefix(SEMANTIC), _version(value)]}
    if op in ("in", "not-in"):
        within: Logic = {"in": [attribute, list(value)]}
        return within if op == "in" else {"!": [within]}
    if op in ("starts-with", "ends-with"):
        return {op.replace("-", "_"): [attribute, value]}
    compared: Logic = {"==" if op == "=" else op: [attribute, value]}
    if isinstance(value, str):
        return compared
    if op == "!=":
        return {"or": [{"===": [attribute, None]}, compared]}
    return {"and": [_there(attribute), compared]}


def _there(attribute: Logic) -> Logic:
    return {"!==": [attribute, None]}


def _version(written: str) -> str:
    """2.1 → 2.1.0, as flagd reads it and its schema wants it."""
    core, *rest = re.split(r"(?=[-+])", written.lstrip("vV"), maxsplit=1)
    return core + ".0" * (2 - core.count(".")) + "".join(rest)
