"""OTLP requests as plain dictionaries (its JSON form), and the same as protobuf."""

import base64
import time
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"


def value(of: Any) -> dict[str, Any]:
    """An AnyValue."""
    if isinstance(of, bool):
        return {"boolValue": of}
    if isinstance(of, int):
        return {"intValue": str(of)}
    if isinstance(of, float):
        return {"doubleValue": of}
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(one) for one in of]}}
    if isinstance(of, dict):
        return {"kvlistValue": {"values": pairs(of)}}
    return {"stringValue": of}


def pairs(of: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(one)} for key, one in of.items()]


def span(
    attributes: dict[str, Any] | None = None,
    *,
    trace: str = TRACE,
    own: str = SPAN,
    at_ns: int | None = None,
    took_ns: int = 5_000_000,
    events: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    start = time.time_ns() - took_ns if at_ns is None else at_ns
    return {
        "traceId": trace,
        "spanId": own,
        "name": "GET /x",
        "kind": 2,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + took_ns),
        "attributes": pairs(attributes or {}),
        "events": events or [],
        **more,
    }


def evaluation(
    flag: str, variant: str | None, *, name: str = "feature_flag.evaluation", **more: Any
) -> dict[str, Any]:
    """A span event that tells of one evaluation."""
    told = {"feature_flag.key": flag, **more}
    if variant is not None:
        told["feature_flag.result.variant"] = variant
    return {"name": name, "timeUnixNano": str(time.time_ns()), "attributes": pairs(told)}


def record(flag: str, variant: str | None, *, trace: str = TRACE) -> dict[str, Any]:
    """A log record that tells of one evaluation."""
    told = evaluation(flag, variant)
    return {"eventName": told.pop("name"), "traceId": trace, "spanId": SPAN, **told}


def traces(
    *spans: dict[str, Any],
    resource: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
) -> dict[str, Any]:
    described = {"service.name": "shop"} if resource is None else resource
    scoped: dict[str, Any] = {"spans": list(spans)}
    if scope is not None:
        scoped["scope"] = scope
    return {
        "resourceSpans": [{"resource": {"attributes": pairs(described)}, "scopeSpans": [scoped]}]
    }


def logs(*records: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    described = {"service.name": "shop"} if resource is None else resource
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": pairs(described)},
                "scopeLogs": [{"logRecords": list(records)}],
            }
        ]
    }


def as_protobuf(request: dict[str, Any]) -> bytes:
    """The same request in protobuf (ids as bytes, not as protobuf's own JSON would read them)."""
    message: Any = (
        ExportTraceServiceRequest() if "resourceSpans" in request else ExportLogsServiceRequest()
    )
    ParseDict(_with_base64_ids(request), message)
    data: bytes = message.SerializeToString()
    return data


def _with_base64_ids(of: Any) -> Any:
    if isinstance(of, list):
        return [_with_base64_ids(one) for one in of]
    if isinstance(of, dict):
        return {
            name: base64.b64encode(bytes.fromhex(one)).decode()
            if name in ("traceId", "spanId", "parentSpanId")
            else _with_base64_ids(one)
            for name, one in of.items()
        }
    return of


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    size, length = len(data), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def many_empty_spans(size: int) -> bytes:
    """A request of `size` bytes, each two of which are a span."""
    return _field(1, _field(2, b"\x12\x00" * (size // 2)))


def many_empty_attributes(size: int) -> bytes:
    """A request of `size` bytes with one span, each two bytes of which are an attribute."""
    ids = _field(1, bytes(range(16))) + _field(2, bytes(range(1, 9)))
    return _field(1, _field(2, _field(2, ids + b"\x4a\x00" * (size // 2))))
