"""Honeycomb's wire format: time, rates, odd values, statuses by item, and its HTTP answers."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import msgpack
import orjson
import pytest
from django.test import Client

from events.event import Decoded, DecodeError, Event
from events.query.answer import answer
from events.refusals import overview
from events.wire import honeycomb
from projects.models import Environment
from tests.events.test_body import PACK

NOW_US = 1_795_600_000_123_456
JSON, MSGPACK = "application/json", "application/msgpack"


def decoded(items: Any, packing: str = JSON, dataset: str = "shop") -> Decoded:
    body = items if isinstance(items, bytes) else json.dumps(items).encode()
    return honeycomb.batch(body, dataset=dataset, packing=packing, now_us=NOW_US, seed=b"s")


def event(data: dict[str, Any], **more: Any) -> Event:
    found = decoded([{"data": data, **more}])
    assert len(found.events) == 1
    return found.events[0]


TIMES = [
    ("2026-11-24T10:00:00Z", 1795514400_000_000),
    ("2026-11-24T10:00:00.476194123Z", 1795514400_476_194),
    ("2026-11-24T11:00:00.5+01:00", 1795514400_500_000),
    ("1795514400", 1795514400_000_000),
    ("1795514400123", 1795514400_123_000),
    ("1795514400123456", 1795514400_123_456),
    ("1795514400123456789", 1795514400_123_456),
    ("1795514400.25", 1795514400_250_000),
    (1795514400, 1795514400_000_000),
    (1795514400123, 1795514400_123_000),
    (None, NOW_US),
    ("", NOW_US),
]
UNREADABLE = ["yesterday", "17955144000000000000", {}, [], True, "-1", "1e400", "0000-00-00"]


@pytest.mark.parametrize(("given", "micros"), TIMES, ids=lambda x: str(x)[:30])
def test_time_comes_in_many_forms(given: Any, micros: int) -> None:
    found = decoded([{"data": {"a": 1}, "time": given}])
    assert found.events[0].time_us == micros
    assert not found.notes.found


@pytest.mark.parametrize("given", UNREADABLE, ids=str)
def test_an_unreadable_time_counts_as_now_and_is_noted(given: Any) -> None:
    found = decoded([{"data": {"a": 1}, "time": given}])
    assert found.events[0].time_us == NOW_US
    assert ("value", "time_unreadable") in found.notes.found


def test_msgpack_carries_its_own_timestamps() -> None:
    at = msgpack.Timestamp(1795514400, 476_194_000)
    body = msgpack.packb([{"time": at, "samplerate": 4, "data": {"a": 1, "b": 1.5, "c": b"x"}}])
    found = decoded(body, MSGPACK).events[0]
    assert (found.time_us, found.sample_rate) == (1795514400_476_194, 4.0)
    assert (found.integers, found.floats, found.strings) == ({"a": 1}, {"b": 1.5}, {"c": "eA=="})


def test_values_that_cannot_be_kept_are_set_aside_and_their_event_is_kept() -> None:
    body = (
        b'[{"data":{"good":1,"nan":NaN,"inf":-Infinity,"half":"\\ud800x",'
        b'"huge":1180591620717411303424,"neg":-9300000000000000000,"longest":'
        + b"9"
        * 5000
        + b"}},"
        b'{"data":{"kept":"too"}}]'
    )
    found = decoded(body)
    assert [one.integers for one in found.events] == [{"good": 1}, {}]
    assert found.events[0].strings == {"half": "\ufffdx"}
    counted = {reason: note.count for (_, reason), note in found.notes.found.items()}
    assert counted == {
        "json_not_strict": 1, "not_a_finite_number": 3, "integer_beyond_64_bits": 2,
    }  # fmt: skip


def test_msgpack_values_that_cannot_be_kept_are_set_aside() -> None:
    data = {"good": 1, "nan": math.nan, "huge": 2**63, 7: "a number for a name"}
    found = decoded(msgpack.packb([{"data": data}]), MSGPACK)
    assert (found.events[0].integers, found.events[0].strings) == (
        {"good": 1}, {"7": "a number for a name"},
    )  # fmt: skip
    assert {reason for _, reason in found.notes.found} == {
        "not_a_finite_number", "integer_beyond_64_bits",
    }  # fmt: skip


def test_items_that_are_no_events_are_refused_alone() -> None:
    found = decoded([{"data": {"a": 1}}, {}, {"data": {}}, 7, {"data": [1]}, {"data": {"b": 2}}])
    assert found.items == 6
    assert [one.index for one in found.rejected] == [1, 2, 3, 4]
    assert found.places == [0, 5]


@pytest.mark.parametrize(
    ("body", "packing"),
    [
        (b"", JSON), (b"{}", JSON), (b"[", JSON), (b"7", JSON), (b"\xc1", MSGPACK),
        (b"\xdd\xff\xff\xff\xff", MSGPACK), (b"\x91" * 5000, MSGPACK), (b"[" * 100_000, JSON),
        (b"[" + b"[]," * 3_000_000 + b"[]]", JSON),
    ],
    ids=lambda x: str(x)[:20],
)  # fmt: skip
def test_bodies_that_are_no_batch_are_refused_whole(body: bytes, packing: str) -> None:
    with pytest.raises(DecodeError):
        decoded(body, packing)


def test_a_bare_event_is_one_request_of_the_dataset() -> None:
    found = event({"duration_ms": 5, "status_code": 402, "request.method": "GET", "any.field": 7})
    assert (found.service, found.kind, found.entry) == ("shop", "server", True)
    assert (found.duration_ms, found.status_code, found.method) == (5.0, 402, "GET")
    assert found.integers == {"any.field": 7}
    assert found.trace != 0
    assert found.span != 0


def test_a_beelines_spans_keep_their_tree() -> None:
    trace = "5b8efff798038103d269b633813fc60c"
    root = event(
        {
            "trace.trace_id": trace, "trace.span_id": "eee19b7ec3c1b174", "name": "GET /export",
            "meta.span_type": "root", "type": "http_server", "service_name": "web",
            "response.status_code": 500, "duration_ms": 7.5, "app.flags.on": True,
        }
    )  # fmt: skip
    child = event(
        {
            "trace.trace_id": trace, "trace.span_id": "aaa19b7ec3c1b174", "name": "select",
            "trace.parent_id": "eee19b7ec3c1b174", "type": "db", "error": "OperationalError",
        }
    )  # fmt: skip
    assert (root.trace, root.entry, root.kind, root.service, root.error) == (
        int(trace, 16), True, "server", "web", True,
    )  # fmt: skip
    assert (child.trace, child.entry, child.kind, child.parent) == (
        root.trace, False, "client", root.span,
    )  # fmt: skip
    assert (child.error, child.strings["error.message"]) == (True, "OperationalError")


def test_huskys_span_status_is_no_http_status() -> None:
    found = event({"status_code": 2, "error": True, "trace.trace_id": "a1", "trace.parent_id": "b"})
    assert (found.status_code, found.error, found.integers) == (0, True, {"status_code": 2})


def test_flags_on_a_span_and_in_its_span_events_are_exposures() -> None:
    found = decoded(
        [
            {"data": {"trace.trace_id": "a1", "feature_flag.F": "on", "flags.G": True}},
            {
                "data": {
                    "trace.trace_id": "a1", "meta.annotation_type": "span_event",
                    "name": "feature_flag", "feature_flag.key": "H", "feature_flag.variant": "x",
                }
            },
        ]
    )  # fmt: skip
    assert len(found.events) == 1
    assert [(one.flag, one.variant, one.trace) for one in found.exposures] == [
        ("F", "on", 0xA1), ("G", "on", 0xA1), ("H", "x", 0xA1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "weight", "noted"),
    [(10, 10, False), (0, 1, False), (None, 1, False), (2.5, 2.5, False), ("x", 1, True),
     (-3, 1, True), (10**400, 1, True)],
    ids=lambda x: str(x)[:9],
)  # fmt: skip
def test_sample_rates_weight_and_never_break(given: Any, weight: float, *, noted: bool) -> None:
    body = orjson.dumps([{"data": {"a": 1}, "samplerate": None}]).replace(
        b"null", b"1" + b"0" * 400 if given == 10**400 else json.dumps(given).encode()
    )
    found = decoded(body)
    assert found.events[0].sample_rate == weight
    assert bool([1 for what, _ in found.notes.found if what == "value"]) is noted


class Sender:
    def __init__(self, key: str) -> None:
        self.key = key

    def post(self, path: str, body: Any, content_type: str = JSON, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {"X-Honeycomb-Team": self.key} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return Client().post(path, data, content_type=content_type, headers=named)


def count(environment: Environment, service: str) -> int:
    asked = [{"column": "service", "op": "=", "value": service}]
    found = answer(environment.id, {"filters": asked, "time_range": 40 * 86_400})
    return int(found["results"][0]["data"]["COUNT"])


store = pytest.mark.usefixtures("event_store")


@store
@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
@pytest.mark.parametrize("form", [JSON, MSGPACK, "application/x-msgpack"])
def test_a_batch_is_answered_item_by_item_and_counts_once(
    ingest_key: str, environment: Environment, form: str, encoding: str
) -> None:
    now = datetime.now(UTC).isoformat()
    items: list[Any] = [
        {"time": now, "samplerate": 10, "data": {"duration_ms": n}} for n in range(20)
    ]
    items.insert(3, {"data": {}})
    items.append({"time": "2001-01-01T00:00:00Z", "data": {"a": 1}})
    body = orjson.dumps(items) if form == JSON else msgpack.packb(items)
    pack = PACK[encoding]
    for _ in range(2):
        response = Sender(ingest_key).post(
            "/1/batch/my%20ds%2Fa", pack(body), form, Content_Encoding=encoding
        )
        assert response.status_code == 200
        got = json.loads(response.content)
        assert [one["status"] for one in got] == [202] * 3 + [400] + [202] * 17 + [400]
        assert got[3]["error"] == got[3]["err"] == "empty event data"
        assert "INGEST_MAX_AGE_DAYS" in got[-1]["error"]
    assert count(environment, "my ds/a") == 200


@store
def test_a_single_event_takes_its_time_and_rate_from_headers(
    ingest_key: str, environment: Environment
) -> None:
    sender = Sender(ingest_key)
    at = str(int(datetime.now(UTC).timestamp()))
    for time in (at, at, f"{at}001"):
        response = sender.post(
            "/1/events/single", {"a": 1}, X_Honeycomb_Event_Time=time, X_Honeycomb_Samplerate="3"
        )
        assert (response.status_code, response.content) == (200, b"")
    assert count(environment, "single") == 6
    odd = sender.post("/1/events/odd", {"a": 1}, X_Honeycomb_Samplerate="²")
    assert (odd.status_code, count(environment, "odd")) == (200, 1)
    old = sender.post("/1/events/single", {"a": 1}, X_Honeycomb_Event_Time="1000000000")
    assert old.status_code == 400
    assert "INGEST_MAX_AGE_DAYS" in json.loads(old.content)["error"]


@store
def test_the_data_page_names_a_browsers_libhoney(ingest_key: str, environment: Environment) -> None:
    Sender(ingest_key).post(
        "/1/batch/web", [{"data": {"a": 1}}], X_Honeycomb_UserAgent="libhoney-js/4.3.1 x"
    )
    found = overview(environment.id, datetime.fromtimestamp(0, UTC)).services
    assert [(one.client, one.form) for one in found] == [("libhoney-js/4.3.1", "honeycomb, json")]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/1/batch/x", "/1/events/x", "/1/auth"])
def test_an_unknown_key_is_told_in_honeycombs_words(path: str) -> None:
    method = "GET" if path == "/1/auth" else "POST"
    response = Client().generic(method, path, b"[]", headers={"X-Honeycomb-Team": "wrong"})
    assert response.status_code == 401
    assert json.loads(response.content)["error"].startswith("unknown API key")


def test_auth_says_where_a_key_belongs(ingest_key: str) -> None:
    got = Client().get("/1/auth", headers={"X-Honeycomb-Team": ingest_key}).json()
    assert got["environment"] == {"name": "Production", "slug": "production"}
    assert got["team"] == {"name": "Acme", "slug": "acme"}
    assert got["api_key_access"]["events"] is True
    assert got["api_key_access"]["boards"] is False


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/1/batch/x", "/v1/traces", "/v1/logs", "/api/v1/events"])
def test_a_browsers_preflight_is_answered(path: str) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    response = Client().options(path, headers=asked)
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (204, "*")
    assert "X-Honeycomb-Team" in response["Access-Control-Allow-Headers"]
