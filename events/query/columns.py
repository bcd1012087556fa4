"""Which columns a question may name, their types, and how each is written in SQL.

A name is one of the event's columns, one of the conventions' names for it, `flags.KEY`, or an
attribute that this environment has sent. Attributes' names travel as bound parameters.
"""

from dataclasses import dataclass
from typing import Literal

from events import fields
from events.event import ALIASES, COLUMNS
from events.query.expressions import ExpressionError, Parser, Part, columns_of
from events.query.spec import Derived, QueryError

Type = Literal["text", "number", "integer", "boolean", "id"]
FLAGS = "flags."
# What a column holds where an event had nothing to say.
EMPTY = {"text": "''", "integer": "0"}
ID_DIGITS = {"trace": 32, "span": 16, "parent": 16}


@dataclass(frozen=True, slots=True)
class Column:
    """`sql` is NULL where the event has no such field; `number` too, and None if never a number.

    `raw` is the same text without that, "" where the event has none: quicker to compare with.
    """

    name: str
    type: Type
    sql: str
    number: str | None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A question's columns by name, the parameters their SQL needs, and its flags."""

    columns: dict[str, Column]
    parameters: dict[str, object]
    flags: list[str]  # the parameters that name one
    patterns: dict[str, str]  # the parameters that are regular expressions, and their fields


def resolve(
    environment_id: int, named: dict[str, str], derived: tuple[Derived, ...] = ()
) -> Resolved:
    """`named`: column name → the field of the question it stands in. Raises QueryError (422)."""
    resolved = Resolved({}, {}, [], {})
    ours = {one.name for one in derived}
    named = {name: field for name, field in named.items() if name not in ours}
    for place, one in enumerate(derived):
        field = f"calculated_fields.{place}.expression"
        try:
            named |= {name: field for name in columns_of(one.expression) if name not in named}
        except ExpressionError as error:
            raise QueryError(field, str(error)) from None
    attributes = [name for name in named if _own(name) is None and not _flag(name)]
    types = fields.types_of(environment_id, attributes)
    for place, (name, field) in enumerate(named.items()):
        parameter = f"name_{place}"
        if own := _own(name):
            if own == "time":
                raise QueryError(field, "Use start_time, end_time and granularity for time.")
            resolved.columns[name] = _event_column(name, own)
        elif key := _flag(name):
            resolved.parameters[parameter] = key
            resolved.columns[name] = _flag_column(name, parameter)
            resolved.flags.append(parameter)
        elif name in types:
            resolved.parameters[parameter] = name
            resolved.columns[name] = _attribute(name, parameter, types[name])
        elif name in ours:
            raise QueryError(
                field, f"${name[:100]} is no field of the events, and these are made of the events'"
                " own fields: write its expression here, in brackets.",
            )  # fmt: skip
        else:
            raise QueryError(field, f"No event of this environment has a field named {name[:100]}.")
    theirs = dict(resolved.columns)  # however a field of one's own is named, $n is the events'
    for place, one in enumerate(derived):
        resolved.columns[one.name] = _derived(one, place, resolved, theirs)
    return resolved


def _derived(derived: Derived, place: int, resolved: Resolved, known: dict[str, Column]) -> Column:
    def column(name: str) -> Part:
        found = known[name]
        if found.type in ("number", "integer"):
            return Part(found.sql, "number")
        return Part(found.sql, "boolean" if found.type == "boolean" else "text")

    field = f"calculated_fields.{place}.expression"
    parser = Parser(derived.expression, f"literal_{place}", column)
    try:
        part = parser.parsed()
    except ExpressionError as error:
        raise QueryError(field, str(error)) from None
    resolved.parameters.update(parser.values)
    resolved.patterns.update(dict.fromkeys(parser.patterns, field))
    if part.type == "number":
        sql = f"toFloat64({part.sql})"
        return Column(derived.name, "number", sql, sql)
    if part.type == "boolean":
        sql = f"toBool({part.sql})"  # comparisons give 1 and 0
        return Column(derived.name, "boolean", sql, f"toFloat64({sql})")
    return Column(derived.name, "text", part.sql, None)


def _own(name: str) -> str | None:
    return name if name in COLUMNS else ALIASES.get(name)


def _flag(name: str) -> str:
    return name.removeprefix(FLAGS) if name.startswith(FLAGS) else ""


def _event_column(name: str, column: str) -> Column:
    kind = COLUMNS[column].type
    if kind == "id":
        digits = ID_DIGITS[column]
        text = f"if({column} = 0, NULL, lower(leftPad(hex({column}), {digits}, '0')))"
        return Column(name, "id", text, None)
    if kind == "boolean":
        return Column(name, "boolean", column, f"toFloat64({column})")
    if kind == "number":
        return Column(name, "number", column, column)
    sql = f"nullIf({column}, {EMPTY[kind]})"
    if kind == "integer":
        return Column(name, "integer", sql, sql)
    return Column(name, "text", f"nullIf({column}, '')", None, column)


def _flag_column(name: str, parameter: str) -> Column:
    """Of `events.query.flags.variants_of_traces`."""
    return Column(name, "text", f"if(many_{parameter} = 1, variant_{parameter}, NULL)", None)


def _attribute(name: str, parameter: str, types: set[str]) -> Column:
    key = f"{{{parameter}:String}}"

    def either(*forms: tuple[str, str]) -> str:
        there = ", ".join(
            f"mapContains({where}, {key}), {form.format(f'{where}[{key}]')}"
            for where, form in forms
        )
        return f"multiIf({there}, NULL)"

    whole, broken = ("integers", "toFloat64({0})"), ("floats", "{0}")
    if types == {"integer"}:
        sql = either(("integers", "{0}"))
        return Column(name, "integer", sql, sql)
    if types <= {"integer", "float"}:
        sql = either(whole, broken)
        return Column(name, "number", sql, sql)
    if types == {"boolean"}:
        sql = either(("booleans", "{0}"))
        return Column(name, "boolean", sql, f"toFloat64({sql})")
    number = either(whole, broken) if types & {"integer", "float"} else None
    forms = {
        "string": ("strings", "{0}"),
        "integer": ("integers", "toString({0})"),
        "float": ("floats", "toString({0})"),
        "boolean": ("booleans", "toString({0})"),
        "list": ("lists", "{0}"),
    }
    raw = f"strings[{key}]" if types == {"string"} else ""
    text = either(*(forms[one] for one in forms if one in types))
    return Column(name, "text", text, number, raw)
