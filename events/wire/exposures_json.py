"""`POST /api/v1/exposures`: flag evaluations by themselves, for systems without tracing.

A JSON array, one object, or NDJSON of `{"flag","variant","user_id"?,"trace_id"?,"time"?,"reason"?,
"version"?,"service"?}`; OpenTelemetry's names of these are understood too.
"""

from typing import Any

from events.event import Decoded, DecodeError, Exposure, Rejected
from events.wire import exposures, ids, plain

NAMES = {
    "flag": ("flag", "feature_flag.key"),
    "variant": ("variant", "feature_flag.result.variant", "feature_flag.variant"),
    "user_id": ("user_id", "user.id", "feature_flag.context.id", "targeting_key"),
    "reason": ("reason", "feature_flag.result.reason"),
    "version": ("version", "feature_flag.version"),
    "service": ("service", "service.name"),
    "trace_id": ("trace_id",),
}


def decode(body: bytes, *, now_us: int) -> Decoded:
    """The evaluations of a body. Raises DecodeError when nothing can be read."""
    decoded = Decoded("exposures, json")
    items = plain.items(body, decoded)
    decoded.items = len(items)
    if not items and not decoded.rejected:
        raise DecodeError("The body holds no flag evaluations.")
    for place, item in items:
        try:
            decoded.exposures.append(_exposure(item, now_us))
        except plain.Wrong as wrong:
            decoded.rejected.append(Rejected(place, str(wrong)))
            decoded.notes.add("exposure", "malformed", wrong)
    return decoded


def _exposure(item: Any, now_us: int) -> Exposure:
    if type(item) is not dict:
        raise plain.Wrong("the item is not an object")
    told = {name: _text(item, name) for name in NAMES}
    for name in ("flag", "variant"):
        if not told[name]:
            raise plain.Wrong(f"{name}: must be given")
    if not told["user_id"] and not told["trace_id"]:
        raise plain.Wrong("user_id: give it, or trace_id, or no request can be tied to this")
    trace = ids.number(told["trace_id"], ids.TRACE_BYTES) if told["trace_id"] else 0
    return Exposure(
        plain.time_us(item.get("time"), now_us),
        trace,
        told["flag"],
        told["variant"],
        told["reason"].lower(),
        told["version"],
        told["user_id"],
        told["service"],
    )


def _text(item: dict[str, Any], field: str) -> str:
    for name in NAMES[field]:
        value = item.get(name)
        if value is None:
            continue
        if type(value) in (dict, list):
            raise plain.Wrong(f"{field}: must be text")
        return exposures.variant_text(value).strip()
    return ""
