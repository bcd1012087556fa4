"""Events as columns of their table, whose types stand here as they do in events.store.schema."""

from events.event import Event
from events.store import native
from events.store.native import LOW

# What a batch has in common, then what each event has, in the order of Event.
COMMON = {"environment": "UInt32", "batch": "UInt64", "received": "DateTime64(3, 'UTC')"}
OWN = {
    "time": "DateTime64(6, 'UTC')",
    "service": LOW,
    "name": LOW,
    "kind": LOW,
    "entry": "Bool",
    "trace": "UInt128",
    "span": "UInt64",
    "parent": "UInt64",
    "duration_ms": "Float64",
    "error": "Bool",
    "status_code": "UInt16",
    "method": LOW,
    "route": LOW,
    "build_id": LOW,
    "instance": LOW,
    "user_id": "String",
    "sample_rate": "Float64",
    "strings": f"Map({LOW}, String)",
    "integers": f"Map({LOW}, Int64)",
    "floats": f"Map({LOW}, Float64)",
    "booleans": f"Map({LOW}, Bool)",
    "lists": f"Map({LOW}, String)",
}
COLUMNS = (*COMMON, *OWN)


def block(environment_id: int, batch: int, received_ms: int, events: list[Event]) -> bytes:
    """Some events, at least one, of one batch in Native format."""
    common = zip(COMMON.items(), (environment_id, batch, received_ms), strict=True)
    own = zip(OWN.items(), zip(*events, strict=True), strict=True)
    return native.block(
        [
            *((name, kind, (value,)) for (name, kind), value in common),
            *((name, kind, values) for (name, kind), values in own),
        ],
        len(events),
    )
