"""The embedded engine's door, spoken to as everything else does: through clickhouse-connect."""

import os
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from django.conf import settings

from stack.engine import _most_bytes
from tests.stack.processes import ROOT, free_port

pytestmark = pytest.mark.stack

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE rand() = 3"
TOKENS = {"insert_deduplication_token": "one", "async_insert": 0}


@pytest.fixture(scope="module")
def door() -> Iterator[Client]:
    client = clickhouse_connect.get_client(
        dsn=settings.EVENTS_URL, autogenerate_session_id=False, compress=False, query_retries=0
    )
    yield client
    client.close()


@pytest.fixture
def table(door: Client) -> Iterator[str]:
    door.command(
        "CREATE OR REPLACE TABLE door_test (a Int32, b String) ENGINE MergeTree ORDER BY a "
        "SETTINGS non_replicated_deduplication_window = 100"
    )
    yield "door_test"
    door.command("DROP TABLE door_test")


def test_parameters_arrive_as_they_were_sent(door: Client) -> None:
    awkward = "it's \\ a \t tab, a \n line, “quotes” and a { brace"
    answer = door.query(
        "SELECT {a:String}, {b:Array(String)}, {c:UInt32}",
        parameters={"a": awkward, "b": ["p", "q'"], "c": 7},
    )
    assert answer.result_rows == [(awkward, ["p", "q'"], 7)]


def test_a_parameter_too_long_for_a_url_arrives(door: Client) -> None:
    answer = door.query("SELECT length({a:String})", parameters={"a": "é" * 200_000})
    assert answer.result_rows == [(400_000,)]


def test_a_read_says_how_many_rows_it_read(door: Client, table: str) -> None:
    door.insert(table, [[number, str(number)] for number in range(1000)], ["a", "b"])
    answer = door.query(f"SELECT count() FROM {table} WHERE b != ''")
    assert answer.result_rows == [(1000,)]
    assert answer.summary["read_rows"] == "1000"


def test_the_same_token_inserts_once(door: Client, table: str) -> None:
    for _ in range(2):
        door.raw_insert(
            table,
            ["a", "b"],
            insert_block='[1,"x"]\n[2,"é"]\n',
            fmt="JSONCompactEachRow",
            settings=TOKENS,
        )
    assert door.query(f"SELECT a, b FROM {table} ORDER BY a").result_rows == [(1, "x"), (2, "é")]


@pytest.mark.parametrize("packing", ["lz4", "zstd", "gzip"])
def test_a_packed_insert_is_unpacked(table: str, packing: str) -> None:
    with clickhouse_connect.get_client(dsn=settings.EVENTS_URL, compress=packing) as client:
        client.insert(table, [[1, "x" * 1000]] * 100, ["a", "b"])
        assert client.query(f"SELECT count(), max(b) FROM {table}").result_rows == [
            (100, "x" * 1000)
        ]


def test_a_small_statement_answers_at_once(door: Client) -> None:
    door.command("SELECT 1")
    began = time.monotonic()
    for _ in range(20):
        door.command("SELECT 1")
    assert time.monotonic() - began < 0.6


@pytest.mark.parametrize("setting", ["max_execution_time", "max_memory_usage"])
def test_a_limit_cannot_be_taken_away(door: Client, setting: str) -> None:
    answer = door.query(f"SELECT toUInt64(getSetting('{setting}'))", settings={setting: 0})
    assert answer.result_rows[0][0] > 0


