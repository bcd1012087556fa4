"""OTLP into events: both encodings alike, old and new names, types kept, bad items refused."""

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from events.event import Decoded, DecodeError, Event
from events.wire import otlp_json, otlp_protobuf
from events.wire.otlp import MAX_LINKS
from tests.events import otlp

AT_NS = 1_764_000_000_123_456_789


def both(request: dict[str, Any]) -> list[Decoded]:
    signal = "traces" if "resourceSpans" in request else "logs"
    from_json = getattr(otlp_json, signal)(orjson.dumps(request))
    from_protobuf = getattr(otlp_protobuf, signal)(otlp.as_protobuf(request))
    assert from_json.events == from_protobuf.events
    assert from_json.exposures == from_protobuf.exposures
    assert from_json.notes == from_protobuf.notes
    return [from_json, from_protobuf]


def event_of(attributes: dict[str, Any] | None = None, **more: Any) -> Event:
    resource = more.pop("resource", None)
    request = otlp.traces(otlp.span(attributes, at_ns=AT_NS, **more), resource=resource)
    return both(request)[0].events[0]


def test_a_span_becomes_an_event() -> None:
    event = event_of(
        {
            "http.route": "/x/{id}",
            "http.request.method": "GET",
            "http.response.status_code": 402,
            "user.id": "ada",
            "plan": "pro",
            "items": 7,
            "share": 0.25,
            "paid": True,
            "tags": ["a", 1],
            "cart": {"size": 3, "of": {"kind": "gift"}},
        },
        resource={"service.name": "shop", "service.version": "4.1", "service.instance.id": "i1"},
    )
    assert event == Event(
        time_us=AT_NS // 1000,
        service="shop",
        name="GET /x",
        kind="server",
        entry=True,
        trace=int(otlp.TRACE, 16),
        span=int(otlp.SPAN, 16),
        parent=0,
        duration_ms=5.0,
        error=False,
        status_code=402,
        method="GET",
        route="/x/{id}",
        build_id="4.1",
        instance="i1",
        user_id="ada",
        sample_rate=1.0,
        strings={"plan": "pro", "cart.of.kind": "gift"},
        integers={"items": 7, "cart.size": 3},
        floats={"share": 0.25},
        booleans={"paid": True},
        lists={"tags": '["a",1]'},
    )


@pytest.mark.parametrize(
    ("attributes", "column", "expected"),
    [
        ({"http.status_code": 503}, "status_code", 503),
        ({"http.status_code": "503"}, "status_code", 503),
        ({"http.response.status_code": 200, "http.status_code": 503}, "status_code", 200),
        ({"http.response.status_code": 7}, "status_code", 0),
        ({"http.method": "PUT"}, "method", "PUT"),
        ({"enduser.id": "bo"}, "user_id", "bo"),
        ({"user.id": 42}, "user_id", "42"),
        ({"build_id": "b7", "service.version": "1"}, "build_id", "b7"),
        ({"SampleRate": 20}, "sample_rate", 20.0),
        ({"sampleRate": "4"}, "sample_rate", 4.0),
    ],
)
def test_old_and_new_names_fill_the_columns(
    attributes: dict[str, Any], column: str, expected: object
) -> None:
    assert getattr(event_of(attributes), column) == expected


@pytest.mark.parametrize(
    ("kind", "parent", "flags", "entry", "name"),
    [
        (2, otlp.SPAN, 0, True, "server"),
        (5, otlp.SPAN, 0, True, "consumer"),
        (1, otlp.SPAN, 0, False, "internal"),
        (3, otlp.SPAN, 0, False, "client"),
        (4, otlp.SPAN, 0, False, "producer"),
        (1, "", 0, True, "internal"),
        (1, otlp.SPAN, 0x100, False, "internal"),
        (1, otlp.SPAN, 0x300, True, "internal"),
        (0, otlp.SPAN, 0, False, "internal"),
        (99, otlp.SPAN, 0, False, "internal"),
    ],
)
def test_a_request_entering_a_service_is_an_entry(
    kind: int, parent: str, flags: int, entry: bool, name: str
) -> None:
    event = event_of(kind=kind, parentSpanId=parent, flags=flags)
    assert (event.entry, event.kind) == (entry, name)


@pytest.mark.parametrize(
    ("status", "code", "error"), [(2, 200, True), (0, 500, True), (0, 402, False), (1, 500, False)]
)
def test_what_counts_as_an_error(status: int, code: int, error: bool) -> None:
    event = event_of({"http.response.status_code": code}, status={"code": status})
    assert event.error is error


def test_the_nearer_attribute_wins_whatever_its_type() -> None:
    request = otlp.traces(
        otlp.span({"a": "span", "b": 2}),
        resource={"service.name": "shop", "a": "resource", "b": "resource", "c": "resource"},
        scope={"name": "lib", "version": "1", "attributes": otlp.pairs({"c": "scope"})},
    )
    event = both(request)[0].events[0]
    assert event.strings == {
        "a": "span", "c": "scope", "otel.scope.name": "lib", "otel.scope.version": "1",
    }  # fmt: skip
    assert event.integers == {"b": 2}


def test_an_exception_event_is_copied_onto_its_span() -> None:
    failed = {"exception.type": "ValueError", "exception.message": "no"}
    again = {"exception.type": "KeyError"}
    events = [{"name": "exception", "attributes": otlp.pairs(one)} for one in (failed, again)]
    event = event_of(events=events, status={"code": 2, "message": "broken"})
    assert event.strings == failed | {"status_message": "broken"}
    assert event.integers == {"span.num_events": 2}


