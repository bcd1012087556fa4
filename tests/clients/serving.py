"""The product's own web server on the tests' database: Django's cannot read chunked bodies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import requests
from django.db import connection

from tests.stack.processes import ROOT, free_port, until


@contextmanager
def granian() -> Iterator[str]:
    """Its address, while the block runs; tests that use it commit (transaction=True)."""
    of = connection.settings_dict
    database = (
        f"postgresql://{quote(of['USER'])}:{quote(of['PASSWORD'])}@/{quote(of['NAME'])}"
        f"?host={quote(of['HOST'], safe='')}"
    )
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "stack.web", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def answers() -> bool:
        try:
            return requests.get(f"{url}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    try:
        until(answers, 60)
        yield url
    finally:
        process.terminate()
        process.wait(20)
