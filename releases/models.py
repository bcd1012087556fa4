"""What changed: one row for each deploy, flag change and marker of an environment."""

from django.db import models
from django.db.models.functions import Now

from projects.models import Environment


class Change(models.Model):
    """One thing that changed an environment at a known time."""

    class Kind(models.TextChoices):
        DEPLOY = "deploy", "Deploy"
        FLAG = "flag", "Flag change"
        MARKER = "marker", "Marker"

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=6, choices=Kind)
    marker_kind = models.CharField(max_length=40, blank=True)  # incident, campaign, config, …
    time = models.DateTimeField()
    end_time = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(db_default=Now())
    title = models.CharField(max_length=300)
    service = models.CharField(max_length=200, blank=True)
    flag = models.CharField(max_length=200, blank=True)
    build_id = models.CharField(max_length=200, blank=True)
    actor = models.CharField(max_length=254, blank=True)
    url = models.URLField(max_length=2000, blank=True)
    source = models.CharField(max_length=20, default="api")  # api, detected, flags, hook, plan
    external_id = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-time", "-id"]
        indexes = [
            models.Index(fields=["environment", "-time", "-id"], name="timeline"),
            models.Index(fields=["environment", "service", "build_id"], name="change_by_build"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "kind", "external_id"],
                condition=~models.Q(external_id=""),
                name="change_counts_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.title}"
