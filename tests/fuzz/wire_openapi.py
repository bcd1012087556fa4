"""The endpoints that programs send to, as an OpenAPI document to fuzz by: they are not in the
API's own, since other specifications describe them."""

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "number"}
ANY: dict[str, Any] = {}
TIME: dict[str, Any] = {"anyOf": [{"type": "string", "format": "date-time"}, NUMBER]}


def thing(needed: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(needed)}


def many(one: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": one, "maxItems": 5}


EVENT = thing(
    service=TEXT, name=TEXT, time=TIME, duration_ms=NUMBER, status_code={"type": "integer"},
    error={"anyOf": [{"type": "boolean"}, TEXT]}, route=TEXT, method=TEXT, build_id=TEXT,
    user_id=TEXT, trace_id=TEXT, kind=TEXT, sample_rate=NUMBER, flags={"type": "object"}, more=ANY,
)  # fmt: skip
ATTRIBUTES = many(thing(
    ("key",), key=TEXT,
    value=thing(stringValue=TEXT, intValue=TEXT, doubleValue=NUMBER, boolValue={"type": "boolean"},
                arrayValue=thing(values=many(ANY)), kvlistValue=thing(values=many(ANY))),
))  # fmt: skip
SPAN = thing(
    traceId=TEXT, spanId=TEXT, parentSpanId=TEXT, name=TEXT, kind={"type": "integer"},
    startTimeUnixNano=TEXT, endTimeUnixNano=TEXT, attributes=ATTRIBUTES, traceState=TEXT,
    events=many(thing(name=TEXT, timeUnixNano=TEXT, attributes=ATTRIBUTES)),
    links=many(thing(traceId=TEXT, spanId=TEXT)), status=thing(code={"type": "integer"}),
)  # fmt: skip
RECORD = thing(timeUnixNano=TEXT, eventName=TEXT, body=ANY, attributes=ATTRIBUTES, traceId=TEXT)
RESOURCE = thing(attributes=ATTRIBUTES)
TRACES = thing(
    resourceSpans=many(thing(resource=RESOURCE, scopeSpans=many(thing(spans=many(SPAN)))))
)
LOGS = thing(
    resourceLogs=many(thing(resource=RESOURCE, scopeLogs=many(thing(logRecords=many(RECORD)))))
)
EXPOSURE = thing(("flag",), flag=TEXT, variant=TEXT, user_id=TEXT, trace_id=TEXT, time=TIME,
                 reason=TEXT, version=TEXT, service=TEXT)  # fmt: skip
DEPLOY = thing(("service", "build_id"), service=TEXT, build_id=TEXT, time=TIME, commit=TEXT,
               url=TEXT, title=TEXT, actor=TEXT, committed_at=TIME, id=TEXT)  # fmt: skip
MARKER = thing(("title",), title=TEXT, kind=TEXT, time=TIME, end_time=TIME, service=TEXT, url=TEXT,
               id=TEXT)  # fmt: skip
HONEYCOMB = thing(time=TIME, samplerate={"type": "integer"}, data={"type": "object"})
CONTEXT = thing(context=thing(targetingKey=TEXT, plan=ANY))
HOOK = thing(
    deployment=thing(id={"type": "integer"}, sha=TEXT, ref=TEXT, environment=TEXT, payload=ANY),
    deployment_status=thing(state=TEXT, created_at=TEXT), repository=thing(name=TEXT),
    object_kind=TEXT, status=TEXT, environment=TEXT, short_sha=TEXT, service=TEXT, build_id=TEXT,
    involvedObject=thing(name=TEXT), metadata={"type": "object"}, text=TEXT, title=TEXT, time=TIME,
)  # fmt: skip

POSTED = {
    "/api/v1/events": {"anyOf": [EVENT, many(EVENT)]},
    "/api/v1/exposures": {"anyOf": [EXPOSURE, many(EXPOSURE)]},
    "/api/v1/deploys": DEPLOY,
    "/api/v1/markers": MARKER,
    "/1/batch/{dataset}": many(HONEYCOMB),
    "/1/events/{dataset}": {"type": "object"},
    "/1/markers/{dataset}": thing(message=TEXT, type=TEXT, start_time=NUMBER, end_time=NUMBER),
    "/v1/traces": TRACES,
    "/v1/logs": LOGS,
    "/ofrep/v1/evaluate/flags": CONTEXT,
    "/ofrep/v1/evaluate/flags/{key}": CONTEXT,
}
HEADERS = ("X-Honeycomb-Event-Time", "X-Honeycomb-Samplerate", "Content-Encoding", "If-None-Match",
           "X-GitHub-Event", "X-Gitlab-Event", "Content-Type-Options")  # fmt: skip


def document(under: str, hooks: list[str]) -> dict[str, Any]:
    """OpenAPI 3.0 of what starts with `under` ("": all but OFREP) and of these hooks' addresses."""
    chosen = {
        path: body
        for path, body in POSTED.items()
        if (path.startswith(under) if under else not path.startswith("/ofrep"))
    } | dict.fromkeys(hooks, HOOK)
    paths = {}
    for path, body in chosen.items():
        places = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        parameters: list[dict[str, Any]] = [
            {"name": name, "in": "path", "required": True, "schema": TEXT} for name in places
        ]
        parameters += [{"name": name, "in": "header", "schema": TEXT} for name in HEADERS]
        paths[path] = {
            "post": {
                "parameters": parameters,
                "requestBody": {"content": {"application/json": {"schema": body}}},
                "responses": {"default": {"description": "an answer"}},
            }
        }
    return {"openapi": "3.0.3", "info": {"title": "wire", "version": "1"}, "paths": paths}
