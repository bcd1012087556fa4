"""What users get: flags of an environment, every version they had, and what is planned."""

from typing import Any

from django.db import models
from django.db.models.functions import Now

from flags.definition import Definition, read
from projects.models import Environment


class FlagQuerySet(models.QuerySet["Flag"]):
    def current(self) -> "FlagQuerySet":
        """Those that are served: all but the archived ones."""
        return self.filter(archived_at=None)


class Flag(models.Model):
    """One flag in one environment, as it is served now; an archived one is served to nobody."""

    class Type(models.TextChoices):
        BOOLEAN = "boolean", "Boolean"
        STRING = "string", "String"
        NUMBER = "number", "Number"
        OBJECT = "object", "Object"

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    type = models.CharField(max_length=7, choices=Type)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=254, blank=True)
    tags = models.JSONField(default=list, blank=True)
    variants = models.JSONField(default=dict)  # name → value
    enabled = models.BooleanField(default=False)
    default_variant = models.CharField(max_length=100, blank=True)
    off_variant = models.CharField(max_length=100, blank=True)
    rules = models.JSONField(default=list, blank=True)
    targeting = models.JSONField(null=True, blank=True)  # raw JsonLogic in place of rules
    metadata = models.JSONField(default=dict, blank=True)  # sent along with every answer
    remove_by = models.DateField(null=True, blank=True)  # when its code should be gone
    version = models.PositiveIntegerField(default=1)
    # Counts every write that may alter what is served, plans too: caches compare sums of it.
    revision = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by = models.CharField(max_length=254, blank=True)

    objects = FlagQuerySet.as_manager()

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["environment", "key"], name="flag_key_in_environment")
        ]

    def __str__(self) -> str:
        return self.key

    def served(self) -> dict[str, Any]:
        """What users get, in the form that `flags.definition.read` takes."""
        return {
            "type": self.type,
            "variants": self.variants,
            "enabled": self.enabled,
            "default_variant": self.default_variant,
            "off_variant": self.off_variant,
            "rules": self.rules,
            "targeting": self.targeting,
            "metadata": self.metadata,
        }

    def definition(self) -> Definition:
        """The frozen form that is compiled, said in words and compared."""
        return read(self.key, self.served(), self.version)


class FlagVersion(models.Model):
    """A flag's definition as one act left it."""

    flag = models.ForeignKey(Flag, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    definition = models.JSONField()
    at = models.DateTimeField(db_default=Now())  # from when on it was in force
    recorded_at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=254)
    reason = models.TextField(blank=True)
    change_id = models.BigIntegerField(null=True, blank=True)  # releases.Change, when it made one

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["flag", "version"], name="flag_version")]

    def __str__(self) -> str:
        return f"{self.flag} version {self.version}"


class Segment(models.Model):
    """Who belongs to a group that flags of an environment name."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    definition = models.JSONField()  # as flags.segments.read_segment takes it
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "name"], name="segment_name_in_environment"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Policy(models.Model):
    """What an environment asks of changes to its flags."""

    environment = models.OneToOneField(Environment, models.CASCADE, related_name="+")
    approval = models.BooleanField(default=False)  # by another person

    def __str__(self) -> str:
        return f"policy of {self.environment}"


class Freeze(models.Model):
    """A window in which flags of an environment are not to be changed."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    begins = models.DateTimeField()
    ends = models.DateTimeField()
    actor = models.CharField(max_length=254)

    class Meta:
        ordering = ["begins", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends__gt=models.F("begins")), name="freeze_ends_after_it_begins"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Launch(models.Model):
    """Planned changes with a name and a page: one flag's, or several flags' together."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    actor = models.CharField(max_length=254)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    approval_needed = models.BooleanField(default=False)
    approved_by = models.CharField(max_length=254, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["environment", "-created_at"], name="launches")]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """One flag's part in a launch: steps, each at its second."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting for approval"
        PLANNED = "planned", "Planned"
        RUNNING = "running", "Under way"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        EXPIRED = "expired", "Expired"
        OVERTAKEN = "overtaken", "Overtaken by an edit"

    LIVE = (Status.PLANNED, Status.RUNNING)  # these are compiled into what is served
    OPEN = (*LIVE, Status.WAITING, Status.PAUSED)

    launch = models.ForeignKey(Launch, models.CASCADE, related_name="plans")
    flag = models.ForeignKey(Flag, models.CASCADE, related_name="plans")
    kind = models.CharField(max_length=5)  # once, ramp, steps
    asked = models.JSONField()  # as it was asked for
    status = models.CharField(max_length=9, choices=Status, default=Status.PLANNED)
    at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    wall = models.CharField(max_length=32)  # what was written, in `timezone`
    timezone = models.CharField(max_length=64)
    tzdata = models.CharField(max_length=40)
    flag_version = models.PositiveIntegerField()  # what whoever planned was looking at
    note = models.TextField(blank=True)  # why it ended as it did
    paused_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["status", "at"], name="plans_by_time")]

    def __str__(self) -> str:
        return f"plan {self.pk} of {self.flag}"


class Step(models.Model):
    """One second at which a plan changes what is served; materialised once."""

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    act = models.JSONField()  # as flags.acts.applied takes it
    done = models.BooleanField(default=False)  # materialised, or dropped with its plan
    effective_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(null=True, blank=True)  # of the flag, after it
    change_id = models.BigIntegerField(null=True, blank=True)  # releases.Change

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="step_number_in_plan")
        ]
        indexes = [
            models.Index(fields=["at"], condition=models.Q(done=False), name="steps_to_come")
        ]

    def __str__(self) -> str:
        return f"step {self.number} of {self.plan}"
