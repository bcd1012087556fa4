"""Questions to the event store: bound parameters and quoted identifiers only.

A `Statement` carries its SQL with `{name:Type}` places and the values for them; nothing that a
user wrote is ever part of the SQL text.
"""

import array
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.exceptions import Error as EngineError
from clickhouse_connect.driver.query import QueryResult
from django.conf import settings

from events.store.client import StoreUnavailable, client, unavailable_as_such
from events.store.layout import READING
from web.errors import QuestionTooLarge

TIMEOUT, MEMORY = 159, 241
# TOO_MANY_ROWS, TIMEOUT_EXCEEDED, TOO_MANY_BYTES, MEMORY_LIMIT_EXCEEDED, TOO_MANY_ROWS_OR_BYTES
TOO_LARGE = frozenset({158, 159, 307, 241, 396})
# too many queries, network, disk full, read-only table, cancelled, server shutting down, no node,
# Keeper away, files that can't be read or written just now, no thread to be had
AWAY = frozenset({202, 203, 209, 210, 242, 243, 519, 236, 279, 225, 999, 74, 75, 76, 439})
STOPPED = 394
BAD_PATTERN = 427


class QueryTooLarge(QuestionTooLarge):
    """The question needs more time or memory than a query may take; ask for less."""


class QueryStopped(StoreUnavailable):
    """Somebody stopped the question, or the store is being stopped."""


class BadPattern(Exception):
    """A regular expression that the engine can't compile, and why, in its own words."""


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    rows: list[dict[str, Any]]
    read_rows: int
    took_ms: float


@dataclass(frozen=True, slots=True)
class Columns:
    columns: dict[str, Sequence[Any]]
    read_rows: int
    took_ms: float


def quoted(identifier: str) -> str:
    """The identifier between backticks, whatever it holds."""
    escaped = re.sub(r"([`\\])", r"\\\1", identifier)
    return f"`{escaped}`"


def run(statement: Statement) -> Result:
    """Rows by column name. Raises StoreUnavailable and QueryTooLarge."""
    result, took_ms = _query(statement)
    names = result.column_names
    rows = [dict(zip(names, row, strict=True)) for row in result.result_rows]
    return Result(rows, _read_rows(result), took_ms)


def columns(statement: Statement) -> Columns:
    """Whole columns by name, for arithmetic over many rows. Raises as `run` does."""
    began = time.monotonic()
    with _asking(), client().query_column_block_stream(**_asked(statement)) as stream:
        blocks = list(stream)
        source = stream.source
    found = {
        name: _column([block[place] for block in blocks])
        for place, name in enumerate(source.column_names)
    }
    return Columns(found, _read_rows(source), _since(began))


def _column(blocks: list[Sequence[Any]]) -> Sequence[Any]:
    """One column of all blocks. Numbers come as arrays of the machine's own, and stay such."""
    if blocks and all(isinstance(block, array.array) for block in blocks):
        whole = array.array(blocks[0].typecode)  # type: ignore[attr-defined]  # as just asked
        for block in blocks:
            whole += block  # type: ignore[arg-type]
        return whole
    return [value for block in blocks for value in block]


def utc(at: datetime) -> datetime:
    """A time of a row as aware: the client gives those of UTC columns without a zone."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def moment(at: datetime) -> str:
    """A time as the text that a `{name:DateTime64(6, 'UTC')}` place takes."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _why_pattern(text: str) -> str:
    found = re.search(r"error: (.*?)\. Look at", text, re.DOTALL)
    return found[1][:200] if found else "it can't be compiled"


def _too_much(error: EngineError) -> str:
    if error.code == TIMEOUT:
        return f"took more than {settings.EVENTS_QUERY_SECONDS} seconds"
    if "(total)" in str(error):
        return "needs more memory than the event store has left now"
    if error.code == MEMORY:
        return f"needs more than {settings.EVENTS_QUERY_BYTES // 1024**2} MiB of memory"
    return "reads or answers more than the event store allows"


def _read_rows(result: QueryResult) -> int:
    return int((result.summary or {}).get("read_rows", 0))


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)


def _asked(statement: Statement) -> dict[str, Any]:
    """What the client's own ways to ask take."""
    limits = {
        "max_execution_time": settings.EVENTS_QUERY_SECONDS,
        "max_memory_usage": settings.EVENTS_QUERY_BYTES,
        "use_query_cache": 0,
        **READING,
    }
    return {
        "query": statement.sql,
        "parameters": statement.parameters,
        "settings": limits | statement.settings,
    }


def _query(statement: Statement) -> tuple[QueryResult, float]:
    began = time.monotonic()
    with _asking():
        result = client().query(**_asked(statement))
    return result, _since(began)


@contextmanager
def _asking() -> Iterator[None]:
    """The engine's errors as ours."""
    try:
        with unavailable_as_such():
            yield
    except EngineError as error:
        if error.code in TOO_LARGE:
            raise QueryTooLarge(
                f"The query {_too_much(error)}. Ask for a shorter time or fewer groups."
            ) from error
        if error.code == BAD_PATTERN:
            raise BadPattern(_why_pattern(str(error))) from error
        if error.code == STOPPED:
            raise QueryStopped("The query was stopped.") from error
        if error.code in AWAY:
            raise StoreUnavailable(str(error)[:300]) from error
        raise
