"""What arrived and what was refused, counted by minute for the Data page. Events live elsewhere."""

from django.db import models

from projects.models import Environment


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
