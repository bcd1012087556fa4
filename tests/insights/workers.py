"""Celery's workers as `up` starts them, on the tests' own database, and what they have done."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from django.db import connection

from config.celery import app
from insights.models import Watch
from tests.stack.processes import ROOT

START_S = 120.0


@contextmanager
def worker(queue: str = "celery") -> Iterator[int]:
    """One that takes what is sent to its queue. Killed in the end."""
    at = connection.settings_dict
    who = f"{at['USER']}:{quote(at['PASSWORD'], safe='')}"
    database = f"postgresql://{who}@/{at['NAME']}?host={quote(at['HOST'])}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "config.celery", "worker"),
            *("-Q", queue, "-n", f"{queue}@%h", "--concurrency", "1"),
            *("--without-gossip", "--without-mingle"),
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def idle(workers: int) -> bool:
    """Whether so many answer, and none has anything to do."""
    asked = app.control.inspect(timeout=2.0)
    answers = [asked.active() or {}, asked.reserved() or {}]
    return all(len(one) == workers and not any(one.values()) for one in answers)


def waiting_for(table: str) -> int:
    """How many stand before a locked table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table]
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def lock(table: str) -> None:
    """Until the transaction ends, whoever reads the table waits."""
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")


def looks() -> dict[str, int]:
    """How often each watch was looked at, by its flag or subject."""
    found = Watch.objects.values_list("subject", "flag", "looks")
    return {flag or subject: looks for subject, flag, looks in found}


def counted() -> dict[int, list[int]]:
    """Events of both sides of each watch."""
    return {
        watch.id: [
            watch.result.get(side, {}).get("events", 0) for side in ("baseline", "candidate")
        ]
        for watch in Watch.objects.all()
    }
