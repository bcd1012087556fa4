"""Beat's task: thin, idempotent, finding what is due in PostgreSQL."""

from celery import shared_task
from django.utils import timezone

from flags import schedule


@shared_task(name="flags.tasks.materialise_due", expires=2)
def materialise_due() -> None:
    """Planned steps whose second has passed are written down; what missed its time expires."""
    now = timezone.now()
    schedule.materialise(now)
    schedule.expire(now)
