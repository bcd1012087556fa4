"""The raw events of any question, as NDJSON or Parquet, straight from the engine."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.exceptions import Error as EngineError
from django.conf import settings

from events.query.answer import asked_of
from events.query.parsing import parse
from events.query.spec import QueryError
from events.store.client import StoreUnavailable, client, unavailable_as_such
from events.store.read import AWAY, TOO_LARGE, QueryTooLarge

FORMS = {
    "ndjson": ("JSONEachRow", "application/x-ndjson"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
}
MOST = 1_000_000
COLUMNS = """time, received, service, name, kind, entry,
    lower(leftPad(hex(trace), 32, '0')) AS trace_id, lower(leftPad(hex(span), 16, '0')) AS span_id,
    if(parent = 0, '', lower(leftPad(hex(parent), 16, '0'))) AS parent_id,
    duration_ms, error, status_code, method, route, build_id, instance, user_id, sample_rate,
    strings, integers, floats, booleans, lists"""


def export(environment_id: int, spec: Any) -> tuple[Iterator[bytes], str]:
    """(the events' bytes, their content type) of a query's specification with `format` and
    `limit`, oldest first. Raises QueryError, QueryTooLarge and StoreUnavailable."""
    wanted = dict(spec) if isinstance(spec, dict) else {}
    form = wanted.pop("format", "ndjson")
    limit = wanted.pop("limit", MOST)
    if form not in FORMS:
        raise QueryError("format", f"Must be one of {', '.join(FORMS)}.")
    if type(limit) is not int or not 1 <= limit <= MOST:
        raise QueryError("limit", f"Must be a whole number from 1 to {MOST:,}.")
    asked = asked_of(environment_id, parse(wanted, datetime.now(UTC)))
    statement = asked.statement(
        f"SELECT {COLUMNS} {asked.source()} ORDER BY time, span LIMIT {{limit:UInt32}}",  # ours
        limit=limit,
    )
    engine_form, content_type = FORMS[form]
    try:
        with unavailable_as_such():
            stream = client().raw_stream(
                statement.sql,
                parameters=statement.parameters,
                fmt=engine_form,
                settings={
                    "max_execution_time": settings.EVENTS_QUERY_SECONDS,
                    "max_memory_usage": settings.EVENTS_QUERY_BYTES,
                    "output_format_parquet_string_as_string": 1,
                },
            )
    except EngineError as error:
        if error.code in TOO_LARGE:
            raise QueryTooLarge("These are too many events at once: ask for less time.") from error
        if error.code in AWAY:
            raise StoreUnavailable(str(error)[:300]) from error
        raise
    return _chunks(stream), content_type


def _chunks(stream: Any) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(256 * 1024):
            yield chunk
