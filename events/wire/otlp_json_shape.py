"""OTLP's JSON as objects with a field each, whose attributes stay text.

Two objects for each of a batch's 50,000 attributes were most of what reading it cost. As text they
are looked up whole by events.wire.otlp_json: names repeat from span to span, and most values too.
"""

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder

Anything = Any | None
Attributes = list[Raw] | None


class Part(Struct, gc=False):
    """A JSON object, asked for its fields as a dict is."""

    def get(self, name: str) -> Any:
        return getattr(self, name)


class Span(Part):
    traceId: Anything = None
    spanId: Anything = None
    parentSpanId: Anything = None
    name: Anything = None
    kind: Anything = None
    startTimeUnixNano: Anything = None
    endTimeUnixNano: Anything = None
    flags: Anything = None
    traceState: Anything = None
    status: Anything = None
    events: Anything = None
    links: Anything = None
    attributes: Attributes = None


class Record(Part):
    traceId: Anything = None
    spanId: Anything = None
    timeUnixNano: Anything = None
    observedTimeUnixNano: Anything = None
    eventName: Anything = None
    severityNumber: Anything = None
    severityText: Anything = None
    body: Anything = None
    attributes: Attributes = None


class ScopeSpans(Part):
    scope: Anything = None
    spans: list[Span] | None = None


class ScopeLogs(Part):
    scope: Anything = None
    logRecords: list[Record] | None = None


class ResourceSpans(Part):
    resource: Anything = None
    scopeSpans: list[ScopeSpans] | None = None


class ResourceLogs(Part):
    resource: Anything = None
    scopeLogs: list[ScopeLogs] | None = None


class Traces(Part):
    resourceSpans: list[ResourceSpans] | None = None


class Logs(Part):
    resourceLogs: list[ResourceLogs] | None = None


OBJECTS: frozenset[type] = frozenset(
    {dict, Span, Record, ScopeSpans, ScopeLogs, ResourceSpans, ResourceLogs, Traces, Logs}
)
READERS: dict[str, Decoder[Any]] = {
    "resourceSpans": Decoder(Traces),
    "resourceLogs": Decoder(Logs),
}
