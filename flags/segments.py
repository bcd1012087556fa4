"""Segments: who belongs to a group that several flags name (pure).

A flag that names one carries its conditions; raw targeting refers to it by flagd's `$ref`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flags.raw import check_logic, references
from flags.rules import FLAG_IS, FLAG_IS_NOT, NOT_SEGMENT, SEGMENT, Condition, read_conditions
from flags.wrong import DefinitionError


@dataclass(frozen=True, slots=True)
class Segment:
    """Units for which all (`match` "all") or any of the conditions hold, or raw `logic` does."""

    name: str
    match: str = "all"
    conditions: tuple[Condition, ...] = ()
    logic: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        if self.logic is not None:
            return {"logic": dict(self.logic)}
        return {"match": self.match, "if": [one.as_json() for one in self.conditions]}


def read_segment(name: str, given: Mapping[str, Any]) -> Segment:
    """A segment from its JSON form: {"match": "any", "if": [conditions]} or {"logic": {…}}.

    Raises DefinitionError. Segments lean on attributes alone, so that none can go in a circle.
    """
    if given.get("logic") is not None:
        logic = given["logic"]
        if not isinstance(logic, Mapping):
            raise DefinitionError("logic", "logic must be an object of JsonLogic.")
        if given.get("if"):
            raise DefinitionError("logic", "A segment has either conditions or raw logic.")
        check_logic("logic", logic)
        if any(references(logic)):
            raise DefinitionError("logic", "logic must not refer to other segments by $ref.")
        return Segment(name, logic=dict(logic))
    match = given.get("match", "all")
    if match not in ("all", "any"):
        raise DefinitionError("match", "match must be all or any.")
    conditions = read_conditions("if", given.get("if") or [])
    if not conditions:
        raise DefinitionError("if", "A segment needs one condition at least.")
    for i, one in enumerate(conditions):
        if one.op in (SEGMENT, NOT_SEGMENT, FLAG_IS, FLAG_IS_NOT):
            raise DefinitionError(
                f"if[{i}]", f"if[{i}] must be about an attribute: segments hold no others."
            )
    return Segment(name, match, conditions)
