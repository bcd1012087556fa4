"""The intake over HTTP: each format beside the engine's bulk insert, sustained, and while queried.

    python -m benchmarks.intake [--events 100000] [--minutes 5] [--rate 10000]

Starts a stack of its own and takes about nine minutes. Prints: events/s of each format, 1,000
events of 50 attributes a batch, gzip, and of the engine's own bulk insert of the same rows in the
same run; the CPU that each process took for it; what is sustained at a rate while pages are read,
with the web process's memory; and query times while half of that comes in, beside the same queries
idle. `benchmarks.decoding` has the CPU by stage, which a busy machine changes less.
"""

import argparse
import contextlib
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import orjson
import requests

from benchmarks.ingest_100k import _set, straight
from tests.faults.endurance import EMAIL, PAGES, PASSWORD, _memory_mib
from tests.faults.traffic import Reader
from tests.stack.processes import GIVEN, ROOT, Up, free_port

BATCH, SENDERS = 1000, 4
QUERIES: dict[str, dict[str, Any]] = {
    "count by route": {"breakdowns": ["route"]},
    "p95 by build": {
        "calculations": [{"op": "P95", "column": "duration_ms"}], "breakdowns": ["build_id"],
    },
    "an attribute": {"breakdowns": ["app.text_3"], "limit": 10},
}  # fmt: skip


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


def send(url: str, content_type: str, key: str, bodies: list[bytes], pause_s: float = 0) -> int:
    """Posts each body until it is taken; returns how often it was told to come again."""
    session, again = requests.Session(), 0
    headers = {"X-API-Key": key, "Content-Type": content_type, "Content-Encoding": "gzip"}
    due = time.monotonic()
    for body in bodies:
        while True:
            response = session.post(url, data=body, headers=headers, timeout=60)
            if response.status_code == 200:
                break
            assert response.status_code in (429, 503), response.content[:300]
            again += 1
            time.sleep(0.5)
        due += pause_s
        time.sleep(max(due - time.monotonic(), 0))
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


def queried(up: Up, boot: dict[str, Any], seconds: float) -> dict[str, float]:
    """The median time of each query, in milliseconds, asked in turn."""
    url = f"{up.addresses()['WEB_URL']}/api/v1/projects/acme/environments/production/query"
    took: dict[str, list[float]] = {name: [] for name in QUERIES}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, query in QUERIES.items():
            # Windows differ, so that no cache answers.
            spec = {**query, "time_range": 3600 + int(time.monotonic() * 1000) % 997}
            began = time.perf_counter()
            response = requests.post(
                url, json=spec, headers={"Authorization": f"Bearer {boot['token']}"}, timeout=60
            )
            assert response.status_code == 200, response.text[:300]
            took[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(each)) for name, each in took.items()}


def sustained(
    up: Up, boot: dict[str, Any], bodies: list[bytes], minutes: float, per_second: float
) -> None:
    """Sends at a rate from several processes while pages are read and memory is watched."""
    url, key = up.addresses()["WEB_URL"], boot["ingest_key"]
    batches = int(minutes * 60 * per_second / BATCH)
    # An empty ResourceSpans after the others, as a gzip member, makes each body another one.
    fresh = [
        bodies[n % len(bodies)] + gzip.compress(b"\x0a\x06\x1a\x04" + n.to_bytes(4), 1)
        for n in range(batches)
    ]
    memory: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(5):
            memory.append(_memory_mib(up))

    threading.Thread(target=watch, daemon=True).start()
    pause_s = SENDERS * BATCH / per_second
    began = time.perf_counter()
    with Reader(url, EMAIL, PASSWORD, PAGES) as reader, ProcessPoolExecutor(SENDERS) as pool:
        shares = [fresh[place::SENDERS] for place in range(SENDERS)]
        path, content_type, _ = FORMATS["OTLP protobuf"]
        told = [
            pool.submit(send, url + path, content_type, key, share, pause_s) for share in shares
        ]
        again = sum(one.result() for one in told)
    took = time.perf_counter() - began
    stop.set()
    print(
        f"sustained for {took:.0f} s: {batches * BATCH / took:,.0f} events/s of {per_second:,.0f} "
        f"asked ({again} times told to come again); pages {dict(reader.statuses)}, slowest "
        f"{reader.slowest_s:.1f} s; web memory {memory[:1]} … {memory[-1:]} MiB, most "
        f"{max(memory, default=0)}",
        flush=True,
    )


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
    return {**answer["environments"]["production"], "token": answer["api_token"]}


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
            print(f"queries idle, median ms: {queried(up, boot, 10)}", flush=True)
            loaded = threading.Thread(
                target=sustained, args=(up, boot, bodies, 0.5, first / 2), daemon=True
            )
            loaded.start()
            time.sleep(5)
            print(f"the same at half the rate, median ms: {queried(up, boot, 20)}", flush=True)
            loaded.join()
            sustained(up, boot, bodies, options.minutes, options.rate)
        finally:
            up.stop()


if __name__ == "__main__":
    main()
