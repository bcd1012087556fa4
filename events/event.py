"""What the room is about: Event and Exposure, and the one table of field names.

Both are named tuples, not dataclasses: a batch holds up to 100,000 of them, and a tuple of a known
order is written as a row of the store without being touched again.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

FieldType = Literal["text", "integer", "number", "boolean", "time", "id"]


class Event(NamedTuple):
    """One wide record of one unit of work; the maps hold what has no column, by type."""

    time_us: int
    service: str
    name: str
    kind: str
    entry: bool
    trace: int
    span: int
    parent: int
    duration_ms: float
    error: bool
    status_code: int
    method: str
    route: str
    build_id: str
    instance: str
    user_id: str
    sample_rate: float
    strings: dict[str, str]
    integers: dict[str, int]
    floats: dict[str, float]
    booleans: dict[str, bool]
    lists: dict[str, str]


class Exposure(NamedTuple):
    """One evaluation of a flag for one unit of work; `trace` is 0 outside any trace."""

    time_us: int
    trace: int
    flag: str
    variant: str
    reason: str
    version: str
    unit: str
    service: str
    span: int = 0  # which span of the trace asked, where that is known and not told by itself

    @property
    def placed(self) -> bool:
        """False where the code's own default was served, so that no cohort can hold it."""
        return self.variant != "" and self.reason != "error"


@dataclass(slots=True)
class Note:
    count: int
    example: str


@dataclass(slots=True)
class Notes:
    """What was refused or set aside, counted by (what, reason), each with an example."""

    found: dict[tuple[str, str], Note] = field(default_factory=dict)

    def add(self, what: str, reason: str, example: object, count: int = 1) -> None:
        """`what` is request, event, value or exposure."""
        note = self.found.get((what, reason))
        if note is None:
            self.found[what, reason] = Note(count, str(example)[:300])
        else:
            note.count += count

    def total(self, what: str) -> int:
        return sum(note.count for (kind, _), note in self.found.items() if kind == what)

    def said(self, what: str) -> str:
        """The reasons in words, for an answer's message."""
        return "; ".join(
            f"{note.count} × {reason.replace('_', ' ')} ({note.example})"
            for (kind, reason), note in self.found.items()
            if kind == what
        )


@dataclass(frozen=True, slots=True)
class Rejected:
    """One item that was not taken: its place in the body and what was wrong with it."""

    index: int
    error: str


@dataclass(slots=True)
class Decoded:
    """A body in our terms. `places` are the events' positions where the answer names positions."""

    form: str
    events: list[Event] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    rejected: list[Rejected] = field(default_factory=list)
    items: int = 0  # how many the body held, where the answer names each
    places: list[int] = field(default_factory=list)


class DecodeError(Exception):
    """Nothing of the body could be read; the message is for its sender."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column: which names fill it, the first found wins. The span's own fields have none."""

    column: str
    type: FieldType
    names: tuple[str, ...]
    meaning: str


# The one place where names become columns. Newer conventions stand before older ones.
FIELDS = (
    Field("time", "time", (), "when the work began"),
    Field("service", "text", ("service.name", "service_name"), "which service did it"),
    Field("name", "text", (), "the span's name, the log record's event name"),
    Field("kind", "text", ("span.kind",), "server, client, internal, producer, consumer or log"),
    Field("entry", "boolean", (), "a request entering a service: what users feel"),
    Field("trace", "id", ("trace.trace_id", "trace_id"), "the trace it belongs to"),
    Field("span", "id", ("trace.span_id", "span_id"), "its own id in the trace"),
    Field("parent", "id", ("trace.parent_id", "parent_id"), "the id of the span that caused it"),
    Field("duration_ms", "number", (), "how long it took"),
    Field("error", "boolean", (), "whether it failed"),
    Field(
        "status_code",
        "integer",
        ("http.response.status_code", "http.status_code", "response.status_code"),
        "HTTP's answer",
    ),
    Field(
        "method", "text", ("http.request.method", "http.method", "request.method"), "HTTP's verb"
    ),
    Field("route", "text", ("http.route",), "the route's pattern, without ids"),
    Field("build_id", "text", ("build_id", "build.id", "service.version"), "the running artifact"),
    Field("instance", "text", ("service.instance.id",), "which copy of the service"),
    Field("user_id", "text", ("user.id", "enduser.id", "user_id"), "for whom it was done"),
    Field(
        "sample_rate", "number", ("SampleRate", "sampleRate"), "how many events this one stands for"
    ),
)
NAMES = {entry.column: entry.names for entry in FIELDS}
# What a query may call a column besides its own name.
ALIASES = {name: entry.column for entry in FIELDS for name in entry.names}
COLUMNS = {entry.column: entry for entry in FIELDS}
KINDS = ("server", "client", "internal", "producer", "consumer")
