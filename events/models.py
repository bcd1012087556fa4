"""What arrived and what was refused, counted by minute for the Data page. Events live elsewhere."""

from django.db import models

from projects.models import Environment, Key


class Arrival(models.Model):
    """How much one service sent in one form within one minute."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    minute = models.DateTimeField()
    service = models.CharField(max_length=200)
    form = models.CharField(max_length=40)
    client = models.CharField(max_length=200, blank=True)
    events = models.BigIntegerField(default=0)
    exposures = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    lag_ms = models.BigIntegerField(default=0)  # sum over events of received less time
    with_user = models.BigIntegerField(default=0)
    with_build = models.BigIntegerField(default=0)
    weight = models.FloatField(default=0)  # sum of sample rates: how many requests they stand for

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "minute", "service", "form", "client"],
                name="one_arrival_row_a_minute",
            )
        ]

    def __str__(self) -> str:
        return f"{self.events} events of {self.service} at {self.minute}"


class Refusal(models.Model):
    """How often one reason led to something being refused or set aside within one minute."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    minute = models.DateTimeField()
    form = models.CharField(max_length=40)
    reason = models.CharField(max_length=60)
    what = models.CharField(max_length=10)  # request, event, value, exposure
    count = models.BigIntegerField(default=0)
    example = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "minute", "form", "reason", "what"],
                name="one_refusal_row_a_minute",
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.reason} at {self.minute}"


class KeyLimits(models.Model):
    """What an admin allows one key, where it is not the default of the settings."""

    key = models.OneToOneField(Key, models.CASCADE, related_name="+")
    body_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    unpacked_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    attributes = models.PositiveIntegerField(null=True, blank=True)
    value_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    events_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    fields = models.PositiveIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return f"limits of {self.key}"


class Tied(models.Model):
    """Until when an environment's exposures outside traces are tied to requests (events.tied)."""

    environment = models.OneToOneField(Environment, models.CASCADE, related_name="+")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.environment} until {self.until}"


class Retention(models.Model):
    """How long one environment's events are kept; 0 days is until they are deleted."""

    environment = models.OneToOneField(Environment, models.CASCADE, related_name="+")
    days = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.environment} {self.days} days"


class UserDeletion(models.Model):
    """A request to delete one user's events; once done only the beginning of the id is left."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    user_id = models.CharField(max_length=1000)
    asked_by = models.CharField(max_length=254)
    asked_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)
    events = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"deletion {self.id} in {self.environment}"
