"""Definitions → flagd's JSON (pure). The same document is served over OFREP and to flagd.

Format: flagd.dev/schema/v0/flags.json. Each flag's metadata names its flag set and version, which
telemetry hooks copy onto what they report. What is planned stands in the targeting itself, by
`$flagd.timestamp`: it happens at its second wherever the document is, whoever is away.

Splits name their unit: the flag's key and the unit's, hashed as one text. flagd's shorthand would
hash the key of whichever flag is being evaluated, so no other flag could ask what this one gives.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from flags.courses import Course, course
from flags.definition import Definition
from flags.ramps import CLOCK, THOUSANDTHS
from flags.raw import references
from flags.rules import (
    FLAG_IS,
    FLAG_IS_NOT,
    NOT_SEGMENT,
    SEGMENT,
    SEMANTIC,
    TARGETING_KEY,
    Condition,
    Rule,
)
from flags.segments import Segment

SCHEMA = "https://flagd.dev/schema/v0/flags.json"
Logic = dict[str, Any]
NEXT_VERSION, NEXT_VERSION_AT = "nextVersion", "nextVersionAt"


def compiled(
    flags: Iterable[Definition | Course], flag_set_id: str, segments: Iterable[Segment] = ()
) -> dict[str, Any]:
    """The flagd document of one environment; `flag_set_id` is "project/environment"."""
    courses = {one.key: one for one in map(course, flags)}
    groups = {one.name: _segment(one) for one in segments}
    document: dict[str, Any] = {
        "$schema": SCHEMA,
        "metadata": {"flagSetId": flag_set_id},
        "flags": {
            key: _Compiler(courses, groups).flag(one, flag_set_id) for key, one in courses.items()
        },
    }
    raw = [d.targeting for one in courses.values() for d in one.all() if d.targeting is not None]
    named = {name for logic in raw for name in references(logic)}
    if shared := {name: groups[name] for name in sorted(named) if _shareable(groups.get(name))}:
        document["$evaluators"] = shared
    return document


def _shareable(logic: Logic | None) -> bool:
    """Whether evaluators can put it in place of a `$ref`. Python's does so by a pattern, which
    breaks the whole document on a backslash, and JSON writes every accent with one."""
    return logic is not None and "\\" not in json.dumps(logic)


def _in_place(logic: Any, groups: Mapping[str, Logic]) -> Any:
    """Raw logic as it came, but for references that evaluators could not resolve."""
    if isinstance(logic, Mapping):
        name = logic.get("$ref")
        if len(logic) == 1 and isinstance(name, str) and not _shareable(groups.get(name)):
            return groups.get(name, False)
        return {key: _in_place(part, groups) for key, part in logic.items()}
    return [_in_place(part, groups) for part in logic] if isinstance(logic, list) else logic


def _segment(segment: Segment) -> Logic:
    if segment.logic is not None:
        return dict(segment.logic)
    found = [_condition(one) for one in segment.conditions]
    return found[0] if len(found) == 1 else {"and" if segment.match == "all" else "or": found}


class _Compiler:
    """One flag's targeting, with the other flags that it may lean on."""

    def __init__(self, courses: Mapping[str, Course], groups: Mapping[str, Logic]) -> None:
        self._courses = courses
        self._groups = groups
        self._under: list[str] = []  # flags whose logic is being written: a circle ends here

    def flag(self, one: Course, flag_set_id: str) -> dict[str, Any]:
        """One flag. What is off serves its off variant, so that telemetry shows who saw it;
        without one its state is DISABLED and the code's own default holds."""
        now = one.now
        self._under.append(one.key)
        serves = any(definition.enabled or definition.off_variant for definition in one.all())
        found: dict[str, Any] = {
            "state": "ENABLED" if serves else "DISABLED",
            "variants": _values(now),
            "metadata": {
                **now.metadata,
                "flagSetId": flag_set_id,
                "version": str(now.version),
                **_coming(one),
            },
        }
        defaults = {_default(definition) for definition in one.all()}
        if "" not in defaults:
            found["defaultVariant"] = _default(now)
        if one.then:
            found["targeting"] = self._over_time(one)
        elif (targeting := self._open(now)) is not None:
            found["targeting"] = targeting
        return found

    def _over_time(self, one: Course) -> Logic:
        """The newest of what has begun decides; each names its own default."""
        steps: list[Any] = []
        for begins, definition in reversed(one.then):
            steps += [{">=": [CLOCK, begins]}, self._closed(definition)]
        return {"if": [*steps, self._closed(one.now)]}

    def _closed(self, definition: Definition) -> Any:
        """The variant, whatever the document's default is; null for the code's own."""
        logic, default = self._open(definition), _default(definition)
        if logic is None or not default:
            return logic if logic is not None else default or None
        if definition.targeting is not None:  # may be false, which names a variant, too
            return {"if": [{"===": [logic, None]}, default, logic]}
        return {"or": [logic, default]}

    def _open(self, definition: Definition) -> Any:
        """The targeting: null where the default variant is meant."""
        if not definition.enabled:
            return None
        if definition.targeting is not None:
            return _in_place(definition.targeting, self._groups)
        return self._targeting(definition) if definition.rules else None

    def _targeting(self, definition: Definition) -> Any:
        """Rules as JsonLogic: the first that holds decides, and null falls to the default."""
        steps: list[Any] = []
        for rule in definition.rules:
            outcome = _outcome(definition.key, rule)
            if not rule.conditions:
                if not steps and isinstance(outcome, dict):
                    return outcome
                return {"if": [*steps, outcome] if steps else [True, outcome]}
            steps += [self._all(rule.conditions), outcome]
        return {"if": [*steps, None]}

    def _all(self, conditions: tuple[Condition, ...]) -> Logic:
        found = [self._one(one) for one in conditions]
        return found[0] if len(found) == 1 else {"and": found}

    def _one(self, condition: Condition) -> Logic:
        if condition.op in (FLAG_IS, FLAG_IS_NOT):
            same: Logic = {"==": [self._of(condition.attribute), condition.value]}
            return same if condition.op == FLAG_IS else {"!": [same]}
        if condition.op in (SEGMENT, NOT_SEGMENT):
            within: Any = self._groups.get(condition.value, False)
            return within if condition.op == SEGMENT else {"!": [within]}
        return _condition(condition)

    def _of(self, key: str) -> Any:
        """What another flag gives this unit. What is missing or in a circle gives nothing."""
        other = self._courses.get(key)
        if other is None or key in self._under:
            return None
        self._under.append(key)
        found = self._over_time(other) if other.then else self._closed(other.now)
        self._under.pop()
        return found


