"""Valid requests of every format, broken at random: for `make fuzz` and its short version.

    python -m tests.events.mutations --requests 1000000 --seed 1

Each mutated request goes through the whole intake but the store: it must be answered below 500,
within a second, and take no more memory than its bound.
"""

import argparse
import gzip
import json
import logging
import os
import random
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgpack
import orjson
import zstandard

from tests.events import otlp

JSON, PROTOBUF, MSGPACK = "application/json", "application/x-protobuf", "application/msgpack"
SLOW_S = 2.0
STRANGE = [
    b"NaN", b"-Infinity", b"1e999", b"9" * 30, b'"\\ud800"', b"\x00", b"null", b"[]", b"{}",
    b"\xff\xff\xff\xff\xff\x01", b"\x0a\xff", b"[" * 200, b'{"a":' * 200,
    b'"' + b"x" * 3000 + b'"',
    b"\xdd\xff\xff\xff\xff", b"\xc1", b"-1", b"1e-400", b"true", b'""', b"\\u0000",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    body: bytes
    content_type: str
    encoding: str = ""


@dataclass(slots=True)
class Found:
    """What came of many requests."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_mib: int = 0


def seeds() -> list[Request]:
    """One good request of each kind."""
    evaluated = [otlp.evaluation("F", "on"), otlp.evaluation("G", "x", name="feature_flag")]
    attributes = {
        "user.id": "ada", "http.route": "/a/{id}", "http.response.status_code": 200, "n": 1.5,
        "ok": True, "list": [1, "a"], "deep": {"a": {"b": 1}}, "sampleRate": 4,
    }  # fmt: skip
    traces = otlp.traces(otlp.span(attributes, events=evaluated), resource={"service.name": "s"})
    logs = otlp.logs(otlp.record("F", "on"), {"body": {"stringValue": "x"}, "timeUnixNano": "1"})
    plain = [
        {"service": "a", "time": "2026-11-24T10:00:00Z", "duration_ms": 5, "flags": {"F": "on"},
         "status_code": 402, "trace_id": "ab", "kind": "server", "sample_rate": 2, "x": [1]},
    ] * 3  # fmt: skip
    honey: list[dict[str, Any]] = [
        {"time": "2026-11-24T10:00:00.5Z", "samplerate": 2, "data": {"a": 1, "b": {"c": [1.5]}}},
        {"data": {"trace.trace_id": "a1", "name": "x", "error": "no", "flags.F": True}},
    ]
    told = [{"flag": "F", "variant": "on", "user_id": "u", "time": 1795514400}]
    deploy = {"service": "a", "build_id": "b", "time": "2026-11-24T10:00:00Z", "id": "x"}
    return [
        Request("/v1/traces", orjson.dumps(traces), JSON),
        Request("/v1/traces", otlp.as_protobuf(traces), PROTOBUF),
        Request("/v1/logs", orjson.dumps(logs), JSON),
        Request("/v1/logs", otlp.as_protobuf(logs), PROTOBUF),
        Request("/api/v1/events", orjson.dumps(plain), JSON),
        Request("/api/v1/events", b"\n".join(map(orjson.dumps, plain)), JSON),
        Request("/api/v1/exposures", orjson.dumps(told), JSON),
        Request("/1/batch/a%20b", orjson.dumps(honey), JSON),
        Request("/1/batch/ab", msgpack.packb(honey), MSGPACK),
        Request("/1/events/ab", orjson.dumps(honey[0]["data"]), JSON),
        Request("/1/markers/ab", orjson.dumps({"message": "m", "start_time": 1795514400}), JSON),
        Request("/api/v1/deploys", orjson.dumps(deploy), JSON),
    ]


def mutated(seed: Request, chance: random.Random, *, packed: bool = True) -> Request:
    """The request with a few changes: bytes, pieces, lengths, numbers, packing, content type."""
    body = bytearray(seed.body)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(body) + 1)
        kind = chance.randrange(7)
        if kind == 0 and body:
            body[min(at, len(body) - 1)] = chance.randrange(256)
        elif kind == 1:
            del body[at : at + chance.randrange(1, 40)]
        elif kind == 2:
            body[at:at] = chance.choice(STRANGE)
        elif kind == 3:
            piece = body[at : at + chance.randrange(1, 200)]
            body[at:at] = piece * chance.choice((1, 2, 50))
        elif kind == 4:
            body[at : at + chance.randrange(1, 12)] = chance.choice(STRANGE)
        elif kind == 5:
            del body[at:]
        else:
            body[at:at] = chance.randbytes(chance.randrange(1, 12))
    sent, encoding = bytes(body), ""
    if packed and chance.random() < 0.1:
        encoding = chance.choice(("gzip", "zstd", "deflate", "br", "gzip, gzip"))
        sent = gzip.compress(sent) if "gzip" in encoding else zstandard.compress(sent)
        if chance.random() < 0.5:
            sent = sent[: chance.randrange(len(sent) + 1)]
    types = (JSON, PROTOBUF, MSGPACK, "text/plain")
    content_type = chance.choice(types) if chance.random() < 0.05 else seed.content_type
    return Request(seed.path, sent, content_type, encoding)


def run(client: Any, key: str, requests: int, seed: int, found: Found | None = None) -> Found:
    """Sends mutated requests through Django; whatever raises or answers 5xx is noted."""
    found, chance, good = found or Found(), random.Random(seed), seeds()
    for _ in range(requests):
        request = mutated(chance.choice(good), chance)
        headers = {"X-Honeycomb-Team": key}
        if request.encoding:
            headers["Content-Encoding"] = request.encoding
        began = time.thread_time()  # a machine that is busy with other things says nothing of us
        try:
            response = client.post(
                request.path, request.body, content_type=request.content_type, headers=headers
            )
            status = response.status_code
        except Exception as error:
            status = 599
            found.bad.append(f"{type(error).__name__}: {error}"[:200])
        took = time.thread_time() - began
        found.requests += 1
        found.statuses[status] += 1
        found.slowest_s = max(found.slowest_s, took)
        if status >= 500 or took > SLOW_S:
            found.bad.append(f"{status} after {took:.2f} s: {request!r}"[:600])
    found.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


class Handler:
    """Requests straight to Django: its test client keeps something of each for good."""

    def __init__(self) -> None:
        from django.core.handlers.base import BaseHandler
        from django.test import RequestFactory
        from django.urls import get_resolver

        self._handler, self._factory = BaseHandler(), RequestFactory(SERVER_NAME="localhost")
        self._handler.load_middleware()
        get_resolver().url_patterns  # noqa: B018  # imported once, in no request's time

    def post(self, path: str, body: bytes, **named: Any) -> Any:
        return self._handler.get_response(self._factory.post(path, body, **named))


def _intake_without_store() -> str:
    """Starts the parts and the application in this process; returns an ingest key."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import tests.parts  # starts the parts

    assert tests.parts
    import django

    django.setup()
    from django.core.management import call_command

    from events.store import insert
    from projects.keys import mint
    from projects.models import Environment, Project

    call_command("migrate", verbosity=0)
    vars(insert)["_post"] = lambda *_args: None  # all but the store
    logging.disable(logging.ERROR)  # of a million refusals
    project = Project.objects.create(slug="fuzz", name="Fuzz")
    environment = Environment.objects.create(project=project, slug="production", name="P")
    return mint(environment, "ingest", name="fuzz", created_by="fuzz")[1]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    asked.add_argument("--requests", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    key = _intake_without_store()
    handler = Handler()
    found = Found()
    began = time.monotonic()
    while found.requests < options.requests:
        run(handler, key, 20_000, options.seed, found)
        options.seed += 1
        print(  # noqa: T201  # progress
            f"{found.requests:,} requests, {found.requests / (time.monotonic() - began):,.0f}/s, "
            f"{dict(sorted(found.statuses.items()))}, slowest {found.slowest_s:.2f} s, "
            f"peak {found.peak_mib} MiB, bad {len(found.bad)}",
            flush=True,
        )
        if found.bad:
            break
    print(json.dumps(found.bad[:10], indent=1))  # noqa: T201  # the report
    sys.exit(bool(found.bad))


if __name__ == "__main__":
    main()
