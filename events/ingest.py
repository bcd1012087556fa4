"""Decoded events into the store: limits, refusals counted, one insert per table, then the answer.

Exposures are written before events, so that whoever sees an event sees what it was exposed to; a
batch that comes again, after a lost answer or half-way failure, completes and counts once.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.conf import settings

from events import fields, refusals
from events.event import Decoded, Event, Exposure, Notes, Rejected
from events.limits import Limits
from events.store import event_columns, space
from events.store.insert import Together, insert, insert_block, mark
from events.wire.exposures import SEPARATOR

EXPOSURE_COLUMNS = ("environment", "hour", "trace", "pairs", "flags", "details")
UNIT_COLUMNS = (
    "environment", "time", "user_id", "flag", "variant", "reason", "version", "service",
)  # fmt: skip
PLACELESS_COLUMNS = ("environment", "hour", "flag", "reason", "service", "count")
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MAX_COLUMN_TEXT = 1000
TEXT_COLUMNS = ("service", "name", "method", "route", "build_id", "instance", "user_id")


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is stored, or was before; and what was not taken, with its reasons."""

    events: int
    exposures: int
    rejected: list[Rejected]
    notes: Notes


def token_of(environment_id: int, path: str, body: bytes) -> str:
    """The name of a request's content: the same body to the same place counts once."""
    return sha256(f"{environment_id}\n{path}\n".encode() + body).hexdigest()