def _coming(one: Course) -> dict[str, str | int]:
    """The version that a plan begins, and its second: evaluators name the one that was compiled,
    so whoever reads what they report can tell which it was. Not for browsers (flags.evaluate)."""
    for begins, definition in one.then:
        if definition.version != one.now.version:
            return {NEXT_VERSION: str(definition.version), NEXT_VERSION_AT: begins}
    return {}


def _default(definition: Definition) -> str:
    return definition.default_variant if definition.enabled else definition.off_variant


def _values(definition: Definition) -> dict[str, Any]:
    if not definition.is_float:
        return dict(definition.variants)
    return {name: float(value) for name, value in definition.variants.items()}


def _outcome(key: str, rule: Rule) -> Any:
    if not rule.split and not rule.ramp:
        return rule.variant
    unit = {"var": rule.by}
    salted = {"cat": [f"{key}/", unit]}
    placed = rule.ramp.logic(salted) if rule.ramp else _split(rule, salted)
    # Without the attribute there is no unit to place, and null leads to the default variant.
    there = {"!!": [unit]} if rule.by == TARGETING_KEY else _there(unit)
    return {"if": [there, placed, None]}


def _split(rule: Rule, unit: Any) -> Logic:
    """flagd's fractional. Scaling all weights alike moves nobody: bucket < weight is
    hash < 2^32 · weight / total."""
    whole = all(isinstance(percent, int) for _, percent in rule.split)
    scale = 1 if whole else THOUSANDTHS
    parts: list[Any] = [[name, round(percent * scale)] for name, percent in rule.split]
    return {"fractional": [unit, *parts]}


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
