"""Who: people, projects, environments, memberships, keys and the audit log."""

from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

SLUG = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z",
    "Use 1 to 40 lower-case letters, digits and hyphens, neither first nor last a hyphen.",
)


def validate_timezone(value: str) -> None:
    """Raises ValidationError unless `value` is a name of the IANA time zone database."""
    if value not in available_timezones():
        raise ValidationError(
            f"{value} is not an IANA time zone. Write for example Europe/Berlin or UTC."
        )


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    EDITOR = "editor", "Editor"
    ADMIN = "admin", "Admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person, known by e-mail address."""

    class Theme(models.TextChoices):
        AUTO = "auto", "As the system"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    username = None  # type: ignore[assignment]  # the e-mail address is the name
    first_name = None  # type: ignore[assignment]  # one name field holds any name
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, blank=True)
    theme = models.CharField(max_length=5, choices=Theme, default=Theme.AUTO)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[assignment,misc]  # creates by e-mail address

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email


class Project(models.Model):
    """A tenant."""

    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class Environment(models.Model):
    """A place where a project's software runs, with a time zone of its own."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="environments")
    slug = models.CharField(max_length=40, validators=[SLUG])
    name = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_timezone])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="environment_slug_in_project")
        ]

    def __str__(self) -> str:
        return f"{self.project.slug}/{self.slug}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Membership(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_membership_a_project")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project} as {self.role}"


class Invitation(models.Model):
    """A link that lets one person join; its token is stored hashed and shown once."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations")
    email = models.EmailField(blank=True)
    role = models.CharField(max_length=6, choices=Role)
    token_hash = models.CharField(max_length=64, unique=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.CharField(max_length=254, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.role} in {self.project}"


class Key(models.Model):
    """A secret of an environment (ingest, server, client) or of a project (api)."""

    class Kind(models.TextChoices):
        INGEST = "ingest", "Ingest"
        SERVER = "server", "Server"
        CLIENT = "client", "Client"
        API = "api", "API"

    project = models.ForeignKey(Project, models.CASCADE, related_name="keys")
    environment = models.ForeignKey(
        Environment, models.CASCADE, related_name="keys", null=True, blank=True
    )
    kind = models.CharField(max_length=6, choices=Kind)
    role = models.CharField(max_length=6, choices=Role, blank=True)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20)
    hash = models.CharField(max_length=64, unique=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="api", environment=None, role__gt="")
                | (~models.Q(kind="api") & models.Q(environment__isnull=False, role="")),
                name="key_belongs_to_environment_or_is_api",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} key {self.name} ({self.prefix}…)"


class AuditEntry(models.Model):
    """One act of one actor, kept for good: a link of its project's chain (projects.chain).

    The database numbers and hashes a row when its transaction commits, and refuses to change or
    delete it ever after.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="audit_entries")
    environment = models.ForeignKey(
        Environment, models.PROTECT, related_name="audit_entries", null=True, blank=True
    )
    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.CharField(max_length=255)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    reason = models.TextField(blank=True)
    version = models.PositiveIntegerField(null=True, blank=True)  # of the object, after the act
    effective_at = models.DateTimeField(null=True, blank=True)  # where it is not when it was noted
    number = models.PositiveBigIntegerField(null=True, editable=False)  # in the project's chain
    previous = models.CharField(max_length=64, blank=True, editable=False)
    hash = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "-id"], name="audit_newest_first"),
            models.Index(fields=["environment", "-id"], name="audit_of_environment"),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(actor=""), name="audit_names_an_actor"),
            models.UniqueConstraint(fields=["project", "number"], name="audit_number_in_project"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type} {self.object_id}"


class HistoryCheck(models.Model):
    """How far a project's chain was read and found whole (projects.watching).

    `number` and `hash` are its last link then: what comes later must follow from it, and it must
    stay where it is. `again_to` is how far the chain was read once more since. What was found
    broken stays so: `found_at` is when it was noticed first.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="+")
    number = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)
    again_to = models.PositiveBigIntegerField(default=0)
    checked_at = models.DateTimeField()
    broken_at = models.PositiveBigIntegerField(null=True, blank=True)
    why = models.CharField(max_length=200, blank=True)
    found_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"check of {self.project}"
