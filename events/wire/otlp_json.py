"""OTLP's JSON encoding: lowerCamelCase, hex ids, 64-bit integers as text or number.

Unknown fields are ignored, as the specification asks. A span or record of a wrong shape is
refused alone; the rest of its batch is kept. A body that is not strict JSON, or of another shape,
is read as plain objects, which takes twice as long.
"""

import base64
import binascii
import math
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from events.event import Decoded, DecodeError, Notes
from events.wire import otlp
from events.wire.json_body import beyond_64_bits, bounded, parsed
from events.wire.otlp_json_shape import OBJECTS, READERS
from events.wire.values import LARGEST, Attributes, put

Known = dict[bytes, tuple[str, Any]]  # what a request's attributes were read as so far
MOST_KNOWN, LONGEST_KNOWN = 50_000, 512
PLAIN = {"stringValue": str, "intValue": int, "doubleValue": float, "boolValue": bool}


class _Wrong(Exception):
    """One item has a wrong shape; the message says where."""


def traces(body: bytes) -> Decoded:
    """An ExportTraceServiceRequest. Raises DecodeError."""
    return _decoded(body, _traces, "resourceSpans")


def logs(body: bytes) -> Decoded:
    """An ExportLogsServiceRequest. Raises DecodeError."""
    return _decoded(body, _logs, "resourceLogs")


def _decoded(body: bytes, read: Any, resources: str) -> Decoded:
    bounded(body)
    if not beyond_64_bits(body):
        try:
            return read(READERS[resources].decode(body), Notes())  # type: ignore[no-any-return]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
    notes = Notes()
    return read(parsed(body, notes)[0], notes)  # type: ignore[no-any-return]


def _traces(message: Any, notes: Notes) -> Decoded:
    decoded, known = Decoded("otlp traces, json", notes=notes), Known()
    for base, span in _items(message, known, notes, "resourceSpans", "scopeSpans", "spans"):
        try:
            read = _span(span, known, notes)
        except (_Wrong, RecursionError) as wrong:
            notes.add("event", "malformed_span", wrong)
            continue
        if not otlp.refused_ids(read.trace, read.span, notes, read.name):
            otlp.add_span(read, base, decoded)
    return decoded


def _logs(message: Any, notes: Notes) -> Decoded:
    decoded, known = Decoded("otlp logs, json", notes=notes), Known()
    for base, record in _items(message, known, notes, "resourceLogs", "scopeLogs", "logRecords"):
        try:
            otlp.add_record(_record(record, known, notes), base, decoded)
        except (_Wrong, RecursionError) as wrong:
            notes.add("event", "malformed_log_record", wrong)
    return decoded


def _items(
    message: Any, known: Known, notes: Notes, resources: str, scopes: str, items: str
) -> Iterator[tuple[otlp.Source, Any]]:
    """Each innermost object with what its resource and scope say of it."""
    if type(message) not in OBJECTS:
        raise DecodeError("The body is not a JSON object.")
    try:
        for within in _objects(message, resources):
            resource = _attributes(_object(within, "resource"), known, notes)
            for scoped in _objects(within, scopes):
                scope = _object(scoped, "scope")
                base = otlp.source(
                    resource,
                    _attributes(scope, known, notes),
                    _text(scope, "name"),
                    _text(scope, "version"),
                )
                for item in _objects(scoped, items):
                    yield base, item
    except (_Wrong, RecursionError) as wrong:
        raise DecodeError(f"The body is not OTLP: {wrong}.") from None


def _span(span: Any, known: Known, notes: Notes) -> otlp.Span:
    status = _object(span, "status")
    return otlp.Span(
        _id(span, "traceId", 16),
        _id(span, "spanId", 8),
        _id(span, "parentSpanId", 8),
        _text(span, "name"),
        _integer(span, "kind"),
        _integer(span, "startTimeUnixNano"),
        _integer(span, "endTimeUnixNano"),
        _integer(span, "flags"),
        _text(span, "traceState"),
        _integer(status, "code"),
        _text(status, "message"),
        _attributes(span, known, notes),
        [
            otlp.SpanEvent(
                _integer(event, "timeUnixNano"),
                _text(event, "name"),
                _attributes(event, known, notes),
            )
            for event in _objects(span, "events")
        ],
        [(_id(link, "traceId", 16), _id(link, "spanId", 8)) for link in _objects(span, "links")],
    )


