"""The product's own processes on the tests' database: web, and the streams beside it.

Django's live server cannot read chunked bodies, streams nothing, and runs in the test's process.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import requests
from django.db import connection

from tests.stack.processes import ROOT, free_port, until


@dataclass(frozen=True, slots=True)
class Serving:
    """Addresses of running processes, and the processes."""

    url: str
    sync_port: int
    web: "subprocess.Popen[bytes]"
    streams: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        """Everything gone at once, as in a power cut."""
        for process in (self.web, self.streams):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def _started(module: str, port: int, **more: str) -> "subprocess.Popen[bytes]":
    of = connection.settings_dict
    database = (
        f"postgresql://{quote(of['USER'])}:{quote(of['PASSWORD'])}@/{quote(of['NAME'])}"
        f"?host={quote(of['HOST'], safe='')}"
    )
    return subprocess.Popen(
        [sys.executable, "-m", module, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database, **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _stopped(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(20)


@contextmanager
def granian() -> Iterator[str]:
    """The web process's address, while the block runs; tests that use it commit."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = _started("stack.web", port)
    try:
        until(lambda: _answers(url), 60)
        yield url
    finally:
        _stopped(process)


@contextmanager
def serving() -> Iterator[Serving]:
    """Web and streams, as `up` starts them."""
    port, streams, sync = free_port(), free_port(), free_port()
    ports = {"STREAMS_PORT": str(streams), "SYNC_PORT": str(sync)}
    url = f"http://127.0.0.1:{port}"
    found = Serving(
        url,
        sync,
        _started("stack.web", port, **ports),
        _started("stack.streams", streams, **ports),
    )
    try:
        until(lambda: _answers(url), 60)
        until(lambda: _answers(f"http://127.0.0.1:{streams}"), 60)
        yield found
    finally:
        _stopped(found.web)
        _stopped(found.streams)