def test_a_broken_row_stores_none_of_its_batch(door: Client, table: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        door.raw_insert(table, ["a", "b"], insert_block='[1,"x"]\n[2,', fmt="JSONCompactEachRow")
    assert caught.value.code in (26, 27)
    assert door.query(f"SELECT count() FROM {table}").result_rows == [(0,)]


def test_settings_of_one_statement_do_not_reach_the_next(door: Client) -> None:
    ask = "SELECT getSetting('max_threads')"
    for _ in range(12):
        assert door.query(ask, settings={"max_threads": 1}).result_rows == [(1,)]
    assert all(door.query(ask).result_rows != [(1,)] for _ in range(12))


@pytest.mark.parametrize(
    ("sql", "settings_of_it", "code"),
    [
        ("SELECT nope", {}, 47),
        ("SELECT 1 FROM not_there", {}, 60),
        (ENDLESS, {"max_execution_time": 1}, 159),
        ("SELECT groupArray(number) FROM numbers(1e8)", {"max_memory_usage": 10_000_000}, 241),
    ],
)
def test_an_error_keeps_the_engines_number(
    door: Client, sql: str, settings_of_it: dict[str, int], code: int
) -> None:
    with pytest.raises(DatabaseError) as caught:
        door.query(sql, settings=settings_of_it)
    assert caught.value.code == code


def test_a_short_read_and_an_insert_pass_slow_queries(door: Client, table: str) -> None:
    slow = "SELECT count() FROM numbers(1200000000) WHERE rand() = 3"
    threads = [threading.Thread(target=door.query, args=(slow,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    door.command("SELECT 1")
    door.raw_insert(table, ["a", "b"], insert_block='[1,"x"]\n', fmt="JSONCompactEachRow")
    still_at_work = [thread.is_alive() for thread in threads]
    for thread in threads:
        thread.join()
    assert all(still_at_work)


def test_a_query_whose_client_left_is_ended(door: Client) -> None:
    address = urlsplit(settings.EVENTS_URL)
    name = b64encode(f"{address.username}:{address.password}".encode()).decode()
    running = (
        "SELECT count() FROM system.processes "
        "WHERE query LIKE '%1000000000000%' AND query NOT LIKE '%processes%'"
    )
    with socket.create_connection((address.hostname or "", address.port or 0)) as client:
        client.sendall(
            f"POST / HTTP/1.1\r\nHost: door\r\nAuthorization: Basic {name}\r\n"
            f"Content-Length: {len(ENDLESS)}\r\n\r\n{ENDLESS}".encode()
        )
        _until_rows(door, running, 1)
    _until_rows(door, running, 0)


def _until_rows(door: Client, sql: str, count: int) -> None:
    deadline = time.monotonic() + 5
    while door.query(sql).result_rows != [(count,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_wrong_secret_is_refused() -> None:
    address = urlsplit(settings.EVENTS_URL)
    with pytest.raises(ClickHouseError, match="401"):
        clickhouse_connect.get_client(
            dsn=f"http://flipscope:wrong@{address.hostname}:{address.port}/default"
        )


def test_a_body_too_large_is_refused_before_it_is_read() -> None:
    address = urlsplit(settings.EVENTS_URL)
    name = b64encode(f"{address.username}:{address.password}".encode()).decode()
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5) as client:
        client.sendall(
            f"POST / HTTP/1.1\r\nHost: door\r\nAuthorization: Basic {name}\r\n"
            f"Content-Length: {10**12}\r\n\r\n".encode()
        )
        assert b" 413 " in client.recv(200)


def test_all_memory_of_the_engine_is_bounded_and_what_needs_more_ends(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "stack.engine", "--data", str(tmp_path / "e"), "--port", str(port)],
        cwd=ROOT,
        env=os.environ
        | {"FLIPSCOPE_ENGINE_SECRET": "s", "EVENTS_ENGINE_BYTES": str(600 * 1024**2)},
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                small = clickhouse_connect.get_client(
                    dsn=f"http://x:s@127.0.0.1:{port}/default", autogenerate_session_id=False
                )
                break
            except ClickHouseError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        with pytest.raises(DatabaseError, match="memory limit exceeded"):
            small.query(
                "SELECT count() FROM (SELECT number, sum(1) FROM numbers(30000000) GROUP BY number)"
                " SETTINGS max_bytes_ratio_before_external_group_by = 0"
            )
        assert small.query("SELECT 1").result_rows == [(1,)]
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("text", ["1", "much", "-5"])
def test_a_bound_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(SystemExit, match="EVENTS_ENGINE_BYTES"):
        _most_bytes(text)
    assert _most_bytes("") > 0
