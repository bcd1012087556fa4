"""Small inserts at once become one part, each with a token of its own.

An insert of one row costs the engine as much as one of thousands (some 250 a second, each a part
to be merged). While one insert runs, what arrives for the same table waits and goes together in
the next: no timer, and no delay where nothing else is going on. ClickHouse servers do this with
async_insert; the embedded engine does not.

A token counts once, in a group too: tokens are remembered here, and after a restart looked for in
the column that the rows carry them in. A group falls into one part, which is written whole or not
at all: its rows are of one partition, which `door_group` names.
"""

import hashlib
import re
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from stack.lanes import Answer, EngineError, Lane, Lanes

MOST_BYTES = 4 * 1024**2
REMEMBERED = 200_000
# After a start the table is asked about tokens for this long: no client tries again later.
ASKED_S = 3600.0
BETWEEN = {"Native": b""}  # what stands between two inserts' rows; else they are lines
_TABLE = re.compile(r"INSERT\s+INTO\s+(?:TABLE\s+)?([^\s(]+)", re.IGNORECASE)
_COLUMN = re.compile(r"[a-z_]{1,60}")
Key = tuple[str, str, str, str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Entry:
    """One insert that waits: its thread leads a group when its turn comes."""

    token: str
    data: bytes
    done: Future[Answer] = field(default_factory=Future)
    turn: threading.Event = field(default_factory=threading.Event)


def mark_of(token: str) -> int:
    """What stands for a token in the rows' column: its first 64 bits."""
    return int(hashlib.sha256(token.encode()).hexdigest()[:16], 16)


class Gathering:
    """The groups of one engine."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._lock = threading.Lock()
        self._waiting: dict[Key, list[Entry]] = defaultdict(list)
        self._led: set[Key] = set()
        self._flying: dict[tuple[str, str], Entry] = {}
        self._done: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._began = time.monotonic()

    def insert(
        self,
        sql: str,
        shape: str,
        data: bytes,
        settings: Mapping[str, str],
        group: str,
        column: str,
    ) -> Answer:
        """Inserts with others of the same statement and group; returns when the rows are stored.

        `column` holds `mark_of(token)` in each row, or is "" where a repetition does no harm.
        """
        token = settings["insert_deduplication_token"]
        rest = tuple(
            sorted((k, v) for k, v in settings.items() if k != "insert_deduplication_token")
        )
        key = (sql, shape, group, column, rest)
        name = (sql, token)
        with self._lock:
            if name in self._done:
                self._done.move_to_end(name)
                return Answer(b"")
            entry = self._flying.get(name)
            mine = entry is None
            if entry is None:
                entry = self._flying[name] = Entry(token, data)
                self._waiting[key].append(entry)
                if key not in self._led:
                    self._led.add(key)
                    entry.turn.set()
        if mine:
            entry.turn.wait()
            if not entry.done.done():
                self._lead(key)
        return entry.done.result()

    def _lead(self, key: Key) -> None:
        """Writes one group, in which the leader is the first; then hands on."""
        with self._lock:
            group: list[Entry] = []
            size, waiting = 0, self._waiting[key]
            while waiting and (not group or size + len(waiting[0].data) < MOST_BYTES):
                group.append(waiting.pop(0))
                size += len(group[-1].data) + 1
        try:
            self._write(key, group)
        finally:
            with self._lock:
                for entry in group:
                    self._flying.pop((key[0], entry.token), None)
                    if not entry.done.done():
                        entry.done.set_exception(EngineError("Code: 394. The insert was cut off"))
                    elif entry.done.exception() is None:
                        self._done[key[0], entry.token] = None
                while len(self._done) > REMEMBERED:
                    self._done.popitem(last=False)
                if self._waiting[key]:
                    self._waiting[key][0].turn.set()
                else:
                    del self._waiting[key]
                    self._led.discard(key)
            for entry in group:
                entry.turn.set()

    def _write(self, key: Key, group: list[Entry], *, again: bool = False) -> None:
        sql, shape, _, column, rest = key
        settings = dict(rest)
        try:
            with self._lanes.lend(quick=True) as lane:
                stored = set()
                if column and (again or time.monotonic() - self._began < ASKED_S):
                    stored = self._stored(lane, sql, column, group, settings)
                new = [entry for entry in group if entry.token not in stored]
                if new:
                    token = new[0].token if len(new) == 1 else _joined(new)
                    data = BETWEEN.get(shape, b"\n").join([entry.data for entry in new])
                    named = {**settings, "insert_deduplication_token": token}
                    lane.insert(sql, shape, data, named)
                for entry in group:
                    entry.done.set_result(Answer(b""))
        except EngineError as error:
            if len(group) == 1:
                group[0].done.set_exception(error)
                return
            for entry in group:  # one that can't be read must not take the others with it
                self._write(key, [entry], again=True)
        except Exception as error:
            for entry in group:
                if not entry.done.done():
                    entry.done.set_exception(error)

    def _stored(
        self, lane: Lane, sql: str, column: str, group: list[Entry], settings: Mapping[str, str]
    ) -> set[str]:
        table = _TABLE.match(sql)
        if table is None or not _COLUMN.fullmatch(column):
            raise EngineError("Code: 36. DB::Exception: door_column needs INSERT INTO a table")
        marks = {mark_of(entry.token): entry.token for entry in group}
        wanted = ", ".join(map(str, marks))
        asked = f"SELECT DISTINCT {column} FROM {table[1]} WHERE {column} IN ({wanted})"  # noqa: S608  # numbers and names that were checked
        found = lane.read(asked, "TabSeparated", {}, settings)
        return {marks[int(line)] for line in found.body.split() if int(line) in marks}


def _joined(entries: list[Entry]) -> str:
    return hashlib.sha256("\n".join(entry.token for entry in entries).encode()).hexdigest()
