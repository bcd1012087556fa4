"""OTLP's answers, in the request's own encoding: success, partial success, google.rpc.Status."""

import orjson
from django.http import HttpResponse
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from events.event import Notes

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
ENCODINGS = {PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF, JSON: JSON}
# google.rpc.Code for an HTTP status
CODES = {400: 3, 401: 16, 405: 12, 413: 11, 415: 3, 429: 8, 503: 14}
MAX_MESSAGE = 2000


def stored(signal: str, notes: Notes, encoding: str) -> HttpResponse:
    """200; what was refused, or set aside, is told as a partial success."""
    rejected = notes.total("event")
    told = [notes.said(what) for what in ("event", "value", "exposure")]
    message = ". ".join(part for part in told if part)[:MAX_MESSAGE]
    if encoding == JSON:
        name = "rejectedSpans" if signal == "traces" else "rejectedLogRecords"
        partial = {"partialSuccess": {name: str(rejected), "errorMessage": message}}
        return HttpResponse(orjson.dumps(partial if message else {}), content_type=JSON)
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        if message:
            traces.partial_success.rejected_spans = rejected
            traces.partial_success.error_message = message
        return HttpResponse(traces.SerializeToString(), content_type=PROTOBUF)
    logs = ExportLogsServiceResponse()
    if message:
        logs.partial_success.rejected_log_records = rejected
        logs.partial_success.error_message = message
    return HttpResponse(logs.SerializeToString(), content_type=PROTOBUF)


def failed(status: int, message: str, encoding: str) -> HttpResponse:
    """A google.rpc.Status as body."""
    code = CODES.get(status, 2)
    if encoding == JSON:
        body = orjson.dumps({"code": code, "message": message})
    else:
        body = Status(code=code, message=message).SerializeToString()
    return HttpResponse(body, content_type=encoding, status=status)
