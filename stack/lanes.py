"""The engine's lanes: connections of one chDB folder that work side by side.

A chDB connection runs one statement at a time, so a slow query must never hold the lane an insert
or a `SELECT 1` needs: some lanes are kept for those.
"""

import contextlib
import itertools
import os
import queue
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chdb

SLOW_LANES = 5
QUICK_LANES = 3
MOST_WAITING = 128
WAIT_S = 30.0
OF_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def memory() -> int:
    """The bytes of this machine, or of this container where that is less."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        there = min(there, int(OF_CONTAINER.read_text()))
    return there


# A statement that says nothing of its own is still bounded.
DEFAULTS = {
    "max_execution_time": "60",
    "max_result_bytes": str(1024**3),
    "max_memory_usage": str(memory() // 2),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CODE = re.compile(r"Code: (\d+)")


class EngineError(Exception):
    """What the engine said, with its number."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        found = _CODE.search(message)
        self.code = int(found[1]) if found else 1


class Busy(Exception):
    """Every lane is taken and enough statements wait already."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A statement's bytes and what it read and wrote."""

    body: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    result_rows: int = 0


class Lane:
    """One connection, lent to one statement at a time."""

    def __init__(self, folder: str) -> None:
        self._connection: Any = chdb.connect(folder)  # type: ignore[no-untyped-call]

    def _say(self, sql: str) -> None:
        try:
            self._connection.query(sql, "TabSeparated")
        except Exception as error:  # chDB raises bare RuntimeErrors
            raise EngineError(str(error)) from error

    @contextlib.contextmanager
    def _set(self, settings: Mapping[str, str]) -> Iterator[None]:
        for name in settings:
            if not _NAME.fullmatch(name):
                raise EngineError(f"Code: 115. DB::Exception: Unknown setting {name!r}")
        wanted = ", ".join(f"{name} = {literal(value)}" for name, value in settings.items())
        self._say(f"SET {wanted}")
        try:
            yield
        finally:
            self._say("SET " + ", ".join(f"{name} = DEFAULT" for name in settings))

    def read(
        self, sql: str, shape: str, parameters: Mapping[str, str], settings: Mapping[str, str]
    ) -> Answer:
        """Run any statement whose answer is bytes in the format named by it, else by `shape`."""
        with self._set(settings):
            try:
                result = self._connection.query(sql, shape, params=dict(parameters) or None)
            except Exception as error:
                raise EngineError(str(error)) from error
            if result is None:
                return Answer(b"")
            return Answer(
                result.bytes() or b"",
                read_rows=result.storage_rows_read(),
                read_bytes=result.storage_bytes_read(),
                result_rows=result.rows_read(),
            )

    def insert(self, sql: str, shape: str, data: bytes, settings: Mapping[str, str]) -> Answer:
        """Insert rows given in a format; nothing is kept when any part of it fails."""
        with self._set(settings):
            try:
                inserter = self._connection.send_insert(sql, shape)
                try:
                    inserter.append(data)
                    done = inserter.finish()
                except BaseException:
                    with contextlib.suppress(Exception):
                        inserter.cancel()
                    raise
            except Exception as error:
                raise EngineError(str(error)) from error
        return Answer(b"", written_rows=done.rows_written)

    def kill(self, mark: str) -> None:
        """End the running statement that carries this mark."""
        self._say(f"KILL QUERY WHERE Settings['log_comment'] = {literal(mark)} ASYNC")

    def close(self) -> None:
        """Give the connection back to the engine."""
        with contextlib.suppress(Exception):
            self._connection.close()


class Lanes:
    """All lanes of one folder, in two pools, and one more for killing.

    `most_bytes` holds for all that the engine keeps in memory; a statement beyond it ends.
    """

    def __init__(self, folder: str, most_bytes: int) -> None:
        folder = f"{folder}?max_server_memory_usage={most_bytes}"
        self._pools: dict[bool, queue.Queue[Lane]] = {True: queue.Queue(), False: queue.Queue()}
        for quick, count in ((True, QUICK_LANES), (False, SLOW_LANES)):
            for _ in range(count):
                self._pools[quick].put(Lane(folder))
        self._killer = Lane(folder)
        self._killing = threading.Lock()
        self._waiting = threading.Semaphore(MOST_WAITING)
        self._numbers = itertools.count(1)

    def mark(self) -> str:
        """A mark no other running statement has."""
        return f"door-{next(self._numbers)}"

    @contextlib.contextmanager
    def lend(self, *, quick: bool) -> Iterator[Lane]:
        """A lane of the pool, waited for if need be; Busy when too many wait or for too long."""
        pool = self._pools[quick]
        if not self._waiting.acquire(blocking=False):
            raise Busy
        try:
            lane = pool.get(timeout=WAIT_S)
        except queue.Empty:
            raise Busy from None
        finally:
            self._waiting.release()
        try:
            yield lane
        finally:
            pool.put(lane)

    def kill(self, mark: str) -> None:
        """End a statement; one that has ended already is no error."""
        with self._killing, contextlib.suppress(EngineError):
            self._killer.kill(mark)

    def close(self, wait_s: float) -> None:
        """Close every lane, waiting this long for each that is still at work."""
        for pool, count in ((self._pools[True], QUICK_LANES), (self._pools[False], SLOW_LANES)):
            for _ in range(count):
                with contextlib.suppress(queue.Empty):
                    pool.get(timeout=wait_s).close()
        self._killer.close()


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
