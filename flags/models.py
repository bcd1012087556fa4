"""What users get: flags of an environment and every version they had."""

from typing import Any

from django.db import models
from django.db.models.functions import Now

from flags.definition import Definition, read
from projects.models import Environment


class Flag(models.Model):
    """One flag in one environment, as it is served now."""

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
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

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
        }

    def definition(self) -> Definition:
        """The frozen form that is compiled, said in words and compared."""
        return read(self.key, self.served(), self.version)


class FlagVersion(models.Model):
    """A flag's definition as one act left it."""

    flag = models.ForeignKey(Flag, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    definition = models.JSONField()
    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=254)
    reason = models.TextField(blank=True)
    change_id = models.BigIntegerField(null=True, blank=True)  # releases.Change, when it made one

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["flag", "version"], name="flag_version")]

    def __str__(self) -> str:
        return f"{self.flag} version {self.version}"
