"""Rows into the event store: one insert per table and request, durable when it returns.

Rows travel as JSONCompactEachRow: orjson writes them at C speed (1 µs for 32 attributes), where the
client's Native format takes 60 µs of Python. The token makes the same insert count once.
"""

import logging
from collections.abc import Iterable
from typing import Any

import orjson
from clickhouse_connect.driver.exceptions import Error as EngineError

from events.store.client import StoreUnavailable, unavailable_as_such, writer

log = logging.getLogger("flipscope.events")

# One thread parses in order, so that a batch sent again falls into the very same blocks.
SETTINGS = {
    "async_insert": 0,
    "input_format_parallel_parsing": 0,
    "input_format_null_as_default": 0,
}


def insert(
    table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], *, token: str
) -> None:
    """Stores rows; an empty token inserts always. Raises StoreUnavailable whatever went wrong."""
    block = b"\n".join(map(orjson.dumps, rows))
    if not block:
        return
    settings: dict[str, Any] = dict(SETTINGS)
    if token:
        settings["insert_deduplication_token"] = token
    try:
        with unavailable_as_such():
            writer().raw_insert(
                table,
                column_names=columns,
                insert_block=block,
                settings=settings,
                fmt="JSONCompactEachRow",
            )
    except EngineError as error:
        log.exception("insert.failed", extra={"table": table, "code": error.code})
        raise StoreUnavailable(f"the store refused an insert ({error.code})") from error
