"""`POST /api/v1/events`: a JSON array, one object, or NDJSON of flat objects.

Each item is taken or refused by itself, and the refusal names the field.
"""

import math
from datetime import UTC, datetime
from typing import Any

from events.event import KINDS, NAMES, Decoded, DecodeError, Event, Exposure, Rejected
from events.wire import exposures, ids
from events.wire.ids import SPAN_BYTES as SPAN
from events.wire.ids import TRACE_BYTES as TRACE
from events.wire.json_body import parsed
from events.wire.otlp import ENTRY_KINDS, http_status
from events.wire.sampling import rate, weight
from events.wire.values import Attributes, put

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OWN = frozenset(
    {
        *("time", "service", "name", "duration_ms", "status_code", "error", "route", "method"),
        *("build_id", "user_id", "trace_id", "span_id", "parent_id", "kind", "sample_rate"),
        *("flags", "instance"),
    }
)


class Wrong(Exception):
    """One item can't be an event; the message begins with the field."""


def decode(body: bytes, *, now_us: int, seed: bytes) -> Decoded:
    """The events of a body; `seed` makes the trace ids that items lack, the same when sent again.

    Raises DecodeError when nothing can be read.
    """
    decoded = Decoded("events, json")
    found = items(body, decoded)
    if not found and not decoded.rejected:
        raise DecodeError("The body holds no events.")
    for place, item in found:
        try:
            _add(item, place, decoded, now_us, seed)
        except (Wrong, RecursionError) as wrong:
            decoded.rejected.append(Rejected(place, str(wrong)))
            decoded.notes.add("event", "malformed", wrong)
    return decoded


def items(body: bytes, decoded: Decoded) -> list[tuple[int, Any]]:
    start = body.lstrip()[:1]
    if start == b"[":
        value, _ = parsed(body, decoded.notes)
        return list(enumerate(value))
    if start != b"{":
        raise DecodeError("The body is neither a JSON array nor NDJSON of objects.")
    items: list[tuple[int, Any]] = []
    wrong: DecodeError | None = None
    lines = [line for line in body.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        try:
            items.append((place, parsed(line, decoded.notes)[0]))
        except DecodeError as error:
            wrong = error
            if place == 0:
                break  # one object over several lines, or nothing
            decoded.rejected.append(Rejected(place, str(error)))
            decoded.notes.add("event", "malformed", error)
    if items or wrong is None:
        return items
    try:
        return [(0, parsed(body, decoded.notes)[0])]
    except DecodeError:
        raise wrong from None


def _add(item: Any, place: int, decoded: Decoded, now_us: int, seed: bytes) -> None:
    if type(item) is not dict:
        raise Wrong("the item is not an object")
    attributes = Attributes()
    for name, value in item.items():
        if name in OWN or value is None:
            continue
        if name:
            put(attributes, name, value, decoded.notes)
        else:
            decoded.notes.add("value", "empty_name", value)
    at_us = time_us(item.get("time"), now_us)
    service = _text(item, "service") or attributes.take(NAMES["service"])
    if not service:
        raise Wrong("service: must be given")
    kind = _text(item, "kind") or "server"
    if kind not in KINDS:
        raise Wrong(f"kind: must be one of {', '.join(KINDS)}")
    known = _text(item, "trace_id") or attributes.take(NAMES["trace"])
    trace = ids.number(known, TRACE) if known else ids.own(seed, place, TRACE)
    span_id = _text(item, "span_id") or attributes.take(NAMES["span"])
    parent_id = _text(item, "parent_id") or attributes.take(NAMES["parent"])
    route = _text(item, "route") or attributes.take(NAMES["route"])
    user_id = _text(item, "user_id") or attributes.take(NAMES["user_id"])
    status_code = _status(item.get("status_code")) or http_status(attributes)
    failed = item.get("error")
    if failed is not None and type(failed) is not bool:
        raise Wrong("error: must be true or false")
    own_rate = _number(item, "sample_rate")
    notes = decoded.notes
    span = ids.number(span_id, SPAN) if span_id else 0
    seen = _flags(item.get("flags"), at_us, trace, service, user_id, span)
    seen += exposures.plain(
        attributes, time_us=at_us, trace=trace, service=service, unit=user_id, span=span
    )
    event = Event(
        at_us,
        service,
        _text(item, "name") or route or "event",
        kind,
        kind in ENTRY_KINDS or not (known or parent_id),
        trace,
        span if span_id else ids.own(seed, place, SPAN),
        ids.number(parent_id, SPAN) if parent_id else 0,
        _number(item, "duration_ms") or 0.0,
        status_code >= 500 if failed is None else failed,
        status_code,
        _text(item, "method") or attributes.take(NAMES["method"]),
        route,
        _text(item, "build_id") or attributes.take(NAMES["build_id"]),
        _text(item, "instance") or attributes.take(NAMES["instance"]),
        user_id,
        weight(attributes, "", notes) if own_rate is None else rate(own_rate, notes),
        *attributes.maps(),
    )
    decoded.events.append(event)
    decoded.places.append(place)
    decoded.exposures += seen


def _flags(
    value: Any, time_us: int, trace: int, service: str, unit: str, span: int
) -> list[Exposure]:
    if value is None:
        return []
    if type(value) is not dict:
        raise Wrong("flags: must be an object of flag to variant")
    found = []
    for name, inner in value.items():
        flag = exposures.clean(name)
        if not flag:
            raise Wrong("flags: a flag's name is empty")
        more = inner if type(inner) is dict else {"variant": inner}
        parts = []
        for part in ("variant", "reason", "version"):
            told = more.get(part)
            if type(told) in (dict, list):
                raise Wrong(f"flags.{flag[:100]}: the {part} must be text")
            parts.append("" if told is None else exposures.variant_text(told))
        variant, reason, version = parts
        found.append(
            Exposure(time_us, trace, flag, variant, reason.lower(), version, unit, service, span)
        )
    return found


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if type(value) is str:
        return value.strip()
    if type(value) is int:
        return str(value)
    raise Wrong(f"{name}: must be text")


def _number(item: dict[str, Any], name: str) -> float | None:
    value = item.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < 1e300 or not math.isfinite(value):
        raise Wrong(f"{name}: must be a number, 0 or more")
    return float(value)


def _status(value: Any) -> int:
    if value is None:
        return 0
    if type(value) is str and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or not (value == 0 or 100 <= value <= 999):
        raise Wrong("status_code: must be a whole number from 100 to 999")
    return value


def time_us(value: Any, now_us: int) -> int:
    """Microseconds: RFC 3339, or a Unix time in s, ms, µs or ns, told by its size."""
    if value is None:
        return now_us
    if type(value) is str:
        try:
            at = datetime.fromisoformat(value.strip())
        except ValueError:
            raise Wrong(f"time: {value[:60]!r} is not a time as RFC 3339 writes it") from None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        since = at - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if type(value) not in (int, float) or not 0 < value < 1e20:
        raise Wrong("time: must be RFC 3339 text or a Unix time")
    for limit, per_second in ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000)):
        if value < limit:
            micros: int = round(value * (1_000_000 // per_second))
            return micros
    return int(value) // 1000
