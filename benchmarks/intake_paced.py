"""Events at a pace, and what is asked meanwhile: for benchmarks.intake.

Each batch has a time of its own by the clock. A sender that was held up sends the next ones at
once, so that the pace is kept as long as the other side can.
"""

import gzip
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests

from benchmarks.ingest_100k import blocks_of
from tests.faults.endurance import EMAIL, PAGES, PASSWORD, _memory_mib
from tests.faults.traffic import Reader
from tests.stack.processes import Up

BATCH, SENDERS = 1000, 4
BULK = 10_000  # rows of one insert of the engine's own
PACKED = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
READY_S = 5.0  # from the start of the senders to the first batch
ASKED_S, BEFORE_S, AROUND_S = 20.0, 5.0, 10.0
TENTHS = 10
MORE = 1.01  # asked of the senders, so that the last answers are in when the minutes end
QUERIES: dict[str, dict[str, Any]] = {
    "count by route": {"breakdowns": ["route"]},
    "p95 by build": {
        "calculations": [{"op": "P95", "column": "duration_ms"}], "breakdowns": ["build_id"],
    },
    "an attribute": {"breakdowns": ["app.text_3"], "limit": 10},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """Of each batch: when it was acknowledged, and how long after its time."""

    at: list[float]
    late_s: list[float]
    again: int = 0


def send(url: str, key: str, bodies: list[bytes], due: list[tuple[int, float]]) -> Answered:
    """Posts batch n at its time on the machine's clock, again and again until it is taken."""
    session = requests.Session()
    session.headers.update({"X-API-Key": key, **PACKED})
    found = Answered([], [])
    again = 0
    for number, when in due:
        # An empty ResourceSpans after the others, as a gzip member, makes each body another one.
        body = bodies[number % len(bodies)] + gzip.compress(
            b"\x0a\x06\x1a\x04" + number.to_bytes(4), 1
        )
        time.sleep(max(when - time.monotonic(), 0))
        while (answer := session.post(url, data=body, timeout=60)).status_code != 200:
            assert answer.status_code in (429, 503), answer.content[:300]
            again += 1
            time.sleep(0.5)
        found.at.append(time.monotonic())
        found.late_s.append(found.at[-1] - when)
    return Answered(found.at, found.late_s, again)


def straight(events_url: str, blocks: list[bytes], due: list[float]) -> None:
    """The engine's own insert of a block at each of these times, into a table of its own."""
    import clickhouse_connect

    from events.store import event_columns

    client = clickhouse_connect.get_client(dsn=events_url, autogenerate_session_id=False)
    client.command("CREATE TABLE floor AS events")
    for number, when in enumerate(due):
        time.sleep(max(when - time.monotonic(), 0))
        client.raw_insert(
            "floor", event_columns.COLUMNS, blocks[number % len(blocks)], fmt="Native",
            settings={"async_insert": 0},
        )  # fmt: skip
    client.command("DROP TABLE floor")


def times(start: float, seconds: float, per_second: float) -> list[float]:
    """When each of so many a second is due."""
    return [start + number / per_second for number in range(int(seconds * per_second))]


def queried(up: Up, token: str, seconds: float) -> dict[str, float]:
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
                url, json=spec, headers={"Authorization": f"Bearer {token}"}, timeout=60
            )
            assert response.status_code == 200, response.text[:300]
            took[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(each)) for name, each in took.items()}


def beside(up: Up, boot: dict[str, Any], bodies: list[bytes], per_second: float) -> None:
    """Queries idle, beside the intake, beside the engine's own inserts of as many rows, and idle.

    What comes in is another environment's, so that the same rows are asked throughout.
    """
    url, events_url = up.addresses()["WEB_URL"] + "/v1/traces", up.addresses()["EVENTS_URL"]
    seconds = BEFORE_S + ASKED_S
    blocks = blocks_of(bodies, BULK, "Native")

    def intake() -> None:
        paced(url, boot["other_key"], bodies, seconds, per_second)

    def floor() -> None:
        with ProcessPoolExecutor(1) as pool:
            due = times(time.monotonic() + READY_S, seconds, per_second / BULK)
            pool.submit(straight, events_url, blocks, due).result()

    def told(what: str, found: dict[str, float]) -> None:
        print(f"queries {what}, median ms: {found}", flush=True)

    told("idle", queried(up, boot["token"], AROUND_S))
    rate = f"{per_second:,.0f} events/s"
    told(f"while {rate} come in", _during(intake, up, boot["token"]))
    time.sleep(AROUND_S)
    told(f"while the engine alone is given {rate}", _during(floor, up, boot["token"]))
    time.sleep(AROUND_S)
    told("idle again", queried(up, boot["token"], AROUND_S))


def _during(load: Callable[[], None], up: Up, token: str) -> dict[str, float]:
    loaded = threading.Thread(target=load, daemon=True)
    loaded.start()
    time.sleep(READY_S + BEFORE_S)
    found = queried(up, token, ASKED_S)
    loaded.join()
    return found


def paced(
    url: str, key: str, bodies: list[bytes], seconds: float, per_second: float
) -> tuple[float, list[Answered]]:
    """From several processes; (when the first batch was due, what each process heard)."""
    with ProcessPoolExecutor(SENDERS) as pool:
        start = time.monotonic() + READY_S
        due = list(enumerate(times(start, seconds, per_second / BATCH)))
        told = [
            pool.submit(send, url, key, bodies, due[place::SENDERS]) for place in range(SENDERS)
        ]
        return start, [one.result() for one in told]


def sustained(up: Up, key: str, bodies: list[bytes], minutes: float, per_second: float) -> None:
    """Sends at a rate while pages are read and memory is watched."""
    memory: list[int] = []  # MiB of the web process and its workers
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(5):
            memory.append(_memory_mib(up))

    threading.Thread(target=watch, daemon=True).start()
    url, seconds = up.addresses()["WEB_URL"], minutes * 60
    with Reader(url, EMAIL, PASSWORD, PAGES) as reader:
        start, heard = paced(f"{url}/v1/traces", key, bodies, seconds, per_second * MORE)
    stop.set()
    rate, least = _rates(start, seconds, heard)
    late = max(max(one.late_s) for one in heard)
    held = "held" if rate >= per_second else "NOT HELD"
    print(
        f"acknowledged in {seconds:.0f} s: {rate:,.0f} events/s, in the slowest tenth of it "
        f"{least:,.0f}, of {per_second:,.0f} asked: {held}; "
        f"the latest answer {late:.1f} s after its batch was due, told to come again "
        f"{sum(one.again for one in heard)} times; pages {dict(reader.statuses)}, slowest "
        f"{reader.slowest_s:.1f} s; web memory, the most in each tenth of the time: "
        f"{[int(part.max()) for part in np.array_split(memory, TENTHS) if len(part)]} MiB",
        flush=True,
    )


def _rates(start: float, seconds: float, heard: Sequence[Answered]) -> tuple[float, float]:
    """Events acknowledged a second, over all of the time and in the slowest tenth of it."""
    at = sorted(itertools.chain.from_iterable(one.at for one in heard))
    tenth = seconds / 10
    counts = [0] * 10
    for one in at:
        if one < start + seconds:
            counts[int((one - start) / tenth)] += BATCH
    return sum(counts) / seconds, min(counts) / tenth
