"""Beat's tasks: thin, idempotent, finding what is due in PostgreSQL."""

import contextlib

from celery import shared_task
from django.utils import timezone

from events.store.client import StoreUnavailable
from insights import builds, late, rounds, watches
from insights.trials import work as trials
from projects.models import Environment


@shared_task(name="insights.tasks.detect_builds", expires=10)
def detect_builds() -> None:
    """New builds become deploys; changes and flags get their watches, late ones another look."""
    now = timezone.now()
    for environment in Environment.objects.select_related("project"):
        try:
            builds.detect(environment.id, now)
            watches.ensure(environment, now)
            late.reopen(environment.id, now)
        except StoreUnavailable:
            return  # the next tick tries again


@shared_task(name="insights.tasks.measure_due", expires=5)
def measure_due() -> None:
    """Looks at every comparison that is due, all flags of an environment in one scan."""
    rounds.measure(timezone.now())


@shared_task(name="insights.tasks.work_on_trials", expires=5)
def work_on_trials() -> None:
    """A piece of the trial that has waited longest, if there is any."""
    with contextlib.suppress(StoreUnavailable):  # its hold runs out, and it is tried again
        trials.work(timezone.now())
