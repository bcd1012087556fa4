"""100,000 events of 30 attributes through OTLP/HTTP: accepted = stored, and how fast.

    python benchmarks/ingest_100k.py --url http://127.0.0.1:8000 --project acme \\
        --environment production --ingest-key fs_ingest_… --token fs_api_…

Sends from several processes as collectors do, counts by a query, sends the first batch again and
counts once more; then hands the same rows straight to the engine, in the same run.
"""

import argparse
import gzip
import os
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import orjson
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ATTRIBUTES = 30


def batch(number: int, size: int, service: str) -> bytes:
    """An ExportTraceServiceRequest of server spans with 30 attributes each."""
    request = ExportTraceServiceRequest()
    within = request.resource_spans.add()
    _set(within.resource.attributes, {"service.name": service, "service.version": "b1"})
    spans = within.scope_spans.add().spans
    now = time.time_ns()
    for place in range(size):
        span = spans.add()
        span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
        span.name, span.kind = "GET /export", 2
        span.start_time_unix_nano, span.end_time_unix_nano = now - 7_000_000, now
        named: dict[str, Any] = {
            "http.request.method": "GET",
            "http.route": "/export",
            "http.response.status_code": 200 if place % 10 else 402,
            "user.id": f"u{(number * size + place) % 5000}",
        }
        named |= {f"app.text_{i}": f"value {(place + i) % 40}" for i in range(15)}
        named |= {f"app.count_{i}": place * i for i in range(6)}
        named |= {f"app.share_{i}": place / (i + 3) for i in range(3)}
        named |= {f"app.is_{i}": place % (i + 2) == 0 for i in range(2)}
        assert len(named) == ATTRIBUTES
        _set(span.attributes, named)
    body: bytes = request.SerializeToString()
    return body


def _set(pairs: Any, named: dict[str, Any]) -> None:
    kinds = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}
    for key, value in named.items():
        pair = pairs.add(key=key)
        setattr(pair.value, kinds[type(value)], value)


def send(url: str, key: str, bodies: list[bytes]) -> int:
    """Posts each body as an exporter would, trying again on 503; returns how many were taken."""
    session = requests.Session()
    session.headers.update(
        {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
        }
    )
    taken = 0
    for body in bodies:
        for _ in range(5):
            response = session.post(f"{url}/v1/traces", data=body, timeout=30)
            if response.status_code != 503:
                break
            time.sleep(float(response.headers["Retry-After"]))
        assert response.status_code == 200, (response.status_code, response.content[:300])
        taken += not response.content
    return taken


def blocks_of(bodies: list[bytes], rows: int, shape: str) -> list[bytes]:
    """The same events as the engine takes them, written already, so many rows at once."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from events.store import event_columns
    from events.wire.otlp_protobuf import traces

    events = [one for body in bodies for one in traces(gzip.decompress(body)).events]
    shares = [events[at : at + rows] for at in range(0, len(events), rows)]
    if shape == "Native":
        return [event_columns.block(1, 0, 1, share) for share in shares]
    return [b"\n".join(map(json_row, share)) for share in shares]


def straight(bodies: list[bytes], url: str, shape: str = "JSONCompactEachRow") -> float:
    """Seconds that the engine takes for the same rows, already written in a format, in 10,000s."""
    import clickhouse_connect

    blocks = blocks_of(bodies, 10_000, shape)
    from events.store import event_columns

    client = clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False)
    table = f"bulk_{os.getpid()}"
    client.command(f"CREATE TABLE {table} AS events")
    began = time.perf_counter()
    for block in blocks:
        client.raw_insert(
            table, event_columns.COLUMNS, block, fmt=shape, settings={"async_insert": 0}
        )
    took = time.perf_counter() - began
    assert client.command(f"SELECT count() FROM {table}")
    client.command(f"DROP TABLE {table}")
    return took


def json_row(event: Any) -> bytes:
    """An event as a row of JSONCompactEachRow."""
    return orjson.dumps((1, 0, time.time(), event[0] / 1e6, *event[1:5], str(event[5]), *event[6:]))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("--url", "--project", "--environment", "--ingest-key", "--token"):
        asked.add_argument(name, required=True)
    asked.add_argument("--events", type=int, default=100_000)
    asked.add_argument("--batch", type=int, default=1000)
    asked.add_argument("--senders", type=int, default=4)
    asked.add_argument("--events-url", default=os.environ.get("EVENTS_URL"))
    options = asked.parse_args()
    service = f"bench-{os.getpid()}"
    batches = options.events // options.batch
    bodies = [gzip.compress(batch(n, options.batch, service), 1) for n in range(batches)]

    def count() -> int:
        response = requests.post(
            f"{options.url}/api/v1/projects/{options.project}/environments/"
            f"{options.environment}/query",
            json={"filters": [{"column": "service", "op": "=", "value": service}]},
            headers={"Authorization": f"Bearer {options.token}"},
            timeout=30,
        )
        return int(response.json()["results"][0]["data"]["COUNT"])

    began = time.perf_counter()
    with ProcessPoolExecutor(options.senders) as pool:
        shares = [bodies[place :: options.senders] for place in range(options.senders)]
        keys = [options.ingest_key] * options.senders
        taken = sum(pool.map(send, [options.url] * options.senders, keys, shares))
    took = time.perf_counter() - began
    stored = count()
    print(f"accepted {taken * options.batch:,} stored {stored:,}")
    print(f"OTLP/HTTP, {options.senders} senders, {options.batch} a batch: {stored / took:,.0f}/s")
    assert taken == batches
    assert stored == batches * options.batch
    send(options.url, options.ingest_key, bodies[:3])
    assert count() == stored
    print("three batches sent again: still", f"{stored:,}")
    if options.events_url:
        bulk = straight(bodies, options.events_url)
        print(f"the engine's own bulk insert of these rows: {stored / bulk:,.0f}/s")
        print(f"OTLP/HTTP is {bulk / took:.0%} of it")


if __name__ == "__main__":
    main()
