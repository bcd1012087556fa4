"""OTLP's protobuf encoding: slices of the body into spans and log records."""

from collections.abc import Iterable, Iterator
from typing import Any

from events.event import Decoded, Notes
from events.wire import otlp
from events.wire.otlp_attributes import Known, attributes, known_so_far, plain
from events.wire.otlp_messages import Resource, ScopeLogs, ScopeSpans, Status, parsed
from events.wire.otlp_slices import TooWide, slices
from events.wire.values import Attributes, put

MOST_ATTRIBUTES = 2000  # unless told
OTHER_FIELDS = 1000  # of a span: ids and times, events, links
NO_STATUS = Status()


def traces(body: bytes, most_attributes: int = MOST_ATTRIBUTES) -> Decoded:
    """An ExportTraceServiceRequest. Raises DecodeError."""
    decoded, known = Decoded("otlp traces, protobuf"), known_so_far()
    for base, scoped in _scoped(body, ScopeSpans, decoded, known, most_attributes):
        otlp.add_spans(_spans(scoped.spans, known, decoded.notes), base, decoded)
    return decoded


def logs(body: bytes, most_attributes: int = MOST_ATTRIBUTES) -> Decoded:
    """An ExportLogsServiceRequest. Raises DecodeError."""
    decoded, known = Decoded("otlp logs, protobuf"), known_so_far()
    for base, scoped in _scoped(body, ScopeLogs, decoded, known, most_attributes):
        for record in scoped.log_records:
            otlp.add_record(_record(record, known, decoded.notes), base, decoded)
    return decoded


def _scoped(
    body: bytes, kind: Any, decoded: Decoded, known: Known, most: int
) -> Iterator[tuple[otlp.Source, Any]]:
    """Each slice of the body parsed, with what its resource and scope say of it."""
    notes, before, attributed = decoded.notes, None, Attributes()
    for found in slices(body, most + OTHER_FIELDS):
        if isinstance(found, TooWide):
            example = f"more than {found.most} fields, of attributes {most} (INGEST_MAX_ATTRIBUTES)"
            notes.add("event", "too_many_attributes", example)
            continue
        if found.resource != before:
            before = found.resource
            attributed = attributes(parsed(Resource, before).attributes, known, notes)
        scoped = parsed(kind, found.scoped)
        own = attributes(scoped.scope.attributes, known, notes)
        yield otlp.source(attributed, own, scoped.scope.name, scoped.scope.version), scoped


def _spans(spans: Iterable[Any], known: Known, notes: Notes) -> Iterator[otlp.Span]:
    number = int.from_bytes
    for span in spans:
        trace_id, span_id, name = span.trace_id, span.span_id, span.name
        trace = number(trace_id) if len(trace_id) == 16 else 0
        own = number(span_id) if len(span_id) == 8 else 0
        if otlp.refused_ids(trace, own, notes, name):
            continue
        status = span.status if span.HasField("status") else NO_STATUS
        events, links = span.events, span.links
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
            attributes(span.attributes, known, notes),
            [
                otlp.SpanEvent(
                    event.time_unix_nano, event.name, attributes(event.attributes, known, notes)
                )
                for event in events
            ]
            if events
            else [],
            [(number(link.trace_id[:16]), number(link.span_id[:8])) for link in links]
            if links
            else [],
        )


def _record(record: Any, known: Known, notes: Notes) -> otlp.Record:
    own = attributes(record.attributes, known, notes)
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
