"""OTLP traces and logs into events and exposures: what both encodings have in common.

The merge rule: a resource's attributes, over them its scope's, over them the span's own; the same
name set nearer to the span wins. What has a column of its own leaves the maps.
Specification: opentelemetry-proto docs/specification.md; semantic conventions 1.44 and older.
"""

from collections.abc import Iterable
from typing import NamedTuple

import orjson

from events.event import NAMES, Decoded, Event, Notes
from events.wire import exposures
from events.wire.sampling import weight
from events.wire.values import Attributes

SPAN_KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
ENTRY_KINDS = frozenset({"server", "consumer"})
REMOTE = 0x300  # flags: "whether the parent is remote is known" and "it is"
OK, ERROR = 1, 2
FIRST_ERROR_SEVERITY = 17
# Kept of a span's own events: enough to read what happened, never the bulk of the span.
MAX_SPAN_EVENTS, MAX_EVENT_ATTRIBUTES, MAX_EVENT_TEXT = 20, 20, 1000
MAX_LINKS = 20
UNKNOWN_SERVICE = "unknown_service"


class SpanEvent(NamedTuple):
    time_ns: int
    name: str
    attributes: Attributes


class Span(NamedTuple):
    """A span as either encoding's reader gives it; ids as numbers, 0 for none."""

    trace: int
    span: int
    parent: int
    name: str
    kind: int
    start_ns: int
    end_ns: int
    flags: int
    tracestate: str
    status: int
    status_message: str
    attributes: Attributes
    events: list[SpanEvent]
    links: list[tuple[int, int]]  # trace and span of each


class Record(NamedTuple):
    """A log record as either encoding's reader gives it."""

    trace: int
    span: int
    time_ns: int
    name: str
    severity: int
    severity_text: str
    attributes: Attributes


class Source(NamedTuple):
    """What a resource and a scope say of everything beneath them."""

    service: str
    build_id: str
    instance: str
    user_id: str
    attributes: Attributes


def source(resource: Attributes, scope: Attributes, scope_name: str, scope_version: str) -> Source:
    """A resource's and its scope's attributes, with the columns taken out."""
    merged = scope.under(resource)
    if scope_name:
        merged.strings["otel.scope.name"] = scope_name
    if scope_version:
        merged.strings["otel.scope.version"] = scope_version
    return Source(
        merged.take(NAMES["service"]).strip() or UNKNOWN_SERVICE,
        merged.take(NAMES["build_id"]),
        merged.take(NAMES["instance"]),
        merged.take(NAMES["user_id"]),
        merged,
    )


def add_spans(spans: Iterable[Span], base: Source, into: Decoded) -> None:
    """Adds each span's event, and the exposures it tells of."""
    for span in spans:
        add_span(span, base, into)


def _kept_events(span: Span) -> str:
    """The span's events but evaluations as one JSON text, as far as it stays short."""
    told = [
        {
            "name": event.name[:200],
            "offset_ms": round((event.time_ns - span.start_ns) / 1e6, 3) if event.time_ns else 0,
            "attributes": {
                name: value[:MAX_EVENT_TEXT] if isinstance(value, str) else value
                for values in event.attributes.maps()
                for name, value in list(values.items())[:MAX_EVENT_ATTRIBUTES]
            },
        }
        for event in span.events[:MAX_SPAN_EVENTS]
        if event.name not in exposures.EVALUATIONS
    ]
    return orjson.dumps(told).decode() if told else ""


