"""The intake over HTTP: each format beside the engine's bulk insert, sustained, and while queried.

    python -m benchmarks.intake [--events 100000] [--minutes 5] [--rate 10000]

Starts a stack of its own and takes about nine minutes. Prints: events/s of each format, 1,000
events of 50 attributes a batch, gzip, and of the engine's own bulk insert of the same rows in the
same run; the CPU that each process took for it; query times idle, while half of the first rate
comes in, and while the engine alone is given as many rows (the floor); and what is sustained at a
rate while pages are read, with the web process's memory. `benchmarks.decoding` has the CPU by
stage, which a busy machine changes less.
"""

import argparse
import contextlib
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import orjson
import requests

from benchmarks import intake_paced
from benchmarks.ingest_100k import _set, straight
from tests.faults.endurance import EMAIL, PASSWORD
from tests.stack.processes import GIVEN, ROOT, Up, free_port

BATCH, SENDERS = intake_paced.BATCH, intake_paced.SENDERS


def named(number: int) -> dict[str, Any]:
    """The 50 attributes of an event: 30 texts, 12 integers, 5 numbers, 3 booleans."""
    found: dict[str, Any] = {"http.request.method": "GET", "http.route": f"/r{number % 30}"}
    found |= {"user.id": f"u{number % 5000}", "http.response.status_code": 200}
    found |= {f"app.text_{i}": f"value {(number + i) % 40}" for i in range(27)}
    found |= {f"app.count_{i}": number * i for i in range(11)}
    found |= {f"app.share_{i}": number / (i + 3) for i in range(5)}
    found |= {f"app.is_{i}": number % (i + 2) == 0 for i in range(3)}
    assert len(found) == 50
    return found


def otlp_protobuf(start: int) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    within = request.resource_spans.add()
    _set(within.resource.attributes, {"service.name": "bench", "service.version": "b1"})
    spans, now = within.scope_spans.add().spans, time.time_ns()
    for number in range(start, start + BATCH):
        span = spans.add(name="GET", kind=2, trace_id=os.urandom(16), span_id=os.urandom(8))
        span.start_time_unix_nano, span.end_time_unix_nano = now - 7_000_000, now
        _set(span.attributes, named(number))
    body: bytes = request.SerializeToString()
    return body


def otlp_json(start: int) -> bytes:
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    now = time.time_ns()
    spans = [
        {
            "traceId": os.urandom(16).hex(), "spanId": os.urandom(8).hex(), "name": "GET",
            "kind": 2, "startTimeUnixNano": str(now - 7_000_000), "endTimeUnixNano": str(now),
            "attributes": [
                {"key": key, "value": {kinds[type(value)]: value}}
                for key, value in named(number).items()
            ],
        }
        for number in range(start, start + BATCH)
    ]  # fmt: skip
    resource = [{"key": "service.name", "value": {"stringValue": "bench"}}]
    whole = {"resource": {"attributes": resource}, "scopeSpans": [{"spans": spans}]}
    return orjson.dumps({"resourceSpans": [whole]})


def plain(start: int) -> bytes:
    now = datetime.now(UTC).isoformat()
    return orjson.dumps(
        [
            {"service": "bench", "time": now, "duration_ms": 7, **named(number)}
            for number in range(start, start + BATCH)
        ]
    )


def _honeycomb(start: int) -> list[dict[str, Any]]:
    now = datetime.now(UTC).isoformat()
    return [
        {"time": now, "data": {"service.name": "bench", "duration_ms": 7, **named(number)}}
        for number in range(start, start + BATCH)
    ]


FORMATS: dict[str, tuple[str, str, Callable[[int], bytes]]] = {
    "OTLP protobuf": ("/v1/traces", "application/x-protobuf", otlp_protobuf),
    "OTLP JSON": ("/v1/traces", "application/json", otlp_json),
    "plain JSON": ("/api/v1/events", "application/json", plain),
    "Honeycomb JSON": ("/1/batch/bench", "application/json",
                       lambda start: orjson.dumps(_honeycomb(start))),
    "Honeycomb msgpack": ("/1/batch/bench", "application/msgpack",
                          lambda start: msgpack.packb(_honeycomb(start))),
}  # fmt: skip


