"""Writes to what people keep: saved questions, boards, stars, comments, markers by hand."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.http import QueryDict

from insights.explore.models import LONGEST_ADDRESS, Board, Comment, Panel, SavedQuery, Star
from insights.explore.question import read
from projects import audit
from projects.access import Access
from projects.models import Environment, User
from releases.changes import NewChange, record
from releases.models import Change
from releases.posted import FURTHEST_AHEAD, OLDEST

RECENT = 20
RECENT_S = 30 * 86_400
MOST_PANELS = 40


class KeepingError(Exception):
    """What can't be kept so, in words for the person who asked."""


@dataclass(frozen=True, slots=True)
class Recent:
    address: str
    asked_at: datetime


def canonical(address: str) -> str:
    """An address as Explore itself would write it. Raises KeepingError."""
    found = read(QueryDict(address.removeprefix("?"))).address()
    if len(found) > LONGEST_ADDRESS:
        raise KeepingError("This question is too long to be kept.")
    return found


def save(access: Access, name: str, address: str) -> SavedQuery:
    """A new saved question, or the one of that name with a new address. Raises KeepingError."""
    found, _ = SavedQuery.objects.update_or_create(
        environment=access.environment,
        name=_name(name),
        defaults={"address": canonical(address), "created_by": access.actor},
    )
    _told(access, "query.saved", "query", found.name)
    return found


def new_board(access: Access, name: str, about: str = "") -> Board:
    """Raises KeepingError where the name is taken."""
    try:
        with transaction.atomic():
            board = Board.objects.create(
                environment=access.environment,
                name=_name(name),
                about=about.strip()[:2000],
                created_by=access.actor,
            )
    except IntegrityError:
        raise KeepingError(f"There is a board named {name.strip()} already.") from None
    _told(access, "board.created", "board", board.name)
    return board


def add_panel(access: Access, board: Board, title: str, address: str, note: str = "") -> Panel:
    """At the end of a board. Raises KeepingError."""
    if board.panels.count() >= MOST_PANELS:
        raise KeepingError(f"A board holds {MOST_PANELS} panels.")
    last = board.panels.aggregate(last=Max("position"))["last"]
    panel = Panel.objects.create(
        board=board,
        title=_name(title),
        note=note.strip()[:2000],
        address=canonical(address),
        position=0 if last is None else last + 1,
    )
    _told(access, "board.changed", "board", board.name)
    return panel


def move(panel: Panel, by: int) -> None:
    """One place up (−1) or down (1)."""
    panels = list(panel.board.panels.all())
    at = next(place for place, one in enumerate(panels) if one.id == panel.id)
    to = min(max(at + by, 0), len(panels) - 1)
    panels.insert(to, panels.pop(at))
    for position, one in enumerate(panels):
        Panel.objects.filter(id=one.id).update(position=position)


def remove(access: Access, thing: SavedQuery | Board | Panel) -> None:
    what = {"SavedQuery": "query", "Board": "board", "Panel": "panel"}[type(thing).__name__]
    _told(access, f"{what}.deleted", what, str(thing))
    thing.delete()


def star(user: User, thing: SavedQuery | Board) -> bool:
    """Turns a person's star on or off; True when it is on now."""
    of = {"query": thing} if isinstance(thing, SavedQuery) else {"board": thing}
    deleted, _ = Star.objects.filter(user=user, **of).delete()
    if deleted:
        return False
    with contextlib.suppress(IntegrityError), transaction.atomic():
        Star.objects.create(user=user, **of)
    return True


def comment(access: Access, address: str, text: str, now: datetime) -> Comment:
    """A remark about an answer, with a marker that leads to it. Raises KeepingError."""
    text = text.strip()
    if not 0 < len(text) <= 2000:
        raise KeepingError("A comment has 1 to 2000 characters.")
    address = canonical(address)
    here = f"/{access.project.slug}/{access.environment.slug}/explore"
    url = f"{settings.PUBLIC_URL}{here}?{address}"
    change, _ = record(
        NewChange(
            environment_id=access.environment.id,
            kind=Change.Kind.MARKER,
            marker_kind="comment",
            time=now,
            title=text if len(text) <= 120 else f"{text[:119]}…",
            actor=access.actor,
            url=url if len(url) <= 2000 else "",
            source="page",
        )
    )
    return Comment.objects.create(
        environment=access.environment,
        address=address,
        text=text,
        author=access.actor,
        change=change,
    )


def mark(
    access: Access,
    *,
    title: str,
    time: datetime,
    kind: str,
    service: str,
    url: str,
    now: datetime,
) -> Change:
    """A marker by hand, of the times that the API takes too. Raises KeepingError."""
    title = title.strip()
    if not 0 < len(title) <= 300:
        raise KeepingError("A marker's title has 1 to 300 characters.")
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise KeepingError("A marker's link begins with http:// or https://.")
    if not now - OLDEST <= time <= now + FURTHEST_AHEAD:
        raise KeepingError("A marker's time is from a year ago to an hour ahead.")
    change, _ = record(
        NewChange(
            environment_id=access.environment.id,
            kind=Change.Kind.MARKER,
            marker_kind=kind.strip()[:40] or "marker",
            time=time,
            title=title,
            service=service.strip()[:200],
            actor=access.actor,
            url=url[:2000],
            source="page",
        )
    )
    _told(access, "marker.added", "change", str(change.id))
    return change


def saved(environment: Environment, user: User) -> QuerySet[SavedQuery]:
    """All saved questions, this person's starred ones first; `starred` on each."""
    mine = Star.objects.filter(user=user, query=OuterRef("pk"))
    found = SavedQuery.objects.filter(environment=environment)
    return found.annotate(starred=Exists(mine)).order_by("-starred", "name")


def boards(environment: Environment, user: User) -> QuerySet[Board]:
    mine = Star.objects.filter(user=user, board=OuterRef("pk"))
    found = Board.objects.filter(environment=environment)
    return found.annotate(starred=Exists(mine)).order_by("-starred", "name")


def comments(environment: Environment, address: str) -> QuerySet[Comment]:
    """What was said of one question."""
    return Comment.objects.filter(environment=environment, address=address)


def remember(environment: Environment, user: User, address: str, now: datetime) -> None:
    """A person's own history: kept in the cache, as nothing depends on it."""
    if not address or len(address) > LONGEST_ADDRESS:
        return
    key = f"recent:{environment.id}:{user.pk}"
    earlier: list[tuple[str, datetime]] = cache.get(key) or []
    kept = [(address, now), *(one for one in earlier if one[0] != address)][:RECENT]
    cache.set(key, kept, RECENT_S)


def recent(environment: Environment, user: User) -> list[Recent]:
    found: list[tuple[str, datetime]] = cache.get(f"recent:{environment.id}:{user.pk}") or []
    return [Recent(*one) for one in found]


def _name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= 120:
        raise KeepingError("A name has 1 to 120 characters.")
    return name


def _told(access: Access, action: str, what: str, name: str) -> None:
    audit.record(
        project=access.project,
        environment=access.environment,
        actor=access.actor,
        action=action,
        object_type=what,
        object_id=name,
    )
