"""The intake over HTTP: what is stored, what is refused, and how each sender is told."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.test import Client
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from redis.exceptions import RedisError

from events import refusals
from events.models import Arrival, Refusal
from events.query.answer import answer
from projects.models import Environment
from tests.events import otlp
from tests.events.test_body import PACK

pytestmark = pytest.mark.usefixtures("event_store")
JSON, PROTOBUF = "application/json", "application/x-protobuf"
DAY_AGO = datetime.now(UTC) - timedelta(days=1)


class Sender:
    """A client with a key."""

    def __init__(self, key: str) -> None:
        self.client = Client()
        self.key = key

    def post(self, path: str, body: Any, content_type: str = JSON, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {"Authorization": f"Bearer {self.key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.client.post(path, data, content_type=content_type, headers=named)


@pytest.fixture
def sender(ingest_key: str) -> Sender:
    return Sender(ingest_key)


def count(environment: Environment, **filters: Any) -> int:
    asked = [{"column": name, "op": "=", "value": value} for name, value in filters.items()]
    found = answer(environment.id, {"filters": asked, "time_range": 40 * 86_400})
    return int(found["results"][0]["data"]["COUNT"])


def numbered(n: int, service: str = "shop", **more: Any) -> dict[str, Any]:
    spans = [otlp.span({"n": i}, trace=f"{i + 1:032x}", own=f"{i + 1:016x}") for i in range(n)]
    return otlp.traces(*spans, resource={"service.name": service}, **more)


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
@pytest.mark.parametrize("form", [JSON, PROTOBUF])
def test_spans_are_stored_when_the_answer_is_200(
    sender: Sender, environment: Environment, form: str, encoding: str
) -> None:
    request = numbered(20)
    body = otlp.as_protobuf(request) if form == PROTOBUF else orjson.dumps(request)
    pack = PACK[encoding]
    response = sender.post("/v1/traces", pack(body), form, Content_Encoding=encoding)
    assert response.status_code == 200
    assert response["Content-Type"] == form
    assert response.content == (b"{}" if form == JSON else b"")
    assert count(environment) == 20


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/api/v1/events"])
def test_a_batch_sent_twice_counts_once(
    sender: Sender, environment: Environment, path: str
) -> None:
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "x"}}
    body = {
        "/v1/traces": numbered(5),
        "/v1/logs": otlp.logs(record, otlp.record("F", "on")),
        "/api/v1/events": [{"service": "shop", "flags": {"F": "on"}}],
    }[path]
    packed = gzip.compress(orjson.dumps(body))
    assert sender.post(path, packed, Content_Encoding="gzip").status_code == 200
    before, arrived = count(environment), refusals.overview(environment.id, DAY_AGO)
    assert before > 0
    assert arrived.events + arrived.exposures > 0
    time.sleep(0.01)
    assert sender.post(path, orjson.dumps(body)).status_code == 200
    assert count(environment) == before
    assert refusals.overview(environment.id, DAY_AGO) == arrived  # nor twice on the Data page


def test_while_the_cache_is_away_batches_are_counted_all_the_same(
    sender: Sender, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_named: Any) -> None:
        raise RedisError("connection refused")

    monkeypatch.setattr("django.core.cache.backends.redis.RedisCacheClient.add", away)
    assert sender.post("/api/v1/events", [{"service": "shop"}]).status_code == 200
    assert refusals.overview(environment.id, DAY_AGO).events == 1


def test_the_same_batch_to_another_environment_is_another_batch(
    sender: Sender, environment: Environment, cast: Any
) -> None:
    from projects.keys import mint

    secret = mint(cast.staging, "ingest", name="s", created_by="x")[1]
    body = orjson.dumps(numbered(3))
    assert sender.post("/v1/traces", body).status_code == 200
    assert Sender(secret).post("/v1/traces", body).status_code == 200
    assert (count(environment), count(cast.staging)) == (3, 3)


@pytest.mark.parametrize("order", ["before", "after", "with"])
@pytest.mark.parametrize("form", ["log", "inner span", "attribute", "another service"])
def test_a_flag_evaluated_anywhere_counts_for_the_request(
    sender: Sender, environment: Environment, order: str, form: str
) -> None:
    entry = otlp.traces(otlp.span({"http.route": "/export"}))
    inner: dict[str, Any] = {"kind": 1, "parentSpanId": otlp.SPAN, "own": "aaaaaaaaaaaaaaaa"}
    evaluated = {
        "log": otlp.logs(otlp.record("F", "on")),
        "inner span": otlp.traces(otlp.span(events=[otlp.evaluation("F", "on")], **inner)),
        "attribute": otlp.traces(otlp.span({"feature_flag.F": "on"}, **inner)),
        "another service": otlp.traces(
            otlp.span(events=[otlp.evaluation("F", "on", name="feature_flag")], **inner),
            resource={"service.name": "pricing"},
        ),
    }[form]
    batches = [("/v1/traces", entry), ("/v1/logs" if form == "log" else "/v1/traces", evaluated)]
    if order == "before":
        batches.reverse()
    if order == "with" and form != "log":
        entry["resourceSpans"] += evaluated["resourceSpans"]
        batches = batches[:1]
    for path, body in batches:
        assert sender.post(path, body).status_code == 200
    asked = {
        "breakdowns": ["flags.F"],
        "filters": [{"column": "entry", "op": "=", "value": True}],
    }
    assert answer(environment.id, asked)["results"] == [{"data": {"flags.F": "on", "COUNT": 1}}]


def test_plain_events_keep_the_good_and_name_the_bad(
    sender: Sender, environment: Environment
) -> None:
    items = [
        {"service": "shop", "flags": {"F": "on"}, "any.field": 7},
        {"time": "yesterday"},
        {"service": "shop", "time": "2001-01-01T00:00:00Z"},
        {"service": "shop", **{f"a{i}": i for i in range(2001)}},
    ]
    response = sender.post("/api/v1/events", items)
    assert response.status_code == 200
    got = json.loads(response.content)
    assert got["accepted"] == 1
    assert [one["index"] for one in got["rejected"]] == [1, 2, 3]
    assert [word in one["error"] for word, one in zip(
        ("time", "INGEST_MAX_AGE_DAYS", "INGEST_MAX_ATTRIBUTES"), got["rejected"], strict=True
    )] == [True] * 3  # fmt: skip
    assert count(environment) == 1


BAD = [
    (b"\x0a\xff", PROTOBUF, {}, 400, "not protobuf"),
    (b"{", JSON, {}, 400, "not JSON"),
    (b'{"resourceSpans":7}', JSON, {}, 400, "resourceSpans"),
    (gzip.compress(bytes(100_000_000), mtime=0), PROTOBUF, {"Content_Encoding": "gzip"}, 413, "64"),
    (gzip.compress(b"x" * 999, mtime=0)[:20], PROTOBUF, {"Content_Encoding": "gzip"}, 400, "cut"),
    (b"no gzip", PROTOBUF, {"Content_Encoding": "gzip"}, 400, "gzip"),
    (b"x", PROTOBUF, {"Content_Encoding": "br"}, 415, "br"),
    (bytes(17 * 1024**2), PROTOBUF, {}, 413, "INGEST_MAX_BODY_BYTES"),
]


@pytest.mark.parametrize(
    ("body", "form", "headers", "status", "said"), BAD, ids=lambda x: str(x)[:30]
)
def test_a_bad_request_is_told_why_in_its_own_encoding_and_counted(
    sender: Sender,
    environment: Environment,
    body: bytes,
    form: str,
    headers: dict[str, str],
    status: int,
    said: str,
) -> None:
    response = sender.post("/v1/traces", body, form, **headers)
    assert response.status_code == status
    assert response["Content-Type"] == form
    if form == PROTOBUF:
        message = Status.FromString(response.content).message
    else:
        message = json.loads(response.content)["message"]
    assert said in message
    refused = Refusal.objects.get(environment=environment)
    assert (refused.what, refused.count) == ("request", 1)
    assert said in refused.example


def test_a_bad_part_is_set_aside_and_the_rest_of_the_batch_kept(
    sender: Sender, environment: Environment
) -> None:
    now = time.time_ns()
    spans = [
        otlp.span({"good": 1}),
        otlp.span({"huge": "x" * 10_000_000, "kept": 1}, own="1" * 16),
        otlp.span({f"a{i}": i for i in range(5000)}, own="2" * 16),
        otlp.span(own="3" * 16, at_ns=now + 3 * 365 * 86_400 * 10**9),
        otlp.span(own="4" * 16, at_ns=now - 3 * 365 * 86_400 * 10**9),
        otlp.span({"n": float("inf")}, own="5" * 16),
        otlp.span(own="zz"),
        otlp.span({"": "no name"}, own="6" * 16),
    ]
    body = json.dumps(otlp.traces(*spans)).encode()
    response = sender.post("/v1/traces", body)
    assert response.status_code == 200
    told = json.loads(response.content)["partialSuccess"]
    assert told["rejectedSpans"] == "4"
    for word in ("INGEST_MAX_AHEAD_MINUTES", "INGEST_MAX_ATTRIBUTES", "INGEST_MAX_VALUE_BYTES"):
        assert word in told["errorMessage"]
    assert count(environment) == 4
    assert count(environment, kept=1) == 1
    counted = dict(Refusal.objects.values_list("reason", "count"))
    assert counted == {
        "time_out_of_range": 2, "too_many_attributes": 1, "malformed_span": 1,
        "value_too_large": 1, "not_a_finite_number": 1, "unusable_name": 1,
        "json_not_strict": 1,
    }  # fmt: skip


def test_protobuf_is_told_its_partial_success(sender: Sender) -> None:
    bad = otlp.as_protobuf(otlp.traces(otlp.span(at_ns=10**9), otlp.span()))
    response = sender.post("/v1/traces", bad, PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert partial.rejected_spans == 1
    assert "INGEST_MAX_AGE_DAYS" in partial.error_message


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/api/v1/events"])
def test_a_wrong_key_is_401(path: str, server_key: str, api_token: str) -> None:
    for key in ("wrong", "", server_key, api_token):
        assert Sender(key).post(path, [{"service": "a"}]).status_code == 401


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/api/v1/events"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])
def test_other_methods_are_405(path: str, method: str, ingest_key: str) -> None:
    headers = {"Authorization": f"Bearer {ingest_key}"}
    response = Client().generic(method, path, b"", content_type=JSON, headers=headers)
    assert response.status_code == 405
    assert response["Allow"] == "POST"


@pytest.mark.parametrize("header", ["X-API-Key", "X-Honeycomb-Team"])
def test_keys_come_in_three_headers(header: str, ingest_key: str) -> None:
    body = orjson.dumps([{"service": "a"}])
    response = Client().post(
        "/api/v1/events", body, content_type=JSON, headers={header: ingest_key}
    )
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/api/v1/events"])
def test_a_store_that_is_away_is_503_so_that_clients_try_again(
    sender: Sender, settings: Any, path: str
) -> None:
    settings.EVENTS_URL = "http://flipscope:x@127.0.0.1:9/default"
    body: Any = [{"service": "a"}]
    if path != "/api/v1/events":
        record = {"timeUnixNano": str(time.time_ns())}
        body = numbered(1) if path == "/v1/traces" else otlp.logs(record)
    began = time.monotonic()
    response = sender.post(path, body)
    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert time.monotonic() - began < 3
    assert Refusal.objects.get().reason == "store_unavailable"


def test_the_data_page_knows_what_arrived_and_what_was_refused(
    sender: Sender, environment: Environment
) -> None:
    items = [
        {"service": "shop", "user_id": "ada", "build_id": "b1", "flags": {"F": "on", "G": None}},
        {"service": "shop"},
        {"service": "jobs"},
        {},
    ]
    sender.post("/api/v1/events", items, User_Agent="curl/8.1 x")
    since = Arrival.objects.earliest("minute").minute
    found = refusals.overview(environment.id, since)
    assert [(one.name, one.form, one.client, one.events) for one in found.services] == [
        ("shop", "events, json", "curl/8.1", 2),
        ("jobs", "events, json", "curl/8.1", 1),
    ]
    assert (found.services[0].user_share, found.services[0].exposures) == (0.5, 1)
    assert (found.has_users, found.has_builds, found.has_flags) == (True, True, True)
    told = {(one.what, one.reason): one.count for one in found.refused}
    assert told == {("event", "malformed"): 1, ("exposure", "placeless"): 1}


def test_the_delay_is_that_of_a_usual_minute(environment: Environment) -> None:
    """Last week's events, sent at once, are no delay."""
    for minute, events, lag_s in ((1, 100, 2), (2, 90, 4), (3, 9000, 604_800)):
        Arrival.objects.create(
            environment=environment, minute=DAY_AGO + timedelta(minutes=minute), service="shop",
            events=events, lag_ms=events * lag_s * 1000,
        )  # fmt: skip
    (service,) = refusals.overview(environment.id, DAY_AGO).services
    assert service.lag_s == 4


@pytest.mark.django_db(transaction=True)
def test_counts_of_an_environment_that_is_gone_cost_no_others_counts(
    sender: Sender, environment: Environment
) -> None:
    assert sender.post("/api/v1/events", [{"service": "shop"}]).status_code == 200
    (key,) = refusals._arrivals
    refusals._arrivals[environment.id + 1000, *key[1:]] = [1] * 6
    refusals.flush()
    assert Arrival.objects.get().environment_id == environment.id