def send(url: str, content_type: str, key: str, bodies: list[bytes]) -> int:
    """Posts each body until it is taken; returns how often it was told to come again."""
    session, again = requests.Session(), 0
    headers = {"X-API-Key": key, "Content-Type": content_type, "Content-Encoding": "gzip"}
    for body in bodies:
        while True:
            response = session.post(url, data=body, headers=headers, timeout=60)
            if response.status_code == 200:
                break
            assert response.status_code in (429, 503), response.content[:300]
            again += 1
            time.sleep(0.5)
    return again


def tree(root: int) -> set[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = {root}, [root]
    while waiting:
        new = children.get(waiting.pop(), [])
        found.update(new)
        waiting += new
    return found


def cpu_s(up: Up) -> dict[str, float]:
    """CPU time so far of web, engine, and of what else the stack runs."""
    ticks = os.sysconf("SC_CLK_TCK")
    totals: dict[str, float] = dict.fromkeys(("web", "engine", "the rest"), 0.0)
    named = {pid: name for name in ("web", "engine") for pid in tree(up.pids()[name])}
    for pid in tree(up.process.pid) | named.keys():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            totals[named.get(pid, "the rest")] += (int(fields[11]) + int(fields[12])) / ticks
    return totals


def rate(up: Up, boot: dict[str, Any], form: str, events: int) -> tuple[float, list[bytes]]:
    """Events a second from several senders at once, and the bodies sent."""
    path, content_type, make = FORMATS[form]
    bodies = [gzip.compress(make(start), 1) for start in range(0, events, BATCH)]
    url, key = up.addresses()["WEB_URL"] + path, boot["ingest_key"]
    with ProcessPoolExecutor(SENDERS) as pool:
        warm = [gzip.compress(make(-BATCH), 1) for _ in range(SENDERS)]
        list(pool.map(send, [url] * SENDERS, [content_type] * SENDERS, [key] * SENDERS,
                      [[one] for one in warm]))  # fmt: skip
        before = cpu_s(up)
        began = time.perf_counter()
        shares = [bodies[place::SENDERS] for place in range(SENDERS)]
        told = [pool.submit(send, url, content_type, key, share) for share in shares]
        again = sum(one.result() for one in told)
        took = time.perf_counter() - began
        after = cpu_s(up)
    spent = {name: round((after[name] - before[name]) / events * 1e6) for name in after}
    print(
        f"{form}: {events / took:,.0f} events/s ({again} times told to come again); "
        f"ms of CPU for 1,000 events {spent}",
        flush=True,
    )
    return events / took, bodies


def bootstrapped(data: Path) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "bootstrap", "--project", "acme", "--email", EMAIL]
    done = subprocess.run(
        [*command, "--password", PASSWORD, "--data", str(data)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in GIVEN},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    environments = answer["environments"]
    return {
        **environments["production"],
        "other_key": environments["staging"]["ingest_key"],
        "token": answer["api_token"],
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    asked.add_argument("--events", type=int, default=100_000)
    asked.add_argument("--minutes", type=float, default=5)
    asked.add_argument("--rate", type=float, default=10_000)
    options = asked.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="fs-intake-") as folder:
        up = Up(Path(folder) / "data", "--port", str(free_port())).ready()
        try:
            boot = bootstrapped(up.data)
            first, bodies = rate(up, boot, "OTLP protobuf", options.events)
            for form in list(FORMATS)[1:]:
                rate(up, boot, form, options.events // 2)
            time.sleep(10)  # what came in is merged
            for shape in ("JSONCompactEachRow", "Native"):
                bulk = options.events / straight(bodies, up.addresses()["EVENTS_URL"], shape)
                print(
                    f"the engine's bulk insert of the protobuf's rows, {shape}: {bulk:,.0f} "
                    f"events/s; OTLP protobuf over HTTP is {first / bulk:.0%} of it",
                    flush=True,
                )
            intake_paced.beside(up, boot, bodies, first / 2)
            intake_paced.sustained(up, boot["ingest_key"], bodies, options.minutes, options.rate)
        finally:
            up.stop()


if __name__ == "__main__":
    main()
