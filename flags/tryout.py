"""One unit's attributes → the variant it gets, and why, in words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from flags import upcoming, words
from flags.courses import Course
from flags.definition import Definition
from flags.editor import read_value
from flags.evaluate import Evaluation, context_of, document_of, evaluate
from flags.models import Flag, Segment
from flags.rules import TARGETING_KEY, Rule
from flags.segments import Segment as Group
from flags.segments import read_segment
from flags.wrong import DefinitionError
from projects.models import Environment


@dataclass(frozen=True, slots=True)
class Tried:
    """What a unit gets and why; `error` where the evaluator has no answer."""

    variant: str
    value: str
    why: str
    error: str = ""


def read_attributes(text: str) -> dict[str, Any]:
    """Lines of name = value, or a JSON object. Raises DefinitionError."""
    text = text.strip()
    if text.startswith("{"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise DefinitionError("attributes", f"The attributes are not JSON: {error}.") from None
        return dict(found)
    attributes: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = line.partition("=")
        if not sign or not name.strip():
            raise DefinitionError("attributes", f"Write name = value, not {line[:60]}.")
        attributes[name.strip()] = read_value(value.strip())
    if TARGETING_KEY in attributes:
        attributes[TARGETING_KEY] = str(attributes[TARGETING_KEY])
    return attributes


def tried(environment: Environment, definition: Definition, attributes: dict[str, Any]) -> Tried:
    """What a definition, saved or not, would give, beside the environment's other flags."""
    others, groups = _surroundings(environment, definition.key)
    found = _asked(definition, others, groups, attributes)
    if found.error_code:
        return Tried("", "", "", found.error_details or found.error_code)
    value = orjson.dumps(found.value).decode() if found.variant else "the code's own default"
    return Tried(found.variant, value, _why(definition, found, others, groups, attributes))


def _surroundings(environment: Environment, key: str) -> tuple[list[Course], list[Group]]:
    rows = list(Flag.objects.current().filter(environment=environment).exclude(key=key))
    steps = upcoming.to_come(rows)
    others = [upcoming.course(row, steps.get(row.pk, [])) for row in rows]
    groups = [
        read_segment(row.name, row.definition)
        for row in Segment.objects.filter(environment=environment)
    ]
    return others, groups


def _asked(
    definition: Definition,
    others: Iterable[Course],
    groups: Iterable[Group],
    attributes: dict[str, Any],
) -> Evaluation:
    document = document_of([definition, *others], "try", groups)
    return evaluate(document, definition.key, context_of(attributes))


def _why(
    definition: Definition,
    found: Evaluation,
    others: list[Course],
    groups: list[Group],
    attributes: dict[str, Any],
) -> str:
    if not definition.enabled:
        return "The flag is off: everyone gets its off variant."
    if definition.targeting is not None:
        if found.reason == "TARGETING_MATCH":
            return "The raw targeting gives it."
        return "The raw targeting gives nothing, so it is the default variant."
    for number, rule in enumerate(definition.rules, 1):
        if not _holds(definition, rule, others, groups, attributes):
            continue
        name = rule.name or f"Rule {number}"
        text = words.state(replace(definition, rules=(replace(rule, name=""),))).split(", ")[0]
        if not rule.split and not rule.ramp:
            return f"{name} holds: {text}."
        if attributes.get(rule.by) in (None, ""):
            return f"{name} holds, but without {rule.by} nobody can be placed: it is the default."
        return f"{name} holds: {text}. Its {rule.by} falls into the part of {found.variant}."
    if definition.rules:
        return "No rule holds, so it is the default variant."
    return "There are no rules: everyone gets the default variant."


def _holds(
    definition: Definition,
    rule: Rule,
    others: list[Course],
    groups: list[Group],
    attributes: dict[str, Any],
) -> bool:
    """Asks the evaluator for this rule's conditions alone."""
    if not rule.conditions:
        return True
    alone = replace(
        definition,
        type="boolean",
        variants={"holds": True, "not": False},
        default_variant="not",
        off_variant="",
        rules=(Rule(conditions=rule.conditions, variant="holds"),),
    )
    return _asked(alone, others, groups, attributes).variant == "holds"
