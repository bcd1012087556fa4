"""Which fields an environment can be asked about: its columns, attributes and flags.

For people who choose: names with types, units and a sample. `resolve` in columns.py decides.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache

from events.event import ALIASES, FIELDS
from events.fields import types_of
from events.query.columns import FLAGS, resolve
from events.query.spec import Derived, QueryError
from events.store.read import Statement, moment, run

MOST = 3000
KEPT_S = 60
HIDDEN = ("time", "entry")


@dataclass(frozen=True, slots=True)
class Known:
    """One field that may be asked about; `type` is text, integer, number, boolean or id."""

    name: str
    type: str
    about: str = ""


def known(environment_id: int, since: datetime) -> tuple[Known, ...]:
    """Flags first, then columns, then attributes by name; `since` bounds the flags' time.

    Kept for a minute, as each page and each field of a form asks. Raises StoreUnavailable.
    """
    key = f"catalog:{environment_id}:{since:%Y%m%d}"
    found: tuple[Known, ...] | None = cache.get(key)
    if found is None:
        found = (*_flags(environment_id, since), *_columns(), *_attributes(environment_id))
        cache.set(key, found, KEPT_S)
    return found


def kinds(
    environment_id: int, names: Iterable[str], derived: Sequence[tuple[str, str]] = ()
) -> tuple[Known, ...]:
    """The columns, of the attributes these alone, and what `derived` (name, expression) give.

    An expression that can't be read gives none: the question it stands in says what is wrong.
    Raises StoreUnavailable.
    """
    own = _columns()
    columns = {one.name for one in own}
    made = tuple(Derived(*one) for one in derived)
    attributes = [
        name
        for name in dict.fromkeys(names)
        if name not in columns and name not in ALIASES and not name.startswith(FLAGS)
    ]
    types = types_of(environment_id, attributes)
    known = [*own, *(Known(name, _type(found)) for name, found in types.items())]
    with suppress(QueryError):
        resolved = resolve(environment_id, {}, made).columns if made else {}
        known += [Known(one.name, resolved[one.name].type) for one in made]
    return tuple(known)


def _columns() -> list[Known]:
    return [Known(one.column, one.type, one.meaning) for one in FIELDS if one.column not in HIDDEN]


def _flags(environment_id: int, since: datetime) -> list[Known]:
    rows = run(
        Statement(
            """SELECT DISTINCT arrayJoin(flags) AS flag FROM exposures
            WHERE environment = {environment:UInt32} AND hour >= {since:DateTime64(6, 'UTC')}
            ORDER BY flag LIMIT {most:UInt32}""",
            {"environment": environment_id, "since": moment(since), "most": MOST},
        )
    ).rows
    return [Known(f"{FLAGS}{row['flag']}", "text", "which variant was served") for row in rows]


def _attributes(environment_id: int) -> list[Known]:
    rows = run(
        Statement(
            """SELECT field, groupUniqArray(type) AS types, anyLast(sample) AS sample
            FROM fields WHERE environment = {environment:UInt32}
            GROUP BY field ORDER BY field LIMIT {most:UInt32}""",
            {"environment": environment_id, "most": MOST},
        )
    ).rows
    return [
        Known(row["field"], _type(set(row["types"])), f"such as {row['sample'][:60]}")
        for row in rows
    ]


def _type(types: set[str]) -> str:
    if types == {"integer"}:
        return "integer"
    if types <= {"integer", "float"}:
        return "number"
    return "boolean" if types == {"boolean"} else "text"
