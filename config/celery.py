"""The Celery app and the whole beat schedule as one table."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("flipscope")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    # A beat tick finds what is due in PostgreSQL; a lost or repeated task costs nothing.
    task_ignore_result=True,
    task_acks_late=True,
    task_soft_time_limit=240,
    task_time_limit=300,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": 600},
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={
        "flags.plans": {"task": "flags.tasks.materialise_due", "schedule": 1.0},
        "events.exposures": {"task": "events.tasks.tie_exposures", "schedule": 5.0},
        "events.retention": {"task": "events.tasks.keep_retention", "schedule": 60.0},
        "projects.history": {"task": "projects.tasks.watch_history", "schedule": 60.0},
        "releases.sources": {"task": "releases.tasks.ask_due", "schedule": 15.0},
        "insights.builds": {"task": "insights.tasks.detect_builds", "schedule": 10.0},
        "insights.trials": {"task": "insights.tasks.work_on_trials", "schedule": 5.0},
        "insights.watches": {"task": "insights.tasks.measure_due", "schedule": 5.0},
    },
)
app.autodiscover_tasks(["events", "flags", "insights", "projects", "releases"])
