"""Trials: how far each is, and what it found."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from projects.models import Environment


class Trial(models.Model):
    """Flags that do nothing, tried on one environment's own hours.

    `done` flags are counted in `shown` and `plain_alarms`; a worker that holds the trial counts
    more only while `done` is what it began from, so that no flag counts twice.
    """

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()
    flags = models.PositiveIntegerField(default=200)
    done = models.PositiveIntegerField(default=0)
    shown = models.PositiveIntegerField(default=0)  # with a verdict at any look
    plain_alarms = models.PositiveIntegerField(default=0)
    found = models.JSONField(default=list, blank=True)  # the verdicts there were
    within = models.JSONField(default=list, blank=True)  # last interval of p50, flag by flag
    about = models.JSONField(default=dict, blank=True)  # events, users, one_in
    asked_by = models.CharField(max_length=254)
    asked_at = models.DateTimeField(db_default=Now())
    held_until = models.DateTimeField(null=True, blank=True)  # by the worker that is at it
    finished_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)  # why there is no answer

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment"], condition=Q(finished_at=None), name="one_trial_at_a_time"
            ),
            models.CheckConstraint(condition=Q(done__lte=models.F("flags")), name="done_of_flags"),
        ]

    def __str__(self) -> str:
        return f"trial of {self.environment}: {self.done} of {self.flags}"

    @property
    def percent(self) -> int:
        return 100 * self.done // max(self.flags, 1)