def _record(record: Any, known: Known, notes: Notes) -> otlp.Record:
    own = _attributes(record, known, notes)
    if record.get("body") is not None:
        put(own, "body", _plain(_object(record, "body")), notes)
    return otlp.Record(
        _id(record, "traceId", 16),
        _id(record, "spanId", 8),
        _integer(record, "timeUnixNano") or _integer(record, "observedTimeUnixNano"),
        _text(record, "eventName"),
        _integer(record, "severityNumber"),
        _text(record, "severityText"),
        own,
    )


def _attributes(holder: Any, known: Known, notes: Notes) -> Attributes:
    """Attributes by type. Each is touched once: this loop sets the pace of OTLP in JSON."""
    found = Attributes()
    strings, integers, floats = found.strings, found.integers, found.floats
    pairs = holder.get("attributes")
    if type(pairs) is not list:
        pairs = _objects(holder, "attributes")
    for pair in pairs:
        if type(pair) is msgspec.Raw:
            text = bytes(pair)
            read = known.get(text)
            if read is None:
                read = _pair(orjson.loads(text))
                if len(known) < MOST_KNOWN and len(text) <= LONGEST_KNOWN:
                    known[text] = read
        else:
            read = _pair(pair)
        key, value = read
        kind = type(value)
        if kind is str:
            strings[key] = value
        elif kind is int and -LARGEST <= value < LARGEST:
            integers[key] = value
        elif kind is float and value - value == 0:  # neither infinite nor no number
            floats[key] = value
        elif value is not None:
            put(found, key, value, notes)
    return found


def _pair(pair: Any) -> tuple[str, Any]:
    """An attribute's name, and its value as plain Python."""
    if type(pair) is not dict:
        raise _Wrong("attributes is not an array of objects")
    key, value = pair.get("key"), pair.get("value")
    if type(key) is not str:
        raise _Wrong("an attribute's key is not a string")
    if value is None:
        return key, None
    if type(value) is not dict:
        raise _Wrong(f"the value of attribute {key[:100]} is not an object")
    key = sys.intern(key)
    if len(value) == 1:
        [(name, inner)] = value.items()
        kind = type(inner)
        if PLAIN.get(name) is kind and (kind is not int or -LARGEST <= inner < LARGEST):
            return key, inner
    return key, _plain(value)


def _plain(value: dict[str, Any]) -> Any:
    """An AnyValue as plain Python; None where it holds nothing that we know."""
    for name, inner in value.items():
        if inner is None:
            continue
        if name == "intValue":
            return _integer(value, name)
        if name == "stringValue":
            return _text(value, name)
        if name == "boolValue":
            if type(inner) is not bool:
                raise _Wrong("boolValue is not true or false")
            return inner
        if name == "doubleValue":
            return _double(inner)
        if name == "bytesValue":
            try:
                return base64.b64decode(inner)
            except (TypeError, ValueError, binascii.Error):
                raise _Wrong("bytesValue is not base64") from None
        if name == "arrayValue":
            return [_plain(item) for item in _objects(_object(value, name), "values")]
        if name == "kvlistValue":
            pairs = _objects(_object(value, name), "values")
            return {_text(pair, "key"): _plain(_object(pair, "value")) for pair in pairs}
    return None


def _double(value: Any) -> float:
    if type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    raise _Wrong("doubleValue is not a number")


def _objects(holder: Any, name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if type(value) is not list or not OBJECTS.issuperset(map(type, value)):
        raise _Wrong(f"{name} is not an array of objects")
    return value


def _object(holder: Any, name: str) -> dict[str, Any]:
    value = holder.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise _Wrong(f"{name} is not an object")
    return value


def _text(holder: Any, name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise _Wrong(f"{name} is not a string")
    return value


def _integer(holder: Any, name: str) -> int:
    value = holder.get(name)
    if value is None or value == "":
        return 0
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is str and len(value) <= 20:
        try:
            value = int(value)
        except ValueError:
            raise _Wrong(f"{name} is not an integer") from None
    if type(value) is not int or not -LARGEST <= value < 2 * LARGEST:
        raise _Wrong(f"{name} is not a 64-bit integer")
    return value


def _id(holder: Any, name: str, size: int) -> int:
    """A hex id as a number, 0 when empty; some senders write base64, told by its length."""
    text = _text(holder, name)
    if not text:
        return 0
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * size else base64.b64decode(text)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != size:
        raise _Wrong(f"{name} is not {size} bytes in hex")
    return int.from_bytes(raw)
