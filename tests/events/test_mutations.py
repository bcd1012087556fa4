"""Broken requests of every format: below 500, quick, bounded. The long run is `make fuzz`."""

import gzip
import json
import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
import zstandard
from django.test import Client
from hypothesis import given, settings, strategies

from events.event import DecodeError
from events.wire import exposures_json, honeycomb, otlp_json, otlp_protobuf, plain
from tests.events import mutations, otlp
from tests.events.mutations import JSON, MSGPACK

NOW_US = 1_795_600_000_000_000


def _honeycomb(packing: str) -> Callable[[bytes], Any]:
    return lambda body: honeycomb.batch(body, dataset="d", packing=packing, now_us=NOW_US, seed=b"")


DECODERS: dict[str, Callable[[bytes], Any]] = {
    "otlp traces, json": otlp_json.traces,
    "otlp logs, json": otlp_json.logs,
    "otlp traces, protobuf": otlp_protobuf.traces,
    "otlp logs, protobuf": otlp_protobuf.logs,
    "plain": lambda body: plain.decode(body, now_us=NOW_US, seed=b""),
    "exposures": lambda body: exposures_json.decode(body, now_us=NOW_US),
    "honeycomb, json": _honeycomb(JSON),
    "honeycomb, msgpack": _honeycomb(MSGPACK),
}


def test_mutated_requests_are_answered_below_500(
    ingest_key: str, environment: Any, event_store: None
) -> None:
    found = mutations.run(Client(raise_request_exception=False), ingest_key, 600, 20261125)
    assert not found.bad
    assert found.statuses[200] > 50
    assert found.statuses[400] > 50


json_like = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats()
    | strategies.text(max_size=20),
    lambda inner: strategies.lists(inner, max_size=4)
    | strategies.dictionaries(
        strategies.sampled_from(
            ["time", "service", "data", "samplerate", "flags", "flag", "variant", "user_id", "kind",
             "resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "stringValue",
             "traceId", "spanId", "resource", "scope", "events", "kvlistValue", "values", ""]
        ) | strategies.text(max_size=8),
        inner, max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS)
@settings(max_examples=150, derandomize=True)
@given(value=json_like, raw=strategies.binary(max_size=60), cut=strategies.integers(0, 60))
def test_decoders_raise_nothing_but_decode_error(
    decoder: str, value: Any, raw: bytes, cut: int
) -> None:
    bodies = [raw, json.dumps(value).encode(), json.dumps([value] * 2).encode()[:cut] + raw]
    for body in bodies:
        with suppress(DecodeError):
            DECODERS[decoder](body)


BOMBS = {
    "gzip zeros": ("/v1/traces", gzip.compress(bytes(100_000_000), 1), "gzip", 413),
    "zstd zeros": ("/v1/traces", zstandard.compress(bytes(100_000_000)), "zstd", 413),
    "gzip of gzip": (
        "/v1/traces", gzip.compress(gzip.compress(bytes(100_000_000), 1)), "gzip, gzip", 413,
    ),
    "empty lists": (
        "/api/v1/events", gzip.compress(b"[" + b"[]," * 20_000_000 + b"[]]", 1), "gzip", 400,
    ),
    "deep": ("/api/v1/events", gzip.compress(b"[" * 30_000_000, 1), "gzip", 400),
    "empty attributes": (
        "/v1/traces", gzip.compress(otlp.many_empty_attributes(30_000_000), 1), "gzip", 200,
    ),
    "empty spans": ("/v1/traces", gzip.compress(otlp.many_empty_spans(30_000_000), 1), "gzip", 400),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_stop_at_their_limit(
    bomb: str, ingest_key: str, environment: Any, event_store: None
) -> None:
    path, body, encoding, status = BOMBS[bomb]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    response = Client().post(
        path,
        body,
        content_type=JSON if path == "/api/v1/events" else mutations.PROTOBUF,
        headers={"X-API-Key": ingest_key, "Content-Encoding": encoding},
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert response.status_code == status, response.content[:200]
    assert grown < 700 * 1024, f"{grown // 1024} MiB more"


def test_a_batch_of_many_events_is_taken_whole(
    ingest_key: str, environment: Any, event_store: None
) -> None:
    body = orjson.dumps([{"service": "many", "n": n} for n in range(30_000)])
    response = Client().post(
        "/api/v1/events", body, content_type=JSON, headers={"X-API-Key": ingest_key}
    )
    assert orjson.loads(response.content)["accepted"] == 30_000
