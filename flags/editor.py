"""The rule editor's form ↔ a definition (pure): rows of fields, as browsers send them without JS.

rule-0-name, rule-0-if-0-attribute, rule-0-if-0-op, rule-0-if-0-value, rule-0-does (a variant,
"split" or "kept"), rule-0-share-on, rule-0-by. "kept" is a part that the form does not take apart:
a ramp under way stays as it is.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flags.rules import FLAG_IS, FLAG_IS_NOT, NOT_SEGMENT, OPERATORS, SEGMENT, TARGETING_KEY

SAID = {
    "=": "is",
    "!=": "is not",
    "in": "is one of",
    "not-in": "is none of",
    "starts-with": "begins with",
    "ends-with": "ends with",
    ">": "is above",
    ">=": "is at least",
    "<": "is below",
    "<=": "is at most",
    "sem-ver =": "is the version",
    "sem-ver !=": "is not the version",
    "sem-ver >": "is a later version than",
    "sem-ver >=": "is at least the version",
    "sem-ver <": "is an earlier version than",
    "sem-ver <=": "is at most the version",
    "sem-ver ^": "is of the major version of",
    "sem-ver ~": "is of the minor version of",
}
CHOICES = [
    *((op, SAID[op]) for op in OPERATORS),
    (SEGMENT, "in the segment"),
    (NOT_SEGMENT, "not in the segment"),
    (FLAG_IS, "flag gives the variant"),
    (FLAG_IS_NOT, "flag does not give the variant"),
]
FIELD = re.compile(r"rule-(\d{1,3})-(?:if-(\d{1,2})-)?(.{1,120})", re.DOTALL)
ACT = re.compile(r"(add|drop|up|down)-(\d{1,3})(?:-(\d{1,2}))?")


@dataclass(slots=True)
class ConditionRow:
    attribute: str = ""
    op: str = "="
    value: str = ""


@dataclass(slots=True)
class RuleRow:
    """One rule as the form shows it; `kept` is JSON of a part that it does not take apart."""

    name: str = ""
    conditions: list[ConditionRow] = field(default_factory=list)
    does: str = ""
    shares: dict[str, str] = field(default_factory=dict)
    by: str = ""
    kept: str = ""


def rows_of(rules: list[Mapping[str, Any]]) -> list[RuleRow]:
    """A definition's rules as rows."""
    found = []
    for rule in rules:
        row = RuleRow(name=str(rule.get("name", "")), by=str(rule.get("by", "")))
        row.conditions = [_condition_row(one) for one in rule.get("if", [])]
        if "split" in rule:
            row.does = "split"
            row.shares = {name: f"{percent:g}" for name, percent in rule["split"].items()}
        elif "ramp" in rule:
            row.does, row.kept = "kept", json.dumps({"ramp": rule["ramp"]})
        else:
            row.does = str(rule["variant"])
        found.append(row)
    return found


def _condition_row(one: Mapping[str, Any]) -> ConditionRow:
    for op in (SEGMENT, NOT_SEGMENT):
        if op in one:
            return ConditionRow("", op, str(one[op]))
    if "flag" in one:
        op = "is" if "is" in one else "is-not"
        return ConditionRow(str(one["flag"]), f"flag-{op}", str(one[op]))
    value = one["value"]
    listed = value if isinstance(value, list) else [value]
    return ConditionRow(str(one["attribute"]), str(one["op"]), ", ".join(map(_written, listed)))


