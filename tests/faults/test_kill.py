"""Kill -9 of each process in turn while events arrive: what was acknowledged is there."""

import json
import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import clickhouse_connect
import pytest

from tests.stack.processes import Up, free_port, ingest_key, left, until

pytestmark = pytest.mark.stack

SEED = 20261124
BATCH = 20
PROGRAMS = ("postgres", "valkey", "engine", "web", "worker", "beat")


class Sender:
    """A client that posts batches without pause and keeps what was acknowledged.

    A batch is sent once: an answer that a kill cut off may or may not have been stored.
    """

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url}/api/v1/events"
        self._key = key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.acknowledged: set[str] = set()
        self.failed = 0

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.02):
            batch = [f"event-{number + place}" for place in range(BATCH)]
            number += BATCH
            try:
                if self._post(batch) == BATCH:
                    self.acknowledged.update(batch)
            except (OSError, ValueError):
                self.failed += 1
                self._stop.wait(0.1)

    def _post(self, batch: list[str]) -> int:
        now = datetime.now(UTC).isoformat()
        events = [
            {"time": now, "service": "shop", "name": "GET /", "duration_ms": 1.5, "user_id": name}
            for name in batch
        ]
        request = urllib.request.Request(
            self._url,
            data=json.dumps(events).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return int(json.load(answer)["accepted"])


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    port = free_port()
    run = Up(tmp_path / "data", "--port", str(port))
    try:
        yield run.ready()
    finally:
        status = run.stop()
    assert status == 0
    assert left(tmp_path / "data") == {}


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_every_acknowledged_event_survives_the_kill_of_each_process(up: Up) -> None:
    url = up.addresses()["WEB_URL"]
    order = list(PROGRAMS)
    random.Random(SEED).shuffle(order)
    with Sender(url, ingest_key(up.data, "ada@acme.example", "correct-horse-battery")) as sender:
        for name in order:
            before = len(sender.acknowledged)
            until(lambda mark=before: len(sender.acknowledged) > mark, 30)
            pid = up.pids()[name]
            os.kill(pid, signal.SIGKILL)
            until(lambda name=name, pid=pid: up.pids().get(name, pid) != pid, 30)
            until(lambda: _healthy(url), 30)
            after = len(sender.acknowledged)
            until(lambda mark=after: len(sender.acknowledged) > mark, 30)
        time.sleep(0.2)
    events = clickhouse_connect.get_client(dsn=up.addresses()["EVENTS_URL"], compress=False)
    stored = {row[0] for row in events.query("SELECT user_id FROM events").result_rows}
    lost = sender.acknowledged - stored
    assert len(sender.acknowledged) > len(order) * BATCH
    assert not lost, f"{len(lost)} of {len(sender.acknowledged)} acknowledged events are lost"


def test_a_killed_web_worker_is_started_again(up: Up) -> None:
    url = up.addresses()["WEB_URL"]
    main = up.pids()["web"]
    children = Path(f"/proc/{main}/task/{main}/children")
    before = {int(pid) for pid in children.read_text().split()}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not before & {int(pid) for pid in children.read_text().split()}, 10)
    until(lambda: _healthy(url), 60)
    assert up.pids()["web"] == main