def add_span(span: Span, base: Source, into: Decoded) -> None:
    notes, own = into.notes, span.attributes
    kind = SPAN_KINDS[span.kind] if 0 <= span.kind < len(SPAN_KINDS) else "internal"
    time_us = span.start_ns // 1000
    duration_ms = (span.end_ns - span.start_ns) / 1e6
    if duration_ms < 0:
        notes.add("value", "ends_before_it_starts", span.name)
        duration_ms = 0.0
    service = own.take(NAMES["service"]) or base.service
    user_id = own.take(NAMES["user_id"]) or base.user_id
    status_code = http_status(own)
    evaluated = exposures.plain(
        own, time_us=time_us, trace=span.trace, service=service, unit=user_id
    )
    for event in span.events:
        if event.name in exposures.EVALUATIONS:
            at_us = event.time_ns // 1000 or time_us
            exposure = exposures.evaluation(
                event.attributes, notes, time_us=at_us, trace=span.trace, service=service
            )
            if exposure is not None:
                evaluated.append(exposure)
        elif event.name == "exception" and "exception.type" not in own.strings:
            own.strings.update(event.attributes.strings)
    into.exposures += evaluated
    if evaluated:
        # Exposures are kept by trace: this says which span asked.
        told = [f"{one.flag}={one.variant}" for one in evaluated[:MAX_SPAN_EVENTS]]
        own.lists["span.flags"] = orjson.dumps(list(dict.fromkeys(told))).decode()
    if span.events:
        own.integers["span.num_events"] = len(span.events)
        if kept := _kept_events(span):
            own.lists["span.events"] = kept
    if span.links:
        own.integers["span.num_links"] = len(span.links)
        told = [f"{trace:032x}/{linked:016x}" for trace, linked in span.links[:MAX_LINKS] if trace]
        if told:
            own.lists["span.links"] = orjson.dumps(told).decode()
    if span.status_message:
        own.strings["status_message"] = span.status_message
    failed = span.status == ERROR or (span.status != OK and status_code >= 500)
    sample_rate = weight(own, span.tracestate, notes)
    method = own.take(NAMES["method"])
    route = own.take(NAMES["route"])
    build_id = own.take(NAMES["build_id"]) or base.build_id
    merged = own.under(base.attributes)
    into.events.append(
        Event(
            time_us,
            service,
            span.name,
            kind,
            kind in ENTRY_KINDS or not span.parent or span.flags & REMOTE == REMOTE,
            span.trace,
            span.span,
            span.parent,
            duration_ms,
            failed,
            status_code,
            method,
            route,
            build_id,
            base.instance,
            user_id,
            sample_rate,
            merged.strings,
            merged.integers,
            merged.floats,
            merged.booleans,
            merged.lists,
        )
    )


def add_record(record: Record, base: Source, into: Decoded) -> None:
    """Adds a flag evaluation's exposure, or the event of any other log record."""
    own = record.attributes
    time_us = record.time_ns // 1000
    name = record.name or own.take(("event.name",))
    service = own.take(NAMES["service"]) or base.service
    if name in exposures.EVALUATIONS:
        exposure = exposures.evaluation(
            own, into.notes, time_us=time_us, trace=record.trace, service=service, span=record.span
        )
        if exposure is not None:
            into.exposures.append(exposure)
        return
    if record.severity_text:
        own.strings["severity"] = record.severity_text
    if record.severity:
        own.integers["severity_number"] = record.severity
    user_id = own.take(NAMES["user_id"]) or base.user_id
    into.exposures += exposures.plain(
        own, time_us=time_us, trace=record.trace, service=service, unit=user_id, span=record.span
    )
    columns = (http_status(own), own.take(NAMES["method"]), own.take(NAMES["route"]))
    sample_rate = weight(own, "", into.notes)
    build_id = own.take(NAMES["build_id"]) or base.build_id
    merged = own.under(base.attributes)
    entry = False
    into.events.append(
        Event(
            time_us,
            service,
            name or "log",
            "log",
            entry,
            record.trace,
            0,
            record.span,
            0.0,
            record.severity >= FIRST_ERROR_SEVERITY,
            *columns,
            build_id,
            base.instance,
            user_id,
            sample_rate,
            *merged.maps(),
        )
    )


def http_status(attributes: Attributes) -> int:
    """Takes the HTTP status off the attributes; 0 where there is none in range."""
    for name in NAMES["status_code"]:
        number = attributes.integers.get(name)
        if number is None:
            text = attributes.strings.get(name, "")
            if not (text.isascii() and text.isdigit() and len(text) == 3):
                continue
            number = int(text)
        if 100 <= number <= 999:
            attributes.integers.pop(name, None)
            attributes.strings.pop(name, None)
            return number
    return 0


def refused_ids(trace: int, span: int, notes: Notes, name: str) -> bool:
    """Whether a span can't be told from others, or joined, for want of its ids; noted."""
    if not trace:
        notes.add("event", "no_trace_id", name)
    elif not span:
        notes.add("event", "no_span_id", name)
    return not trace or not span
