"""Celery's tasks of this room: thin, idempotent, and with no arguments that matter."""

import logging

from celery import shared_task
from django.utils import timezone

from events import retention, tied
from events.store.client import StoreUnavailable

log = logging.getLogger("flipscope.events")


@shared_task(name="events.tasks.tie_exposures", expires=5)
def tie_exposures() -> None:
    """Exposures of users outside any trace → the traces of their later requests."""
    try:
        tied.tie_all(timezone.now())
    except StoreUnavailable as error:
        log.warning("exposures.not_tied", extra={"error": str(error)})


@shared_task(name="events.tasks.keep_retention", expires=55)
def keep_retention() -> None:
    """What each environment keeps → the store; and deletions that were asked for."""
    try:
        retention.apply(timezone.now())
    except StoreUnavailable as error:
        log.warning("retention.not_applied", extra={"error": str(error)})
