"""Which attributes of an environment's events can name a scope, and which values to look at.

Ids name one event each and are of no use; numbers with many values are cut at their deciles; of
the others the most frequent values are looked at, and the most frequent among the outcomes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from events import fields
from events.query.columns import Column, resolve
from events.store.read import Statement, run
from insights import scan
from insights.cohorts import Comparison
from insights.totals import Cut

OWN = ("service", "route", "method", "name", "instance")
MOST = 60
MOST_VALUES = 25
MOST_AMONG_HITS = 15
FEW = 30  # values up to which an attribute is a kind, beyond it a name
TOO_MANY = 0.2  # part of the events that may each have a value of their own
IMPRESSION = 40_000
ABSENT = "\x1fabsent"
REST = "\x1frest"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its values looked at, or for numbers the cuts between them."""

    name: str
    sql: str  # an expression of text, ABSENT where there is none
    values: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    is_kind: bool = True  # few values: worth saying that it makes no difference


@dataclass(frozen=True, slots=True)
class Looked:
    """Attributes, the columns that a scan needs for them (a0, a1, …) and bound parameters."""

    attributes: tuple[Attribute, ...]
    extra: tuple[str, ...]
    parameters: dict[str, Any]


def looked(comparison: Comparison, cut: Cut, hit: str, events: int) -> Looked:
    """What may name a narrower scope than the comparison's. `hit` is the outcome, over events."""
    columns, parameters = _columns(comparison)
    extra = tuple(f"{column.sql} AS c{place}" for place, column in enumerate(columns))
    thin = max(events // IMPRESSION, 1)
    source = scan.source([comparison], cut, thin=thin, extra=(*extra, f"{hit} AS outcome"))
    parts = []
    for place, column in enumerate(columns):
        if column.number is None or column.type == "boolean":
            text = f"toString(c{place})"
            parts += [
                f"uniqCombined({text}) AS u{place}",
                f"topK({MOST_VALUES})({text}) AS t{place}",
                f"topKIf({MOST_AMONG_HITS})({text}, outcome) AS h{place}",
            ]
        else:
            deciles = ", ".join(f"0.{tenth}" for tenth in range(1, 10))
            parts += [
                f"uniqCombined(c{place}) AS u{place}",
                f"topK({MOST_VALUES})(toString(c{place})) AS t{place}",
                f"topKIf({MOST_AMONG_HITS})(toString(c{place}), outcome) AS h{place}",
                f"quantiles({deciles})(toFloat64(c{place})) AS q{place}",
            ]
    if not parts:
        return Looked((), (), {})
    row = run(
        Statement(
            f"SELECT count() AS events, {', '.join(parts)} FROM {source.sql}",  # noqa: S608
            source.parameters | parameters,
        )
    ).rows[0]
    found, kept = [], []
    for place, column in enumerate(columns):
        if one := _attribute(column, place, row):
            found.append(one)
            kept.append(f"{column.sql} AS c{place}")
    return Looked(tuple(found), tuple(kept), parameters)


def _columns(comparison: Comparison) -> tuple[list[Column], dict[str, Any]]:
    scope = comparison.scope
    listed = fields.listed(comparison.environment_id, scope.service)
    fixed = scope.as_json()
    own = [name for name in OWN if name not in fixed]
    names = [*own, *sorted(name for name, types in listed.items() if types != {"list"})]
    found = resolve(comparison.environment_id, {name: name for name in names[:MOST]})
    return list(found.columns.values()), found.parameters


def _attribute(column: Column, place: int, row: dict[str, Any]) -> Attribute | None:
    distinct, events = int(row[f"u{place}"] or 0), max(int(row["events"]), 1)
    numeric = column.number is not None and column.type != "boolean"
    if numeric and distinct > FEW:
        cuts = tuple(sorted({float(value) for value in row[f"q{place}"] or () if value == value}))
        sql = f"if(isNull(c{place}), '{_sql(ABSENT)}', toString(arrayCount(cut -> toFloat64(c{place}) > cut, {{cuts{place}:Array(Float64)}})))"  # noqa: E501
        return Attribute(column.name, sql, cuts=cuts, is_kind=False) if cuts else None
    if distinct > max(TOO_MANY * events, FEW):
        return None
    values = tuple(dict.fromkeys([*(row[f"t{place}"] or ()), *(row[f"h{place}"] or ())]))
    values = tuple(value for value in values if value is not None)
    if not values or (distinct < 2 and not _may_be_absent(column)):
        return None
    sql = (
        f"if(isNull(c{place}), '{_sql(ABSENT)}', if(has({{values{place}:Array(String)}},"
        f" toString(c{place})), toString(c{place}), '{_sql(REST)}'))"
    )
    return Attribute(column.name, sql, values=values, is_kind=distinct <= FEW)


def _may_be_absent(column: Column) -> bool:
    return column.name not in OWN


def _sql(text: str) -> str:
    return text.replace("\x1f", "\\x1f")


def bound(attributes: Sequence[Attribute]) -> dict[str, Any]:
    """The parameters that the attributes' own expressions name."""
    found: dict[str, Any] = {}
    for one in attributes:
        place = one.sql.partition("isNull(c")[2].partition(")")[0]
        if one.cuts:
            found[f"cuts{place}"] = list(one.cuts)
        else:
            found[f"values{place}"] = list(one.values)
    return found
