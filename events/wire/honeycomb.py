"""Honeycomb's `/1/events` and `/1/batch`: flat JSON or msgpack, as libhoney and beelines send it.

A value that can't be kept is set aside and counted, its event is kept. Time in all the forms that
refinery's getEventTime reads; a dataset stands for the service where the event names none.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgpack

from events.event import KINDS, NAMES, Decoded, DecodeError, Event, Notes, Rejected
from events.wire import exposures, ids
from events.wire.json_body import parsed
from events.wire.otlp import ENTRY_KINDS, http_status
from events.wire.sampling import rate, weight
from events.wire.values import Attributes, put

MSGPACK = frozenset({"application/msgpack", "application/x-msgpack"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DIGITS = re.compile(r"\d{10,19}")
FRACTION = re.compile(r"\d{1,11}\.\d+")
# What beelines and husky call the kinds of work.
TYPES = {"http_server": "server", "http_client": "client", "http": "client", "db": "client"}
ROOTS = frozenset({"root", "subroot"})
EMPTY = "empty event data"
TRACE, SPAN = ids.TRACE_BYTES, ids.SPAN_BYTES


def batch(body: bytes, *, dataset: str, packing: str, now_us: int, seed: bytes) -> Decoded:
    """An array of `{"time"?, "samplerate"?, "data"}`. Raises DecodeError where it is none."""
    decoded = Decoded(f"honeycomb, {_form(packing)}")
    items = _value(body, packing, decoded.notes)
    if type(items) is not list:
        raise DecodeError("The body is not an array of events.")
    decoded.items = len(items)
    for place, item in enumerate(items):
        if type(item) is not dict or type(item.get("data")) is not dict or not item["data"]:
            _refuse(decoded, place, EMPTY)
            continue
        _add(item["data"], item.get("time"), item.get("samplerate"), decoded, dataset=dataset,
             place=place, now_us=now_us, seed=seed)  # fmt: skip
    return decoded


def one(
    body: bytes,
    *,
    dataset: str,
    packing: str,
    headers: Mapping[str, str],
    now_us: int,
    seed: bytes,
) -> Decoded:
    """One event, whose time and sample rate come in headers. Raises DecodeError."""
    decoded = Decoded(f"honeycomb, {_form(packing)}")
    data = _value(body, packing, decoded.notes)
    if type(data) is not dict:
        raise DecodeError("The body is not an object of fields.")
    decoded.items = 1
    if not data:
        _refuse(decoded, 0, EMPTY)
        return decoded
    told = headers.get("X-Honeycomb-Samplerate", "").strip()
    samplerate: int | str | None = (
        int(told) if told.isdecimal() and len(told) < 10 else told or None
    )
    time = headers.get("X-Honeycomb-Event-Time") or None
    _add(data, time, samplerate, decoded, dataset=dataset, place=0, now_us=now_us, seed=seed)
    return decoded


def _form(packing: str) -> str:
    return "msgpack" if packing in MSGPACK else "json"


def _value(body: bytes, packing: str, notes: Notes) -> Any:
    if not body:
        raise DecodeError("Request body should not be empty.")
    if packing not in MSGPACK:
        return parsed(body, notes)[0]
    try:
        return msgpack.unpackb(
            body, timestamp=0, strict_map_key=False, unicode_errors="replace", max_ext_len=64
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise DecodeError(f"The body is not msgpack: {error or type(error).__name__}.") from None


def _refuse(decoded: Decoded, place: int, why: str) -> None:
    decoded.rejected.append(Rejected(place, why))
    decoded.notes.add("event", "malformed", f"item {place}: {why}")


def _add(
    data: dict[Any, Any],
    time: Any,
    samplerate: Any,
    decoded: Decoded,
    *,
    dataset: str,
    place: int,
    now_us: int,
    seed: bytes,
) -> None:
    notes, own = decoded.notes, Attributes()
    for key, value in data.items():
        name = key if type(key) is str else str(key)
        if name:
            put(own, name, value, notes)
        else:
            notes.add("value", "empty_name", value)
    time_us = _time_us(time, now_us, notes)
    service = own.take(("service", *NAMES["service"])).strip() or dataset
    known, parent = own.take(NAMES["trace"]), own.take(NAMES["parent"])
    trace = ids.number(known, TRACE) if known else ids.own(seed, place, TRACE)
    user_id = own.take(NAMES["user_id"])
    name, annotation = own.take(("name",)), own.strings.get("meta.annotation_type", "")
    span = own.take(NAMES["span"])
    asked = parent if annotation == "span_event" else span
    told: dict[str, Any] = {
        "time_us": time_us, "trace": trace, "service": service,
        "span": ids.number(asked, SPAN) if asked else 0,
    }  # fmt: skip
    decoded.exposures += exposures.plain(own, unit=user_id, **told)
    if annotation == "span_event" and name in exposures.EVALUATIONS:
        seen = exposures.evaluation(own, notes, **told)
        decoded.exposures += [seen] if seen else []
        return
    kind, entry = _kind(own, known=bool(known), parent=bool(parent), annotation=annotation)
    status_code = http_status(own) or _own_status(own)
    method = own.take(("method", *NAMES["method"]))
    route = own.take(("route", *NAMES["route"]))
    build_id, instance = own.take(NAMES["build_id"]), own.take(NAMES["instance"])
    duration_ms = own.number("duration_ms")
    if duration_ms is not None and not 0 <= duration_ms < 1e300:
        notes.add("value", "ends_before_it_starts", f"{name} duration_ms={duration_ms}")
        duration_ms = None
    failed = _failed(own)
    decoded.events.append(
        Event(
            time_us,
            service,
            name or route or dataset,
            kind,
            entry,
            trace,
            ids.number(span, SPAN) if span else ids.own(seed, place, SPAN),
            ids.number(parent, SPAN) if parent else 0,
            duration_ms or 0.0,
            status_code >= 500 if failed is None else failed,
            status_code,
            method,
            route,
            build_id,
            instance,
            user_id,
            _rate(samplerate, own, notes),
            *own.maps(),
        )
    )
    decoded.places.append(place)


def _kind(own: Attributes, *, known: bool, parent: bool, annotation: str) -> tuple[str, bool]:
    """(kind, whether a request entered its service here): a bare event is one request's."""
    told = own.take(NAMES["kind"])
    sort = own.strings.get("type", "")
    kind = next((one for one in (told, sort, TYPES.get(sort, "")) if one in KINDS), "")
    if annotation:
        return kind or "internal", False
    root = own.strings.get("meta.span_type", "") in ROOTS or not parent
    if not known:
        return kind or "server", True
    return kind or "internal", root or kind in ENTRY_KINDS


