"""What changed: one row for each deploy, flag change and marker of an environment."""

from django.db import models
from django.db.models.functions import Now

from projects.models import Environment
from projects.sealing import opened


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
    source = models.CharField(max_length=20, default="api")  # api detected flags hook plan poll
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


class Hook(models.Model):
    """An address that another system posts to. The token in it is stored hashed, and shown once.

    The secret is what signatures are made with: it must be known here to check them, so it is
    sealed (projects.sealing), and shown once too.
    """

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    provider = models.CharField(max_length=20)
    service = models.CharField(max_length=200, blank=True)  # of all that it tells, if not ""
    only = models.CharField(max_length=100, blank=True)  # the provider's name for the environment
    prefix = models.CharField(max_length=20)
    token_hash = models.CharField(max_length=64, unique=True)
    sealed_secret = models.TextField()
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.provider} hook of {self.environment}"

    @property
    def secret(self) -> str:
        """Raises projects.sealing.Unopenable."""
        return opened(self.sealed_secret)


class HookDelivery(models.Model):
    """One request to a hook and how it ended: the latest few are kept for its page."""

    hook = models.ForeignKey(Hook, models.CASCADE, related_name="deliveries")
    at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    outcome = models.CharField(max_length=10)  # recorded, repeated, ignored, refused, unreadable
    said = models.CharField(max_length=300)
    change = models.ForeignKey(Change, models.SET_NULL, related_name="+", null=True, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["hook", "-at", "-id"], name="deliveries_newest_first")]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.said}"


class Source(models.Model):
    """A flag service that is asked, again and again, for what its webhooks may have lost.

    The token is sealed (projects.sealing). Everything up to `read_to` is known; where the history
    is longer than one visit takes, `walk` holds where the next one goes on: {"top", "more"}.
    """

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    provider = models.CharField(max_length=20)
    url = models.URLField(max_length=500)
    project = models.CharField(max_length=100, blank=True)  # the provider's own name for it
    only = models.CharField(max_length=100, blank=True)  # its name for the environment
    sealed_token = models.TextField()
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField()
    read_to = models.DateTimeField()
    walk = models.JSONField(default=dict, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)  # in a row
    error = models.CharField(max_length=300, blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    unread = models.PositiveIntegerField(default=0)  # entries in a form that we do not know

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["next_at"], name="source_due")]

    def __str__(self) -> str:
        return f"{self.provider} of {self.environment}"
