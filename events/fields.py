"""The registry of fields: which attributes a service sends, of which type, with a sample.

Asked once per batch, not per event: the union of a batch's names is taken in C and only names not
seen today are looked at.
"""

import logging
import threading
import time
from collections import defaultdict
from datetime import date
from typing import NamedTuple

from events.event import Event, Notes
from events.store.client import StoreUnavailable
from events.store.insert import insert
from events.store.read import Statement, run

log = logging.getLogger("flipscope.events")

TYPES = ("string", "integer", "float", "boolean", "list")
FIRST_MAP = Event._fields.index("strings")
COLUMNS = ("environment", "service", "field", "type", "last_seen", "sample")
MAX_NAME = 500
MAX_SAMPLE = 200
MAX_KNOWN = 200_000


class Seen(NamedTuple):
    service: str
    field: str
    type: str
    day: date
    sample: str


_known: dict[tuple[int, str, str, date], set[str]] = {}
_lock = threading.Lock()


def unseen(environment_id: int, events: list[Event], notes: Notes, today: date) -> list[Seen]:
    """The fields of a batch that are new today; takes away attributes whose name can't be one."""
    by_service: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_service[event.service].append(event)
    found: list[Seen] = []
    for service, group in by_service.items():
        for place, kind in enumerate(TYPES, FIRST_MAP):
            names: set[str] = set().union(*[event[place] for event in group])  # type: ignore[arg-type]  # maps
            new = names - _known.get((environment_id, service, kind, today), set())
            for name in sorted(new):
                if not 0 < len(name) <= MAX_NAME or not name.isprintable():
                    _remove(name, group, place, notes)
                    continue
                value = next(event[place][name] for event in group if name in event[place])  # type: ignore[index,operator]  # maps
                found.append(Seen(service, name, kind, today, str(value)[:MAX_SAMPLE]))
    return found


def _remove(name: str, group: list[Event], place: int, notes: Notes) -> None:
    for event in group:
        if event[place].pop(name, None) is not None:  # type: ignore[union-attr]  # maps
            notes.add("value", "unusable_name", repr(name[:60]))


def register(environment_id: int, seen: list[Seen], notes: Notes, most: int) -> None:
    """Writes new fields, up to `most` of a service, type and day: one that has more sends ids as
    names. The events are stored already, so a failure is only logged."""
    rows: list[Seen] = []
    with _lock:
        if sum(map(len, _known.values())) > MAX_KNOWN:
            _known.clear()
        for one in seen:
            known = _known.get((environment_id, one.service, one.type, one.day), set())
            if len(known) >= most:
                example = f"{one.service}: {one.field[:60]}, more than {most} (INGEST_MAX_FIELDS)"
                notes.add("value", "field_not_offered", example)
            elif one.field not in known:
                rows.append(one)
    if not rows:
        return
    try:
        insert(
            "fields",
            COLUMNS,
            (
                (environment_id, one.service, one.field, one.type, one.day.isoformat(), one.sample)
                for one in rows
            ),
            token="",
        )
    except StoreUnavailable as error:
        log.warning("fields.not_registered", extra={"error": str(error)})
        return
    with _lock:
        for one in rows:
            _known.setdefault((environment_id, one.service, one.type, one.day), set()).add(
                one.field
            )
            _types.pop((environment_id, one.field), None)


TYPES_KEPT_S = 10
_types: dict[tuple[int, str], tuple[float, set[str]]] = {}


def types_of(environment_id: int, names: list[str]) -> dict[str, set[str]]:
    """Which types each of these attributes was seen with; names never seen are missing.

    What was found is remembered for TYPES_KEPT_S, as every question asks for it first.
    """
    now = time.monotonic()
    found = {
        name: kept[1]
        for name in names
        if (kept := _types.get((environment_id, name))) and now - kept[0] < TYPES_KEPT_S
    }
    if missing := [name for name in names if name not in found]:
        if len(_types) > MAX_KNOWN:
            _types.clear()
        for name, types in _asked_types(environment_id, missing).items():
            found[name] = types
            _types[environment_id, name] = (now, types)
    return found


def _asked_types(environment_id: int, names: list[str]) -> dict[str, set[str]]:
    result = run(
        Statement(
            "SELECT field, groupUniqArray(type) AS types FROM fields "
            "WHERE environment = {environment:UInt32} AND field IN {names:Array(String)} "
            "GROUP BY field",
            {"environment": environment_id, "names": names},
        )
    )
    return {row["field"]: set(row["types"]) for row in result.rows}


def listed(environment_id: int, service: str = "") -> dict[str, set[str]]:
    """Every attribute seen within a week and its types; those of one service, or of all."""
    result = run(
        Statement(
            "SELECT field, groupUniqArray(type) AS types FROM fields "
            "WHERE environment = {environment:UInt32} AND last_seen >= today() - 7 "
            "AND ({service:String} = '' OR service = {service:String}) "
            "GROUP BY field ORDER BY field LIMIT 1000",
            {"environment": environment_id, "service": service},
        )
    )
    return {row["field"]: set(row["types"]) for row in result.rows}


class Field(NamedTuple):
    """One attribute as the Data page lists it."""

    name: str
    types: list[str]
    services: list[str]
    sample: str
    last_seen: date


def seen_fields(environment_id: int, text: str, limit: int) -> tuple[list[Field], int]:
    """(attributes whose name holds the text, how many there are). Raises StoreUnavailable."""
    result = run(
        Statement(
            "SELECT field, arraySort(groupUniqArray(type)) AS types, "
            "arraySort(groupUniqArray(service)) AS services, anyLast(sample) AS sample, "
            "max(last_seen) AS last, count() OVER () AS found FROM fields "
            "WHERE environment = {environment:UInt32} "
            "AND positionCaseInsensitive(field, {text:String}) > 0 "
            "GROUP BY field ORDER BY field LIMIT {limit:UInt32}",
            {"environment": environment_id, "text": text, "limit": limit},
        )
    )
    rows = [
        Field(row["field"], row["types"], row["services"], row["sample"], row["last"])
        for row in result.rows
    ]
    return rows, int(result.rows[0]["found"]) if result.rows else 0