def _own_status(own: Attributes) -> int:
    """`status_code` is HTTP's answer as people write it; husky writes the span's status, 0 to 2."""
    number = own.integers.get("status_code", 0)
    if not 100 <= number <= 999:
        return 0
    del own.integers["status_code"]
    return number


def _failed(own: Attributes) -> bool | None:
    """`error` as people write it: a boolean, a message, or a number; None where nothing is said."""
    if "error" in own.booleans:
        return own.booleans.pop("error")
    if (text := own.strings.pop("error", None)) is not None:
        plain = text.strip().lower()
        if plain in ("", "false", "0", "none", "null"):
            return False
        if plain not in ("true", "1"):
            own.strings.setdefault("error.message", text)
        return True
    if (number := own.number("error")) is not None:
        return number != 0
    return None


def _rate(samplerate: Any, own: Attributes, notes: Notes) -> float:
    if samplerate is None or samplerate == 0:
        return weight(own, "", notes)
    if type(samplerate) not in (int, float):
        notes.add("value", "sample_rate_unreadable", samplerate)
        return 1.0
    return rate(float(samplerate) if abs(samplerate) < 1e300 else math.inf, notes)


def _time_us(value: Any, now_us: int, notes: Notes) -> int:
    """Microseconds; what can't be read counts as now and is noted, as Honeycomb does."""
    if value is None or value == "":
        return now_us
    try:
        if (found := _read_time(value)) is not None:
            return found
    except (ValueError, OverflowError):
        pass
    notes.add("value", "time_unreadable", str(value)[:100])
    return now_us


def _read_time(value: Any) -> int | None:
    if isinstance(value, msgpack.Timestamp):
        return int(value.to_unix_nano()) // 1000
    if type(value) in (int, float) and 0 < value < 1e20:
        value = str(value) if type(value) is int else f"{value:.6f}"
    if type(value) is not str:
        return None
    text = value.strip()
    if DIGITS.fullmatch(text):
        # Ten digits are seconds, what follows is their fraction.
        return int(text[:10]) * 1_000_000 + int(text[10:16].ljust(6, "0"))
    if FRACTION.fullmatch(text):
        return round(float(text) * 1_000_000)
    at = datetime.fromisoformat(text)
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
