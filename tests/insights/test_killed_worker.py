"""Kill -9 of a real worker in the middle of a round: another takes over, nothing counts twice."""

import os
import signal

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from config.celery import app
from insights import claims
from insights.models import Watch
from tests.insights.conftest import Shop
from tests.insights.workers import START_S, counted, lock, looks, waiting_for, worker
from tests.stack.processes import until

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]


def test_a_killed_workers_round_is_finished_by_another_and_counts_nothing_twice(shop: Shop) -> None:
    shop.look()
    before = counted()
    assert looks() == dict.fromkeys(("build", "moment", "USE_CACHING", "BLUE_BUTTON"), 1)
    Watch.objects.update(next_look_at=shop.now)
    with worker() as first, transaction.atomic():
        lock("flags_flag")  # flags have been counted when they are asked for
        app.send_task("insights.tasks.measure_due")
        until(lambda: waiting_for("flags_flag") > 0, START_S)
        os.killpg(first, signal.SIGKILL)
    half = {"build": 2, "moment": 2, "USE_CACHING": 1, "BLUE_BUTTON": 1}
    assert looks() == half
    claimed = Watch.objects.filter(subject=Watch.Subject.FLAG)
    assert not claimed.filter(next_look_at__lte=timezone.now()).exists()  # nobody else's yet
    claimed.update(next_look_at=F("next_look_at") - claims.BUSY)  # half a minute later
    with worker():
        app.send_task("insights.tasks.measure_due")
        until(lambda: set(looks().values()) == {2}, START_S)
    assert counted() == before
    for watch in Watch.objects.exclude(history=[]):
        assert len(watch.history) == watch.looks
