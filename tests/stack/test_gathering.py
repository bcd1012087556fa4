"""Small inserts that go together: once each, whatever fails, and again after a restart."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stack import gathering
from stack.gathering import Gathering, Marked, mark_of
from stack.lanes import EngineError, Lanes

SQL = "INSERT INTO g (batch, n)"
SHAPE = "JSONCompactEachRow"
MARKED = Marked("batch", "received")


class Counting(Lanes):
    """Lanes that remember the inserts, and take a moment over each."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder, 2 * 1024**3)
        self.inserts: list[bytes] = []
        self.rest_s = 0.05
        self.fail = self.fail_after = False
        self.asked: list[str] = []
        for pool in self._pools.values():
            for lane in list(pool.queue):
                self._wrap(lane)

    def _wrap(self, lane: Any) -> None:
        real = lane.insert

        def insert(sql: str, shape: str, data: bytes, settings: Any) -> Any:
            time.sleep(self.rest_s)
            if self.fail:
                raise EngineError("Code: 243. no space")
            self.inserts.append(data)
            answer = real(sql, shape, data, settings)
            if self.fail_after:
                raise EngineError("Code: 999. the connection to Keeper was lost")
            return answer

        asked = lane.read

        def read(sql: str, *rest: Any) -> Any:
            self.asked.append(sql)
            return asked(sql, *rest)

        lane.insert, lane.read = insert, read


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    """In a process of the tests chDB takes one folder, so the module shares it."""
    lanes = Counting(str(tmp_path_factory.mktemp("engine")))
    with lanes.lend(quick=True) as lane:
        lane._say(
            "CREATE TABLE g (batch UInt64, n Int64, received DateTime64(3) DEFAULT now64(3)) "
            "ENGINE MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000"
        )
    yield lanes
    lanes.close(1)


@pytest.fixture
def lanes(engine: Counting) -> Counting:
    with engine.lend(quick=True) as lane:
        lane._say("TRUNCATE TABLE g")
    engine.inserts.clear()
    engine.asked.clear()
    engine.rest_s, engine.fail, engine.fail_after = 0.05, False, False
    return engine


def rows(lanes: Lanes) -> list[int]:
    with lanes.lend(quick=True) as lane:
        answer = lane.read("SELECT n FROM g ORDER BY n", "TabSeparated", {}, {"max_threads": "1"})
    return [int(one) for one in answer.body.split()]


def send(gathered: Gathering, number: int, data: bytes | None = None, run: str = "") -> None:
    token = f"{run}t{number}"
    body = data or b"[%d, %d]" % (mark_of(token), number)
    settings = {"insert_deduplication_token": token, "async_insert": "0"}
    gathered.insert(SQL, SHAPE, body, settings, "day-1", MARKED)


def at_once(gathered: Gathering, numbers: Any, run: str) -> list[BaseException]:
    failed: list[BaseException] = []

    def one(number: int) -> None:
        try:
            send(gathered, number, run=run)
        except EngineError as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return failed


def test_what_arrives_while_an_insert_runs_goes_together(lanes: Counting) -> None:
    assert not at_once(Gathering(lanes), range(60), "a")
    assert rows(lanes) == list(range(60))
    assert len(lanes.inserts) < 10


def test_equal_tokens_at_once_and_later_count_once(lanes: Counting) -> None:
    gathered = Gathering(lanes)
    assert not at_once(gathered, [number % 10 for number in range(60)], "b")
    assert not at_once(gathered, range(10), "b")
    assert rows(lanes) == list(range(10))


def test_tokens_of_a_group_are_known_after_a_restart(lanes: Counting) -> None:
    assert not at_once(Gathering(lanes), range(40), "c")
    assert not at_once(Gathering(lanes), range(45), "c")
    assert rows(lanes) == list(range(45))


def test_one_that_cannot_be_read_takes_no_other_with_it(lanes: Counting) -> None:
    gathered = Gathering(lanes)
    wrong: list[BaseException] = []

    def bad() -> None:
        try:
            send(gathered, 999, b"[not a row", run="d")
        except EngineError as error:
            wrong.append(error)

    thread = threading.Thread(target=bad)
    thread.start()
    assert not at_once(gathered, range(20), "d")
    thread.join(30)
    assert len(wrong) == 1
    assert rows(lanes) == list(range(20))


def test_a_failure_is_told_to_all_and_tried_again_later(lanes: Counting) -> None:
    gathered = Gathering(lanes)
    lanes.fail = True
    assert len(at_once(gathered, range(12), "e")) == 12
    lanes.fail = False
    assert not at_once(gathered, range(12), "e")
    assert rows(lanes) == list(range(12))


def test_an_insert_alone_waits_for_nobody(lanes: Counting) -> None:
    lanes.rest_s = 0.0
    began = time.monotonic()
    send(Gathering(lanes), 1, run="f")
    assert time.monotonic() - began < 1
    assert len(lanes.inserts) == 1


def test_a_group_is_bounded(lanes: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_BYTES", 200)
    assert not at_once(Gathering(lanes), range(60), "g")
    assert max(map(len, lanes.inserts)) <= 200
    assert rows(lanes) == list(range(60))


def test_the_table_named_is_the_only_thing_asked(lanes: Counting, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="door_column"):
        Gathering(lanes).insert(
            SQL, SHAPE, b"[1, 1]", {"insert_deduplication_token": "x"}, "day-1",
            Marked("batch) OR (1", "received"),
        )  # fmt: skip


def test_the_table_is_read_once_for_what_was_there_before(lanes: Counting) -> None:
    assert not at_once(Gathering(lanes), range(5), "h")
    gathered = Gathering(lanes)
    for number in range(8):
        send(gathered, number, run="h")
    assert rows(lanes) == list(range(8))
    assert len([sql for sql in lanes.asked if "DISTINCT" in sql]) == 2  # by each of the two


def test_what_came_in_long_before_the_start_is_not_read(lanes: Counting) -> None:
    with lanes.lend(quick=True) as lane:
        old = mark_of("it0")
        lane._say(f"INSERT INTO g (batch, n, received) VALUES ({old}, 0, now64(3) - 4000)")
    send(Gathering(lanes), 0, run="i")
    assert rows(lanes) == [0, 0]


def test_rows_that_were_stored_before_their_insert_failed_count_once(lanes: Counting) -> None:
    gathered = Gathering(lanes)
    send(gathered, 0, run="j")
    lanes.fail_after = True
    with pytest.raises(EngineError, match="Keeper"):
        send(gathered, 1, run="j")
    lanes.fail_after = False
    assert not at_once(gathered, range(3), "j")
    assert rows(lanes) == [0, 1, 2]