def accept(
    environment_id: int,
    decoded: Decoded,
    *,
    limits: Limits,
    token: str,
    now: datetime,
    size: int = 0,
    client: str = "",
) -> Accepted:
    """Stores what is within the limits; when it returns it survives a kill -9.

    Raises StoreUnavailable when nothing, or not all, could be stored: the sender keeps the batch.
    """
    space.check()
    now_us = int(now.timestamp() * 1_000_000)
    oldest_us = now_us - settings.INGEST_MAX_AGE_DAYS * 24 * HOUR_US
    newest_us = now_us + settings.INGEST_MAX_AHEAD_MINUTES * 60_000_000
    rejected = list(decoded.rejected)
    events = within_limits(decoded, limits, oldest_us, newest_us, rejected)
    new_fields = fields.unseen(environment_id, events, decoded.notes, now.date())
    exposures = _timely(decoded, oldest_us, newest_us)
    kept = _store_exposures(environment_id, exposures, decoded.notes, token)
    if events:
        insert_block(
            "events",
            event_columns.COLUMNS,
            "Native",
            event_columns.block(environment_id, mark(token), now_us // 1000, events),
            token=token,
            together=_together([event.time_us for event in events], marked=True),
        )
    fields.register(environment_id, new_fields, decoded.notes, limits.fields)
    if refusals.is_new(token):
        refusals.arrived(
            environment_id, events, kept, form=decoded.form, client=client, size=size, now=now
        )
        refusals.refused(environment_id, decoded.form, decoded.notes, now=now)
    return Accepted(len(events), len(kept), rejected, decoded.notes)


def _together(times_us: list[int], *, marked: bool) -> Together | None:
    """Only rows of one day: a part holds one partition, and is written whole or not at all."""
    days = {time_us // DAY_US for time_us in times_us}
    return Together(f"day-{days.pop()}", marked) if len(days) == 1 else None


def within_limits(
    decoded: Decoded, limits: Limits, oldest_us: int, newest_us: int, rejected: list[Rejected]
) -> list[Event]:
    """The events that can be stored, their values too; the others are noted, and rejected."""
    notes = decoded.notes
    widest, largest = limits.attributes, limits.value_bytes
    # Of characters that take up to four bytes, a text this short needs no counting.
    surely_fits = largest // 4
    kept: list[Event] = []
    for number, event in enumerate(decoded.events):
        time_us, strings, lists = event[0], event[17], event[21]
        width = len(strings) + len(event[18]) + len(event[19]) + len(event[20]) + len(lists)
        problem = ""
        if not oldest_us <= time_us <= newest_us:
            reason, problem = "time_out_of_range", _time_problem(time_us, oldest_us)
        elif width > widest:
            reason = "too_many_attributes"
            problem = f"{width} attributes, more than {widest} (INGEST_MAX_ATTRIBUTES)"
        if problem:
            notes.add("event", reason, f"{event.service} {event.name}: {problem}")
            if decoded.places:
                rejected.append(Rejected(decoded.places[number], problem))
            continue
        if strings and max(map(len, strings.values())) > surely_fits:
            _set_aside_large(strings, largest, notes)
        if lists and max(map(len, lists.values())) > surely_fits:
            _set_aside_large(lists, largest, notes)
        if len("".join(event[11:16])) + len(event[1]) + len(event[2]) > MAX_COLUMN_TEXT:
            event = _cut(event, notes)
        kept.append(event)
    return kept


def _time_problem(time_us: int, oldest_us: int) -> str:
    at = f"Unix time {time_us / 1e6:.0f} s"
    if abs(time_us) < 200_000_000_000_000_000:
        at = f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if time_us < oldest_us:
        limit = f"more than {settings.INGEST_MAX_AGE_DAYS} days ago (INGEST_MAX_AGE_DAYS)"
    else:
        ahead = settings.INGEST_MAX_AHEAD_MINUTES
        limit = f"more than {ahead} minutes ahead (INGEST_MAX_AHEAD_MINUTES)"
    return f"time: {at} is {limit}"


def _set_aside_large(there: dict[str, str], largest: int, notes: Notes) -> None:
    for name in [name for name, text in there.items() if len(text.encode()) > largest]:
        size = len(there.pop(name).encode())
        notes.add(
            "value",
            "value_too_large",
            f"{name[:100]}: {size} bytes, more than {largest} (INGEST_MAX_VALUE_BYTES)",
        )


def _cut(event: Event, notes: Notes) -> Event:
    long = {
        name: getattr(event, name)[:MAX_COLUMN_TEXT]
        for name in TEXT_COLUMNS
        if len(getattr(event, name)) > MAX_COLUMN_TEXT
    }
    for name in long:
        notes.add("value", "text_cut", f"{name}: cut to {MAX_COLUMN_TEXT} characters")
    return event._replace(**long)


def _timely(decoded: Decoded, oldest_us: int, newest_us: int) -> list[Exposure]:
    kept = [item for item in decoded.exposures if oldest_us <= item.time_us <= newest_us]
    if late := len(decoded.exposures) - len(kept):
        decoded.notes.add("exposure", "time_out_of_range", decoded.exposures[0].flag, late)
    return kept


def _store_exposures(
    environment_id: int, exposures: list[Exposure], notes: Notes, token: str
) -> list[Exposure]:
    """Folds a batch by trace and hour; returns the exposures that a cohort can hold."""
    if not exposures:
        return []
    placed: list[Exposure] = []
    folded: dict[tuple[int, int], tuple[set[str], set[str], set[str]]] = {}
    units: list[tuple[Any, ...]] = []
    placeless: dict[tuple[int, str, str, str], int] = defaultdict(int)
    for seen in exposures:
        hour = seen.time_us // HOUR_US
        if not seen.placed:
            placeless[hour, seen.flag, seen.reason, seen.service] += 1
            notes.add("exposure", "placeless", f"{seen.flag}: no variant or reason error")
        elif seen.trace:
            pairs, flags, details = folded.setdefault((hour, seen.trace), (set(), set(), set()))
            pair = f"{seen.flag}{SEPARATOR}{seen.variant}"
            pairs.add(pair)
            flags.add(seen.flag)
            told = SEPARATOR.join((pair, seen.reason, seen.version, seen.unit))
            details.add(f"{told}{SEPARATOR}{seen.span:016x}" if seen.span else told)
            placed.append(seen)
        elif seen.unit:
            units.append(
                (
                    environment_id, seen.time_us / 1e6, seen.unit, seen.flag, seen.variant,
                    seen.reason, seen.version, seen.service,
                )
            )  # fmt: skip
            placed.append(seen)
        else:
            notes.add("exposure", "neither_trace_nor_context_id", seen.flag)
    insert(
        "exposures",
        EXPOSURE_COLUMNS,
        (
            (environment_id, hour * 3600, str(trace), *map(sorted, sets))
            for (hour, trace), sets in folded.items()
        ),
        token=token,
        together=_together([hour * HOUR_US for hour, _ in folded], marked=False),
    )
    insert("unit_exposures", UNIT_COLUMNS, units, token=token)
    insert(
        "placeless",
        PLACELESS_COLUMNS,
        (
            (environment_id, hour * 3600, flag, reason, service, count)
            for (hour, flag, reason, service), count in placeless.items()
        ),
        token=token,
    )
    return placed
