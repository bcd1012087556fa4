"""EVENTS_URL to a client for reading and for statements, safe in threads; inserts go by themselves.

A ClickHouse server and the embedded engine's door answer alike. What the store can't do now is one
exception, StoreUnavailable, whatever its cause: a refused connection, a time-out, a full disk.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.exceptions import Error as EngineError
from django.conf import settings
from urllib3.exceptions import HTTPError

from events.store.layout import Layout, laid_out
from web.errors import StoreAway

CONNECT_S = 2
RETRY_AFTER_S = 2


class StoreUnavailable(StoreAway):
    """The event store does not answer or can't store now; the same request may succeed later."""


_clients: dict[tuple[int, str], Client] = {}
_lock = threading.Lock()


def client() -> Client:
    """The one client of this process. Raises StoreUnavailable when nobody answers."""
    key = (os.getpid(), settings.EVENTS_URL)
    if (found := _clients.get(key)) is not None:
        return found
    with _lock:
        if key not in _clients:
            with unavailable_as_such():
                _clients[key] = clickhouse_connect.get_client(
                    dsn=settings.EVENTS_URL,
                    connect_timeout=CONNECT_S,
                    send_receive_timeout=settings.EVENTS_QUERY_SECONDS + 5,
                    query_retries=0,
                    autogenerate_session_id=False,
                    compress=False,
                )
        return _clients[key]


@contextmanager
def unavailable_as_such() -> Iterator[None]:
    """Turns failures of the connection into StoreUnavailable; the engine's own errors pass."""
    try:
        yield
    except ClickHouseError as error:
        if isinstance(error, EngineError) and error.code is not None:
            raise
        raise StoreUnavailable(str(error)[:300]) from error
    except (OSError, HTTPError) as error:
        raise StoreUnavailable(str(error)[:300]) from error


def layout() -> Layout:
    """How the tables of this store are laid out now. Raises StoreUnavailable."""
    with unavailable_as_such():
        rows = (
            client()
            .query(
                "SELECT engine_full FROM system.tables "
                "WHERE database = currentDatabase() AND name = 'events'"
            )
            .result_rows
        )
    return laid_out(str(rows[0][0]) if rows else "")
