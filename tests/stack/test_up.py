"""`manage.py up`: it starts, it stops, it survives, and it says in one line why it can't."""

import os
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import psycopg
import pytest

from tests.stack.processes import Up, free_port, left, until

pytestmark = pytest.mark.stack


@pytest.fixture
def data() -> Iterator[Path]:
    """Of a short path: the sockets of a long one are elsewhere."""
    with tempfile.TemporaryDirectory(prefix="up-") as folder:
        yield Path(folder) / "data"


def _database(up: Up) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(up.addresses()["DATABASE_URL"], autocommit=True)


def _one_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    assert len(lines) == 1, output
    return lines[0]


def test_the_parts_keep_what_they_acknowledged_through_a_kill_of_everything(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    first = Up(data, "--parts").ready()
    with _database(first) as database:
        database.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    events = clickhouse_connect.get_client(dsn=first.addresses()["EVENTS_URL"], compress=False)
    events.command(
        "CREATE TABLE kept (a Int32) ENGINE MergeTree ORDER BY a SETTINGS fsync_after_insert = 1"
    )
    events.insert("kept", [[1], [2]], ["a"])
    first.kill_everything()

    second = Up(data, "--parts").ready()
    try:
        with _database(second) as database:
            assert database.execute("SELECT answer FROM kept").fetchone() == (42,)
        events = clickhouse_connect.get_client(dsn=second.addresses()["EVENTS_URL"], compress=False)
        assert events.query("SELECT sum(a) FROM kept").result_rows == [(3,)]
    finally:
        assert second.stop() == 0
    assert left(data) == {}
    assert not (data / "stack.json").exists()


def test_survivors_of_a_killed_up_are_ended_by_the_next(data: Path) -> None:
    first = Up(data, "--parts").ready()
    before = first.pids()
    os.kill(before["supervisor"], signal.SIGKILL)
    first.process.kill()
    first.process.wait(10)
    assert set(before.values()) - {before["supervisor"]} <= set(left(data))

    second = Up(data, "--parts").ready()
    try:
        after = second.pids()
        assert not set(before.values()) & set(left(data))
        assert set(after) == {"postgres", "valkey", "engine", "supervisor"}
    finally:
        second.stop()
    assert left(data) == {}


@pytest.mark.parametrize("name", ["postgres", "valkey", "engine", "supervisor"])
def test_a_killed_part_comes_back_by_itself(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    up = Up(data, "--parts").ready()
    try:
        pid = up.pids()[name]
        os.kill(pid, signal.SIGKILL)
        until(lambda: up.pids().get(name, pid) != pid)
    finally:
        assert up.stop() == 0
    assert left(data) == {}


def test_what_only_the_owner_may_read(data: Path) -> None:
    up = Up(data, "--parts").ready()
    try:
        for name in ("stack.json", "secrets.json", "supervisord.conf", "run.json"):
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o600, name
        for name in ("sockets", "postgres", "engine", "valkey", "logs"):
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o700, name
    finally:
        up.stop()


def test_a_deep_data_folder_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / ("d" * 60) / ("e" * 60) / "data"
    up = Up(data, "--parts").ready()
    try:
        with _database(up) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)
    finally:
        assert up.stop() == 0


def test_a_second_up_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = Up(data, "--parts").ready()
    try:
        second = Up(data, "--parts")
        assert second.process.wait(20) == 1
        assert f"process {first.process.pid}" in _one_line(second.output)
        assert first.process.poll() is None
        assert len(left(data)) >= 4
    finally:
        first.stop()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen(1)
        up = Up(tmp_path / "data", "--port", str(port))
        assert up.process.wait(20) == 1
    assert f"port {port} on 127.0.0.1 is in use" in _one_line(up.output)
    assert left(tmp_path / "data") == {}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    up = Up(tmp_path / "file" / "data", "--parts")
    assert up.process.wait(20) == 1
    assert f"cannot write to the data folder {tmp_path}/file/data" in _one_line(up.output)
