"""Whether each part answers."""

import contextlib
import http.client
import os
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

Probe = Callable[[], bool]


def postgres(password: str, folder: Path, name: str) -> bool:
    """It takes a connection and a statement."""
    import psycopg

    with (
        contextlib.suppress(psycopg.Error, OSError),
        psycopg.connect(
            host=str(folder), user=name, password=password, dbname="postgres", connect_timeout=2
        ) as connection,
    ):
        return connection.execute("SELECT 1").fetchone() == (1,)
    return False


def valkey(path: Path) -> bool:
    """It says PONG, so it has read its log."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(os.fspath(path))
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


def page(url: str, *, host_header: str = "") -> bool:
    """The address answers 200."""
    parts = urlsplit(url)
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        try:
            headers = {"Host": host_header} if host_header else {}
            connection.request("GET", parts.path or "/", headers=headers)
            return connection.getresponse().status == 200
        finally:
            connection.close()
    return False
