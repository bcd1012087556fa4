"""Beat's task of this room: which flag services to ask now, and asking one of them."""

from celery import shared_task
from django.utils import timezone

from releases import asking


@shared_task(name="releases.tasks.ask_due", expires=10)
def ask_due() -> None:
    """Hands each source whose time has come to a worker; the claim is in PostgreSQL."""
    for source_id in asking.due(timezone.now()):
        ask.delay(source_id)


@shared_task(name="releases.tasks.ask")
def ask(source_id: int) -> None:
    """One visit. Given twice, it finds nothing new."""
    asking.visit(source_id)
