"""OTLP's protobuf encoding, read by the messages of opentelemetry-proto (upb, in C)."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from events.event import Decoded, DecodeError, Notes
from events.wire import otlp
from events.wire.otlp_slices import TooWide, slices
from events.wire.values import Attributes, put

MOST_ATTRIBUTES = 2000  # unless told
OTHER_FIELDS = 1000  # of a span: ids and times, events, links


def traces(body: bytes, most_attributes: int = MOST_ATTRIBUTES) -> Decoded:
    """An ExportTraceServiceRequest. Raises DecodeError."""
    decoded = Decoded("otlp traces, protobuf")
    for base, scoped in _scoped(body, ScopeSpans, decoded, most_attributes):
        otlp.add_spans(_spans(scoped.spans, decoded.notes), base, decoded)
    return decoded


def logs(body: bytes, most_attributes: int = MOST_ATTRIBUTES) -> Decoded:
    """An ExportLogsServiceRequest. Raises DecodeError."""
    decoded = Decoded("otlp logs, protobuf")
    for base, scoped in _scoped(body, ScopeLogs, decoded, most_attributes):
        for record in scoped.log_records:
            otlp.add_record(_record(record, decoded.notes), base, decoded)
    return decoded


def _scoped(
    body: bytes, kind: Any, decoded: Decoded, most: int
) -> Iterator[tuple[otlp.Source, Any]]:
    """Each slice of the body parsed, with what its resource and scope say of it."""
    notes, known, attributed = decoded.notes, None, Attributes()
    for found in slices(body, most + OTHER_FIELDS):
        if isinstance(found, TooWide):
            example = f"more than {found.most} fields, of attributes {most} (INGEST_MAX_ATTRIBUTES)"
            notes.add("event", "too_many_attributes", example)
            continue
        if found.resource != known:
            known = found.resource
            attributed = attributes(_parsed(Resource, known).attributes, notes)
        scoped = _parsed(kind, found.scoped)
        yield _source(attributed, scoped.scope, notes), scoped


def _parsed(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except ProtobufError as error:
        raise DecodeError(f"The body is not {message.DESCRIPTOR.full_name}: {error}.") from None


def _source(resource: Attributes, scope: Any, notes: Notes) -> otlp.Source:
    return otlp.source(resource, attributes(scope.attributes, notes), scope.name, scope.version)


def _spans(spans: Iterable[Any], notes: Notes) -> Iterator[otlp.Span]:
    number = int.from_bytes
    for span in spans:
        trace_id, span_id, name = span.trace_id, span.span_id, span.name
        trace = number(trace_id) if len(trace_id) == 16 else 0
        own = number(span_id) if len(span_id) == 8 else 0
        if otlp.refused_ids(trace, own, notes, name):
            continue
        status = span.status
        yield otlp.Span(
            trace,
            own,
            number(span.parent_span_id[:8]),
            name,
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.flags,
            span.trace_state,
            status.code,
            status.message,
            attributes(span.attributes, notes),
            [
                otlp.SpanEvent(
                    event.time_unix_nano, event.name, attributes(event.attributes, notes)
                )
                for event in span.events
            ],
            len(span.links),
        )


def _record(record: Any, notes: Notes) -> otlp.Record:
    own = attributes(record.attributes, notes)
    if record.HasField("body"):
        put(own, "body", plain(record.body), notes)
    trace_id, span_id = record.trace_id, record.span_id
    return otlp.Record(
        int.from_bytes(trace_id) if len(trace_id) == 16 else 0,
        int.from_bytes(span_id) if len(span_id) == 8 else 0,
        record.time_unix_nano or record.observed_time_unix_nano,
        record.event_name,
        record.severity_number,
        record.severity_text,
        own,
    )


def attributes(pairs: Iterable[Any], notes: Notes) -> Attributes:
    """KeyValue messages by type. Each is touched once: this loop sets the pace of intake."""
    strings: dict[str, str] = {}
    integers: dict[str, int] = {}
    found = Attributes(strings, integers)
    for pair in pairs:
        value = pair.value
        which = value.WhichOneof("value")
        if which == "string_value":
            strings[pair.key] = value.string_value
        elif which == "int_value":
            integers[pair.key] = value.int_value
        elif which == "bool_value":
            found.booleans[pair.key] = value.bool_value
        elif which is not None:
            put(found, pair.key, plain(value), notes)
    return found


def plain(value: Any) -> Any:
    """An AnyValue as plain Python."""
    which = value.WhichOneof("value")
    if which == "array_value":
        return [plain(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    return getattr(value, which) if which is not None else None
