"""OTLP's JSON encoding: lowerCamelCase, hex ids, 64-bit integers as text or number.

Unknown fields are ignored, as the specification asks. A span or record of a wrong shape is
refused alone; the rest of its batch is kept.
"""

import base64
import binascii
import math
from collections.abc import Iterator
from typing import Any

from events.event import Decoded, DecodeError, Notes
from events.wire import otlp
from events.wire.json_body import parsed
from events.wire.values import LARGEST, Attributes, put

_ONLY_OBJECTS = frozenset({dict})


class _Wrong(Exception):
    """One item has a wrong shape; the message says where."""


def traces(body: bytes) -> Decoded:
    """An ExportTraceServiceRequest. Raises DecodeError."""
    decoded = Decoded("otlp traces, json")
    for base, span in _items(body, decoded, "resourceSpans", "scopeSpans", "spans"):
        try:
            read = _span(span, decoded.notes)
        except (_Wrong, RecursionError) as wrong:
            decoded.notes.add("event", "malformed_span", wrong)
            continue
        if not otlp.refused_ids(read.trace, read.span, decoded.notes, read.name):
            otlp.add_span(read, base, decoded)
    return decoded


def logs(body: bytes) -> Decoded:
    """An ExportLogsServiceRequest. Raises DecodeError."""
    decoded = Decoded("otlp logs, json")
    for base, record in _items(body, decoded, "resourceLogs", "scopeLogs", "logRecords"):
        try:
            otlp.add_record(_record(record, decoded.notes), base, decoded)
        except (_Wrong, RecursionError) as wrong:
            decoded.notes.add("event", "malformed_log_record", wrong)
    return decoded


def _items(
    body: bytes, decoded: Decoded, resources: str, scopes: str, items: str
) -> Iterator[tuple[otlp.Source, dict[str, Any]]]:
    """Each innermost object with what its resource and scope say of it."""
    message, _ = parsed(body, decoded.notes)
    if not isinstance(message, dict):
        raise DecodeError("The body is not a JSON object.")
    try:
        for within in _objects(message, resources):
            resource = _attributes(_object(within, "resource"), decoded.notes)
            for scoped in _objects(within, scopes):
                scope = _object(scoped, "scope")
                base = otlp.source(
                    resource,
                    _attributes(scope, decoded.notes),
                    _text(scope, "name"),
                    _text(scope, "version"),
                )
                for item in _objects(scoped, items):
                    yield base, item
    except (_Wrong, RecursionError) as wrong:
        raise DecodeError(f"The body is not OTLP: {wrong}.") from None


def _span(span: dict[str, Any], notes: Notes) -> otlp.Span:
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
        _attributes(span, notes),
        [
            otlp.SpanEvent(
                _integer(event, "timeUnixNano"), _text(event, "name"), _attributes(event, notes)
            )
            for event in _objects(span, "events")
        ],
        [(_id(link, "traceId", 16), _id(link, "spanId", 8)) for link in _objects(span, "links")],
    )


def _record(record: dict[str, Any], notes: Notes) -> otlp.Record:
    own = _attributes(record, notes)
    if record.get("body") is not None:
        put(own, "body", _plain(_object(record, "body"), notes), notes)
    return otlp.Record(
        _id(record, "traceId", 16),
        _id(record, "spanId", 8),
        _integer(record, "timeUnixNano") or _integer(record, "observedTimeUnixNano"),
        _text(record, "eventName"),
        _integer(record, "severityNumber"),
        _text(record, "severityText"),
        own,
    )


def _attributes(holder: dict[str, Any], notes: Notes) -> Attributes:
    """Attributes by type. Each is touched once: this loop sets the pace of OTLP in JSON."""
    found = Attributes()
    strings, integers, floats = found.strings, found.integers, found.floats
    for pair in _objects(holder, "attributes"):
        key, value = pair.get("key"), pair.get("value")
        if type(key) is not str:
            raise _Wrong("an attribute's key is not a string")
        if value is None:
            continue
        if type(value) is not dict:
            raise _Wrong(f"the value of attribute {key[:100]} is not an object")
        if len(value) == 1:
            [(name, inner)] = value.items()
            kind = type(inner)
            if kind is str and name == "stringValue":
                strings[key] = inner
                continue
            if kind is int and name == "intValue" and -LARGEST <= inner < LARGEST:
                integers[key] = inner
                continue
            if kind is float and name == "doubleValue" and inner - inner == 0:  # finite
                floats[key] = inner
                continue
        put(found, key, _plain(value, notes), notes)
    return found


def _plain(value: dict[str, Any], notes: Notes) -> Any:
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
            return [_plain(item, notes) for item in _objects(_object(value, name), "values")]
        if name == "kvlistValue":
            pairs = _objects(_object(value, name), "values")
            return {_text(pair, "key"): _plain(_object(pair, "value"), notes) for pair in pairs}
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


def _objects(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = holder.get(name)
    if value is None:
        return []
    if type(value) is not list or not _ONLY_OBJECTS.issuperset(map(type, value)):
        raise _Wrong(f"{name} is not an array of objects")
    return value


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise _Wrong(f"{name} is not an object")
    return value


def _text(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise _Wrong(f"{name} is not a string")
    return value


def _integer(holder: dict[str, Any], name: str) -> int:
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


def _id(holder: dict[str, Any], name: str, size: int) -> int:
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
