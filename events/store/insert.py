"""Rows into the event store: one insert per table and request, durable when it returns.

Events travel as columns (events.store.event_columns), what is less as JSON. The token makes the
same insert count once, so an insert that took too long is given up here and sent again by its
sender: whether the first one was stored after all does not matter.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import orjson
import urllib3
from django.conf import settings
from urllib3.exceptions import HTTPError

from events.store import breaker
from events.store.client import StoreUnavailable

log = logging.getLogger("flipscope.events")

# A sender is answered within a second where the store hangs; a larger insert has more time.
WAIT_S = 0.9
BYTES_A_SECOND = 2_000_000
CONNECT_S = 0.5
# Below, inserts may go together in one part: one of 1,000 rows costs the engine 8 ms by itself.
SHARED_BYTES = 2 * 1024**2
# One thread parses in order, so that a batch sent again falls into the very same blocks.
SETTINGS = {
    "async_insert": "0",
    "distributed_foreground_insert": "1",  # a cluster: every node has its rows before we answer
    "input_format_parallel_parsing": "0",
    "input_format_null_as_default": "0",
}
FULL = frozenset({"243", "28"})  # not enough space, no space left on device


@dataclass(frozen=True, slots=True)
class Together:
    """How a small insert may share a part with others of the same `group`, which is a partition.

    `marked`: the rows carry `mark(token)` in their column `batch`; where they do not, a row that
    is inserted twice must do no harm.
    """

    group: str
    marked: bool


def mark(token: str) -> int:
    """A request's token as the column `batch` holds it; the embedded engine's door knows it so."""
    return int(hashlib.sha256(token.encode()).hexdigest()[:16], 16)


def insert(
    table: str,
    columns: tuple[str, ...],
    rows: Iterable[tuple[Any, ...]],
    *,
    token: str,
    together: Together | None = None,
) -> None:
    """Stores rows; an empty token inserts always. Raises StoreUnavailable whatever went wrong."""
    lines = b"\n".join(map(orjson.dumps, rows))
    if lines:
        insert_block(table, columns, "JSONCompactEachRow", lines, token=token, together=together)


def insert_block(
    table: str,
    columns: tuple[str, ...],
    shape: str,
    block: bytes,
    *,
    token: str,
    together: Together | None = None,
) -> None:
    """The same for rows that are written already, in a format of the engine's."""
    values: dict[str, str] = dict(SETTINGS)
    if token:
        values["insert_deduplication_token"] = token
    if together and len(block) < SHARED_BYTES:
        values |= _shared(together)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) FORMAT {shape}"
    breaker.check()
    began = time.monotonic()
    wait_s = WAIT_S + len(block) / BYTES_A_SECOND
    try:
        _post(sql, values, block, wait_s)
    except StoreUnavailable as error:
        breaker.failed()
        log.warning(
            "insert.failed",
            extra={"table": table, "error": str(error), "took_s": time.monotonic() - began},
        )
        raise
    breaker.answered()


def _shared(together: Together) -> dict[str, str]:
    if settings.EVENTS_GATHER == "door":
        column = {"door_column": "batch", "door_time": "received"} if together.marked else {}
        return {"door_group": together.group, **column}
    if settings.EVENTS_GATHER == "server":
        # The server gathers, and knows each insert by its token (replicated tables).
        return {"async_insert": "1", "wait_for_async_insert": "1", "async_insert_deduplicate": "1"}
    return {}


@dataclass(frozen=True, slots=True)
class _Place:
    pool: urllib3.HTTPConnectionPool
    headers: dict[str, str]
    database: str


_places: dict[tuple[int, str], _Place] = {}
_lock = threading.Lock()


def _place() -> _Place:
    key = (os.getpid(), settings.EVENTS_URL)
    if (found := _places.get(key)) is not None:
        return found
    parts = urlsplit(settings.EVENTS_URL)
    secure = parts.scheme == "https"
    kind = urllib3.HTTPSConnectionPool if secure else urllib3.HTTPConnectionPool
    user, password = unquote(parts.username or "default"), unquote(parts.password or "")
    made = _Place(
        kind(parts.hostname or "127.0.0.1", parts.port or (8443 if secure else 8123), maxsize=32),
        urllib3.make_headers(basic_auth=f"{user}:{password}"),
        parts.path.lstrip("/") or "default",
    )
    with _lock:
        return _places.setdefault(key, made)


def _post(sql: str, values: dict[str, str], block: bytes, wait_s: float) -> None:
    place = _place()
    try:
        response = place.pool.urlopen(
            "POST",
            "/?" + urlencode({"database": place.database, "query": sql, **values}),
            headers=place.headers | {"Content-Type": "application/octet-stream"},
            body=block,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=wait_s),
            retries=False,
        )
    except (OSError, HTTPError) as error:
        raise StoreUnavailable(str(error)[:300]) from error
    code = response.headers.get("X-ClickHouse-Exception-Code", "")
    if response.status != 200 or code:
        said = response.data[:300].decode("utf-8", "replace")
        if code in FULL:
            raise StoreUnavailable("The event store's disk is full.")
        raise StoreUnavailable(f"{response.status} {code} {said}")