def _written(value: Any) -> str:
    """A value as a person writes it; text that would read as something else stands in quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = value and value == value.strip() and "," not in value and '"' not in value
        return value if plain and isinstance(read_value(value), str) else json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def posted_rows(data: Mapping[str, Any]) -> list[RuleRow]:
    """The rows that a browser sent, in their order."""
    rules: dict[int, RuleRow] = {}
    conditions: dict[tuple[int, int], ConditionRow] = {}
    for name in data:
        found = FIELD.fullmatch(name)
        if not found:
            continue
        rule = rules.setdefault(int(found[1]), RuleRow())
        value = str(data[name])
        if found[2] is not None:
            one = conditions.setdefault((int(found[1]), int(found[2])), ConditionRow())
            if found[3] in ("attribute", "op", "value"):
                setattr(one, found[3], value)
        elif found[3].startswith("share-"):
            rule.shares[found[3].removeprefix("share-")] = value
        elif found[3] in ("name", "does", "by", "kept"):
            setattr(rule, found[3], value)
    for (number, _), one in sorted(conditions.items()):
        rules[number].conditions.append(one)
    return [rules[number] for number in sorted(rules)]


def acted(rows: list[RuleRow], action: str, variants: list[str]) -> list[RuleRow]:
    """The rows after a button that changes the form alone: add, drop, up, down."""
    if action == "add-rule":
        row = RuleRow(conditions=[ConditionRow()], does=variants[0])
        at = next((i for i, one in enumerate(rows) if not one.conditions), len(rows))
        return [*rows[:at], row, *rows[at:]]
    if action == "add-rest":
        return [*rows, RuleRow(does="split")]
    found = ACT.fullmatch(action)
    if not found or int(found[2]) >= len(rows):
        return rows
    at, rows = int(found[2]), list(rows)
    if found[1] == "add":
        rows[at].conditions.append(ConditionRow())
    elif found[1] == "drop" and found[3] is not None:
        del rows[at].conditions[int(found[3]) : int(found[3]) + 1]
    elif found[1] == "drop":
        del rows[at]
    else:
        to = at - 1 if found[1] == "up" else at + 1
        if 0 <= to < len(rows):
            rows[at], rows[to] = rows[to], rows[at]
    return rows


def focus_after(rows: list[RuleRow], action: str) -> str:
    """The field, or the button, where whoever pressed that button goes on."""
    found = ACT.fullmatch(action)
    if action == "add-rule":
        return f"rule-{sum(bool(row.conditions) for row in rows) - 1}-if-0-attribute"
    if action == "add-rest":
        return f"rule-{len(rows) - 1}-does"
    if not found or int(found[2]) >= len(rows):
        return "add-rule"
    number = int(found[2])
    match found[1]:
        case "add":
            return f"rule-{number}-if-{len(rows[number].conditions) - 1}-attribute"
        case "up":
            return f"up-{number - 1}" if number > 1 else "down-0"
        case "down":
            return f"{'down' if number + 2 < len(rows) else 'up'}-{number + 1}"
    return f"rule-{number}-does"


def rules_of(rows: list[RuleRow]) -> list[dict[str, Any]]:
    """Rows as the rules that `flags.rules.read_rules` checks; empty conditions are left out."""
    return [_rule(row) for row in rows]


def _rule(row: RuleRow) -> dict[str, Any]:
    found: dict[str, Any] = {"name": row.name.strip()} if row.name.strip() else {}
    if conditions := conditions_of(row.conditions):
        found["if"] = conditions
    if row.does == "split":
        found["split"] = {
            name: number
            for name, share in row.shares.items()
            if share.strip()
            and (number := read_value(share.strip().removesuffix("%").strip())) != 0
        }
    elif row.does == "kept":
        try:
            kept = json.loads(row.kept)
        except ValueError:
            kept = {}
        found |= kept if isinstance(kept, dict) else {}
    else:
        found["variant"] = row.does
    by = row.by.strip()
    if by and by != TARGETING_KEY and row.does in ("split", "kept"):
        found["by"] = by
    return found


def conditions_of(rows: list[ConditionRow]) -> list[dict[str, Any]]:
    """Conditions in their JSON form."""
    found: list[dict[str, Any]] = []
    for row in rows:
        attribute, value = row.attribute.strip(), row.value.strip()
        if row.op in (SEGMENT, NOT_SEGMENT):
            found.append({row.op: value})
        elif row.op in (FLAG_IS, FLAG_IS_NOT):
            found.append({"flag": attribute, row.op.removeprefix("flag-"): value})
        elif attribute or value:
            found.append({"attribute": attribute, "op": row.op, "value": _value(row.op, value)})
    return found


def _value(op: str, written: str) -> Any:
    if op in ("in", "not-in"):
        return [read_value(part) for part in _parts(written)]
    if op.startswith(("sem-ver", "starts", "ends")):
        read = read_value(written)
        return read if isinstance(read, str) else written
    return read_value(written)


def _parts(written: str) -> list[str]:
    """By commas or lines, but not within quotes."""
    found = re.findall(r'\s*("(?:[^"\\]|\\.)*"|[^,\n]+)', written)
    return [part.strip() for part in found if part.strip()]


def read_value(written: str) -> Any:
    """3 is a number, true a boolean, "3" (in quotes) and all else text."""
    try:
        found = json.loads(written)
    except ValueError:
        return written
    return found if isinstance(found, (str, int, float, bool)) else written
