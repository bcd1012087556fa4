"""Two real workers begin the same round at the same moment: each thing is done once."""

import pytest
from django.db import transaction

from config.celery import app
from events.store.read import Statement, run
from insights.models import Watch
from insights.reasons import key_of
from releases.models import Change
from tests.insights.conftest import Shop
from tests.insights.workers import START_S, counted, idle, lock, looks, waiting_for, worker
from tests.stack.processes import until

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

ENTRIES = """SELECT count() AS events FROM events
    WHERE environment = {environment:UInt32} AND entry"""
QUEUES = ("one", "two")
ALL = ("build", "moment", "USE_CACHING", "BLUE_BUTTON")


def at_once(task: str, table: str) -> None:
    """Both workers stand before what the task reads first, and go on together."""
    until(lambda: idle(2), START_S)
    with transaction.atomic():
        lock(table)
        for queue in QUEUES:
            app.send_task(task, queue=queue)
        until(lambda: waiting_for(table) == 2, START_S)
    until(lambda: idle(2), START_S)


def test_two_workers_at_the_same_moment_do_everything_once(shop: Shop) -> None:
    (row,) = run(Statement(ENTRIES, {"environment": shop.environment.id})).rows
    with worker("one"), worker("two"):
        at_once("insights.tasks.detect_builds", "releases_change")
        assert Change.objects.filter(kind="deploy").count() == 1
        assert looks() == dict.fromkeys(ALL, 0)
        assert Watch.objects.count() == len(ALL)
        Watch.objects.update(next_look_at=shop.now)
        at_once("insights.tasks.measure_due", "insights_watch")  # each flag and change alone
        assert looks() == dict.fromkeys(ALL, 1)
        first = counted()
        Watch.objects.update(next_look_at=shop.now)
        at_once("insights.tasks.measure_due", "insights_watch")  # all flags in one scan
    assert looks() == dict.fromkeys(ALL, 2)
    assert counted() == first
    for watch in Watch.objects.all():
        assert len(watch.history) == (watch.looks if watch.result else 0)
        found = [key_of(one) for one in watch.result.get("findings", [])]
        assert len(found) == len(set(found)) == watch.findings_count
        if watch.flag:  # of the time that both variants share: all but the first few
            assert row["events"] - 10 <= sum(first[watch.id]) <= row["events"]
    assert shop.watch(flag="USE_CACHING").verdict == "worse"
