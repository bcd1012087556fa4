"""Watches: comparisons that are kept fresh, each with the result of its latest look."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Now

from insights.explore.models import Board, Comment, Panel, SavedQuery, Star
from insights.trials.models import Trial
from projects.models import Environment
from releases.models import Change

__all__ = ["Board", "Comment", "Panel", "SavedQuery", "Star", "Trial", "Watch"]


FLAG_LENGTH = timedelta(days=14)
MOMENT_LENGTH = timedelta(hours=1)


class Watch(models.Model):
    """One comparison of two cohorts from its own start, and what the latest look found.

    `result` holds what `insights.results.Result` writes: cohorts, deltas, findings, sample ratio.
    A watch has one start for good: an e-value is valid from one start only.
    """

    class Subject(models.TextChoices):
        FLAG = "flag", "Variants of a flag"
        BUILD = "build", "Builds of a service"
        MOMENT = "moment", "Before and after a moment"

    class Verdict(models.TextChoices):
        WORSE = "worse", "Worse"
        BETTER = "better", "Better"
        NO_DIFFERENCE = "no_difference", "No difference"
        UNKNOWN = "unknown", "Not known yet"

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    subject = models.CharField(max_length=6, choices=Subject)
    change = models.ForeignKey(Change, models.CASCADE, related_name="+", null=True, blank=True)
    flag = models.CharField(max_length=200, blank=True)
    service = models.CharField(max_length=200, blank=True)
    baseline = models.CharField(max_length=200, blank=True)  # variant or build id
    candidate = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # what it compares stopped being so
    planned_end = models.DateTimeField(null=True, blank=True)  # known before it was looked at
    length = models.JSONField(default=dict, blank=True)  # looks until then: insights.fixed_length
    created_at = models.DateTimeField(db_default=Now())
    looked_at = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True)  # null: no more looks
    looks = models.PositiveIntegerField(default=0)
    verdict = models.CharField(max_length=13, choices=Verdict, default=Verdict.UNKNOWN)
    headline = models.TextField(blank=True)  # the best sentence, or why there is none
    evidence = models.CharField(max_length=12, blank=True)
    findings_count = models.PositiveIntegerField(default=0)
    decided_at = models.DateTimeField(null=True, blank=True)  # first look with worse or better
    result = models.JSONField(default=dict, blank=True)
    history = models.JSONField(default=list, blank=True)  # headline delta's interval, look by look

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["next_look_at"], name="watch_due"),
            models.Index(fields=["environment", "flag"], name="watch_by_flag"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "subject", "flag", "service", "candidate", "started_at"],
                name="one_watch_a_start",
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.flag or self.service} {self.candidate}"

    @property
    def by_moment(self) -> bool:
        """Whether it is about the hour of a moment, not about all the time since."""
        return self.subject != self.Subject.FLAG or self.evidence == "before_after"

    @property
    def compared_since(self) -> datetime:
        """From when on both sides are compared: a variant may have come later than its change."""
        since = self.result.get("since")
        if not since or self.evidence == "before_after":
            return self.started_at
        return max(datetime.fromisoformat(since), self.started_at)

    @property
    def is_narrowed(self) -> bool:
        """Whether that is clearly later than its start."""
        return self.compared_since - self.started_at > timedelta(minutes=1)

    def is_over(self, at: datetime) -> bool:
        """Whether what it compares had ended by then: only late events may still add to it."""
        if self.ended_at is not None and self.ended_at <= at:
            return True
        return at > self.ends_at

    @property
    def ends_at(self) -> datetime:
        """The latest time that it compares."""
        return self.started_at + (MOMENT_LENGTH if self.by_moment else FLAG_LENGTH)

    @property
    def is_closed(self) -> bool:
        """Whether it was over at its latest look, so that what was said then is the last word."""
        return self.looked_at is not None and self.is_over(self.looked_at)

    @property
    def shown(self) -> str:
        """The verdict as pages tell it: one that will not come any more is not awaited."""
        undecided = self.verdict == self.Verdict.UNKNOWN
        return "ended" if undecided and self.is_closed else self.verdict
