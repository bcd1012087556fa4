"""Kill -9 of a real worker in the middle of a round: another takes over, nothing counts twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from config.celery import app
from insights import claims
from insights.models import Watch
from tests.insights.conftest import Shop
from tests.stack.processes import ROOT, until

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

START_S = 120.0


@contextmanager
def worker() -> Iterator[int]:
    """Celery's worker, as `up` starts it, on the tests' own database. Killed in the end."""
    at = connection.settings_dict
    who = f"{at['USER']}:{quote(at['PASSWORD'], safe='')}"
    database = f"postgresql://{who}@/{at['NAME']}?host={quote(at['HOST'])}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "config.celery", "worker"),
            *("--concurrency", "1", "--without-gossip", "--without-mingle"),
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


def _waits_for_definitions() -> bool:
    """Whether somebody stands before the locked table of flags."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'flags_flag'::regclass"
        )
        row = cursor.fetchone()
    return row is not None and row[0] > 0


def _looks() -> dict[str, int]:
    found = Watch.objects.values_list("subject", "flag", "looks")
    return {flag or subject: looks for subject, flag, looks in found}


def _counted() -> dict[int, list[int]]:
    return {
        watch.id: [
            watch.result.get(side, {}).get("events", 0) for side in ("baseline", "candidate")
        ]
        for watch in Watch.objects.all()
    }


def test_a_killed_workers_round_is_finished_by_another_and_counts_nothing_twice(shop: Shop) -> None:
    shop.look()
    counted = _counted()
    assert _looks() == dict.fromkeys(("build", "moment", "USE_CACHING", "BLUE_BUTTON"), 1)
    Watch.objects.update(next_look_at=shop.now)
    with worker() as first, transaction.atomic():
        with connection.cursor() as cursor:  # flags have been counted when they are asked for
            cursor.execute("LOCK TABLE flags_flag IN ACCESS EXCLUSIVE MODE")
        app.send_task("insights.tasks.measure_due")
        until(_waits_for_definitions, START_S)
        os.killpg(first, signal.SIGKILL)
    half = {"build": 2, "moment": 2, "USE_CACHING": 1, "BLUE_BUTTON": 1}
    assert _looks() == half
    claimed = Watch.objects.filter(subject=Watch.Subject.FLAG)
    assert not claimed.filter(next_look_at__lte=timezone.now()).exists()  # nobody else's yet
    claimed.update(next_look_at=F("next_look_at") - claims.BUSY)  # half a minute later
    with worker():
        app.send_task("insights.tasks.measure_due")
        until(lambda: set(_looks().values()) == {2}, START_S)
    assert _counted() == counted
    for watch in Watch.objects.exclude(history=[]):
        assert len(watch.history) == watch.looks
