"""Beat's task of this room: is the history still what was written?"""

from celery import shared_task
from django.utils import timezone

from projects import watching


@shared_task(name="projects.tasks.watch_history", expires=60)
def watch_history() -> None:
    """Goes on reading each project's chain; what is broken is logged and said on its pages."""
    watching.look_at_some(timezone.now())