def test_the_first_links_of_a_span_are_kept_with_it() -> None:
    there = [{"traceId": f"{n:032x}", "spanId": f"{n:016x}"} for n in range(1, 31)]
    event = event_of(links=[{"traceId": "", "spanId": "0" * 15 + "1"}, *there])
    assert event.integers == {"span.num_links": 31}
    kept = orjson.loads(event.lists["span.links"])
    assert kept[0] == f"{1:032x}/{1:016x}"
    assert len(kept) == MAX_LINKS - 1


@pytest.mark.parametrize(
    ("state", "rate"),
    [
        ("ot=th:8", 2.0),
        ("ot=th:c", 4.0),
        ("ot=th:fe", 128.0),
        ("vendor=1,ot=rv:00000000000000;th:c,x=y", 4.0),
        ("ot=th:0", 1.0),
        ("ot=p:3;r:5", 8.0),
        ("ot=th:XYZ", 1.0),
        ("ot=th:" + "f" * 15, 1.0),
        ("ot=th:ffffffffffffff", 1e6),
        ("", 1.0),
    ],
)
def test_the_weight_of_a_tracestate(state: str, rate: float) -> None:
    assert event_of(traceState=state).sample_rate == rate


def test_numbers_that_are_none_are_set_aside_and_the_event_kept() -> None:
    attributes = [
        {"key": "good", "value": {"doubleValue": 1.5}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "far", "value": {"doubleValue": "Infinity"}},
    ]
    request = otlp.traces(otlp.span() | {"attributes": attributes})
    decoded = otlp_json.traces(orjson.dumps(request))
    assert decoded.events[0].floats == {"good": 1.5}
    assert decoded.notes.total("value") == 2
    body = otlp.as_protobuf(otlp.traces(otlp.span({"n": 1.5})))
    message = ExportTraceServiceRequest.FromString(body)
    message.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.double_value = math.nan
    decoded = otlp_protobuf.traces(message.SerializeToString())
    assert decoded.events[0].floats == {}
    assert decoded.notes.total("value") == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"traceId": ""},
        {"traceId": "00" * 16},
        {"spanId": "12"},
        {"traceId": "zz" * 16},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": 2**70},
        {"attributes": "none"},
        {"attributes": [{"key": 5}]},
        {"attributes": [{"key": "a", "value": 5}]},
        {"events": [5]},
        {"name": 5},
        {"status": []},
    ],
    ids=str,
)
def test_a_bad_span_is_refused_alone(bad: dict[str, Any]) -> None:
    good, broken = otlp.span(), otlp.span() | bad
    decoded = otlp_json.traces(json.dumps(otlp.traces(broken, good)).encode())
    assert len(decoded.events) == 1
    assert decoded.notes.total("event") == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b'"x"', b"\xff", b'{"resourceSpans": 5}', b"[" * 100_000]
)
def test_what_is_not_otlp_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        otlp_json.traces(body)


def test_an_empty_request_is_one() -> None:
    assert otlp_json.traces(b"{}").events == []
    assert otlp_protobuf.traces(b"").events == []


def test_unknown_fields_are_ignored() -> None:
    request = otlp.traces(otlp.span(newField={"a": [1]}))
    request["alsoNew"] = 1
    assert len(otlp_json.traces(orjson.dumps(request)).events) == 1


def test_deep_nesting_is_no_crash() -> None:
    deep = b'{"stringValue":"x"}'
    for _ in range(200):
        deep = b'{"kvlistValue":{"values":[{"key":"k","value":' + deep + b"}]}}"
    request = otlp.traces(otlp.span() | {"attributes": [{"key": "deep", "value": "DEEP"}]})
    decoded = otlp_json.traces(orjson.dumps(request).replace(b'"DEEP"', deep))
    assert len(decoded.events) + decoded.notes.total("event") == 1


def test_a_log_record_is_an_event_of_its_own_kind() -> None:
    record = {
        "timeUnixNano": str(AT_NS), "traceId": otlp.TRACE, "spanId": otlp.SPAN,
        "severityNumber": 17, "severityText": "ERROR", "body": {"stringValue": "out of stock"},
        "attributes": otlp.pairs({"user.id": "ada", "sku": 5}),
    }  # fmt: skip
    event = both(otlp.logs(record))[0].events[0]
    assert (event.kind, event.entry, event.error, event.name) == ("log", False, True, "log")
    assert (event.user_id, event.parent) == ("ada", int(otlp.SPAN, 16))
    assert event.strings == {"body": "out of stock", "severity": "ERROR"}
    assert event.integers == {"sku": 5, "severity_number": 17}


@pytest.mark.parametrize("name", ["trace.json", "logs.json", "events.json"])
def test_the_specifications_examples_are_read(name: str) -> None:
    body = (Path(__file__).parent / "data" / name).read_bytes()
    decoded = otlp_json.traces(body) if name == "trace.json" else otlp_json.logs(body)
    assert len(decoded.events) == 1
    assert not decoded.notes.found
    assert decoded.events[0].service == "my.service"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    for read in (otlp_json.traces, otlp_json.logs, otlp_protobuf.traces, otlp_protobuf.logs):
        with suppress(DecodeError):
            read(body)


@settings(max_examples=300)
@given(st.data())
def test_a_request_with_anything_anywhere_is_decoded_or_refused(data: st.DataObject) -> None:
    request = otlp.traces(otlp.span({"a": 1}, events=[otlp.evaluation("F", "on")]))
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    place = data.draw(st.sampled_from(sorted(spans[0])))
    spans[0][place] = data.draw(JSON)
    try:
        decoded = otlp_json.traces(json.dumps(request).encode())
    except DecodeError:
        return
    assert len(decoded.events) + decoded.notes.total("event") == 1
    for event in decoded.events:
        orjson.dumps((*event[:5], str(event.trace), *event[6:]))
