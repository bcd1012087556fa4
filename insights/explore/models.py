"""What people keep of their questions: names, boards, stars, comments."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from projects.models import Environment
from releases.models import Change

LONGEST_ADDRESS = 8000


class SavedQuery(models.Model):
    """A question with a name; its address is all there is to it."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    address = models.CharField(max_length=LONGEST_ADDRESS, blank=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["environment", "name"], name="one_query_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Board(models.Model):
    """Several questions on one page."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    about = models.TextField(blank=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["environment", "name"], name="one_board_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Panel(models.Model):
    """One question on a board."""

    board = models.ForeignKey(Board, models.CASCADE, related_name="panels")
    title = models.CharField(max_length=120)
    note = models.TextField(blank=True)
    address = models.CharField(max_length=LONGEST_ADDRESS, blank=True)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.title


class Star(models.Model):
    """A person's mark on a saved query or on a board."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    query = models.ForeignKey(
        SavedQuery, models.CASCADE, related_name="stars", null=True, blank=True
    )
    board = models.ForeignKey(Board, models.CASCADE, related_name="stars", null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "query"], name="one_star_a_query"),
            models.UniqueConstraint(fields=["user", "board"], name="one_star_a_board"),
            models.CheckConstraint(
                condition=models.Q(query__isnull=True) ^ models.Q(board__isnull=True),
                name="a_star_is_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ★ {self.query or self.board}"


class Comment(models.Model):
    """What somebody saw in an answer; it stands on the timeline as a marker, too."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="+")
    address = models.CharField(max_length=LONGEST_ADDRESS, blank=True)
    text = models.TextField()
    author = models.CharField(max_length=254)
    created_at = models.DateTimeField(db_default=Now())
    change = models.ForeignKey(Change, models.SET_NULL, related_name="+", null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["environment", "created_at"], name="comments_by_time")]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"
