"""Small inserts at once become one part, each with a token of its own.

An insert of one row costs the engine as much as one of thousands (some 250 a second, each a part
to be merged). While one insert runs, what arrives for the same table waits and goes together in
the next: no timer, and no delay where nothing else is going on. ClickHouse servers do this with
async_insert; the embedded engine does not.

A token counts once, in a group too: tokens are remembered here, and those of before a restart are
read once from the column that the rows carry them in. A group falls into one part, which is written
whole or not at all: its rows are of one partition, which `door_group` names.
"""

import hashlib
import re
import threading
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

from stack.lanes import Answer, EngineError, Lane, Lanes

MOST_BYTES = 4 * 1024**2
REMEMBERED = 200_000
# For so long after a start, what came in as long before it is known: no client tries again later.
KNOWN_S = 3600
BETWEEN = {"Native": b""}  # what stands between two inserts' rows; else they are lines
_TABLE = re.compile(r"INSERT\s+INTO\s+(?:TABLE\s+)?([^\s(]+)", re.IGNORECASE)
_COLUMN = re.compile(r"[a-z_]{1,60}")


class Marked(NamedTuple):
    """The columns in which rows carry `mark_of(token)`, and when they came in."""

    column: str
    time: str


class Key(NamedTuple):
    """What inserts have in common that go together."""

    sql: str
    shape: str
    group: str
    marked: Marked | None
    settings: tuple[tuple[str, str], ...]


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
        self._failed: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._began = time.monotonic()
        self._before: dict[tuple[str, Marked], array[int]] = {}
        self._reading = threading.Lock()

    def insert(
        self,
        sql: str,
        shape: str,
        data: bytes,
        settings: Mapping[str, str],
        group: str,
        marked: Marked | None,
    ) -> Answer:
        """Inserts with others of the same statement and group; returns when the rows are stored.

        `marked` is None where a repetition does no harm.
        """
        token = settings["insert_deduplication_token"]
        rest = tuple(
            sorted((k, v) for k, v in settings.items() if k != "insert_deduplication_token")
        )
        key = Key(sql, shape, group, marked, rest)
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
                    name = (key.sql, entry.token)
                    self._flying.pop(name, None)
                    if not entry.done.done():
                        entry.done.set_exception(EngineError("Code: 394. The insert was cut off"))
                    ended = self._done if entry.done.exception() is None else self._failed
                    ended[name] = None
                for names in (self._done, self._failed):
                    while len(names) > REMEMBERED:
                        names.popitem(last=False)
                if self._waiting[key]:
                    self._waiting[key][0].turn.set()
                else:
                    del self._waiting[key]
                    self._led.discard(key)
            for entry in group:
                entry.turn.set()

    def _write(self, key: Key, group: list[Entry], *, again: bool = False) -> None:
        sql, shape, settings = key.sql, key.shape, dict(key.settings)
        try:
            with self._lanes.lend(quick=True) as lane:
                stored = set()
                if key.marked:
                    stored = self._known(lane, sql, key.marked, group, settings, again=again)
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

    def _known(
        self,
        lane: Lane,
        sql: str,
        marked: Marked,
        group: list[Entry],
        settings: Mapping[str, str],
        *,
        again: bool,
    ) -> set[str]:
        """The tokens whose rows are there already.

        The table is asked about one that failed here, as its rows may be there all the same.
        """
        table = _TABLE.match(sql)
        if table is None or not all(map(_COLUMN.fullmatch, marked)):
            raise EngineError("Code: 36. DB::Exception: door_column needs INSERT INTO a table")
        marks = {mark_of(entry.token): entry.token for entry in group}
        if again or any((sql, entry.token) in self._failed for entry in group):
            wanted = f"{marked.column} IN ({', '.join(map(str, marks))})"
            there = _marks(lane, table[1], marked.column, wanted, settings)
        else:
            there = self._of_before(lane, table[1], marked, settings)
        return {token for mark, token in marks.items() if _holds(there, mark)}

    def _of_before(
        self, lane: Lane, table: str, marked: Marked, settings: Mapping[str, str]
    ) -> "array[int]":
        """The marks of what came in not long before the start; none once that is long ago."""
        with self._reading:
            if time.monotonic() - self._began > KNOWN_S:
                self._before.clear()
                return array("Q")
            if (found := self._before.get((table, marked))) is None:
                recent = f"{marked.time} >= now() - {KNOWN_S}"
                found = _marks(lane, table, marked.column, recent, settings)
                self._before[table, marked] = found
            return found


def _marks(
    lane: Lane, table: str, column: str, where: str, settings: Mapping[str, str]
) -> "array[int]":
    """In order, of eight bytes each: a busy hour has a million."""
    asked = f"SELECT DISTINCT {column} AS mark FROM {table} WHERE {where} ORDER BY mark"  # noqa: S608  # numbers and names that were checked
    found = array("Q")
    found.frombytes(lane.read(asked, "RowBinary", {}, settings).body)
    return found


def _holds(marks: "array[int]", mark: int) -> bool:
    place = bisect_left(marks, mark)
    return place < len(marks) and marks[place] == mark


def _joined(entries: list[Entry]) -> str:
    return hashlib.sha256("\n".join(entry.token for entry in entries).encode()).hexdigest()
