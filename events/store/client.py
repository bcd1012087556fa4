"""EVENTS_URL to a client: one for reading and one for writing in each process, safe in threads.

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

from web.errors import StoreAway

CONNECT_S = 2
# The standard OTLP exporter gives up after 10 s: an answer must reach it before.
WRITE_S = 8
RETRY_AFTER_S = 2


class StoreUnavailable(StoreAway):
    """The event store does not answer or can't store now; the same request may succeed later."""


_clients: dict[tuple[int, str, str], Client] = {}
_lock = threading.Lock()


def _client(use: str, wait_s: int) -> Client:
    key = (os.getpid(), use, settings.EVENTS_URL)
    if (found := _clients.get(key)) is not None:
        return found
    with _lock:
        if key not in _clients:
            with unavailable_as_such():
                _clients[key] = clickhouse_connect.get_client(
                    dsn=settings.EVENTS_URL,
                    connect_timeout=CONNECT_S,
                    send_receive_timeout=wait_s,
                    query_retries=0,
                    autogenerate_session_id=False,
                    compress=False,
                )
        return _clients[key]


def client() -> Client:
    """The client for reading and for statements. Raises StoreUnavailable when nobody answers."""
    return _client("read", settings.EVENTS_QUERY_SECONDS + 5)


def writer() -> Client:
    """The client for inserts, which gives up soon enough for its caller to answer in time."""
    return _client("write", WRITE_S)


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
