"""Keys: minted once, stored hashed, found fast.

A secret is 256 random bits, so one round of SHA-256 protects it as well as a slow password hash
would (there is no dictionary to try), and costs the intake nothing.
"""

import hashlib
import logging
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error as AnyDatabaseError
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from projects.models import Environment, Key, Project
from web.errors import StoreAway

log = logging.getLogger("flipscope.projects")

REMEMBERED_S = 5.0  # how long a revoked key may still work in a process that knew it
REMEMBERED = 10_000
PREFIX_LENGTH = 14
TOUCHED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whoever sent a valid key, and where it belongs."""

    key_id: int
    kind: str
    name: str
    role: str
    project_id: int
    project_slug: str
    environment_id: int | None
    environment_slug: str
    timezone: str

    @property
    def actor(self) -> str:
        return named(self.kind, self.name)


def named(kind: str, name: str) -> str:
    """A key as the record names it: API key “ci”."""
    return f"{Key.Kind(kind).label} key “{name}”"


def people_behind(project: Project, actor: str) -> set[str]:
    """Who may have acted under a name on the record: whoever made a key of that name, or they.

    Several keys may share a name, so this says who can't be ruled out.
    """
    made = Key.objects.filter(project=project).values_list("kind", "name", "created_by")
    return {by for kind, name, by in made if named(kind, name) == actor} or {actor}


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def mint(
    owner: Environment | Project,
    kind: str,
    *,
    name: str,
    created_by: str,
    role: str = "",
) -> tuple[Key, str]:
    """A new key and its secret, which is returned here and never again.

    Keys of kind api belong to a project and have a role; the others belong to an environment.
    """
    secret = f"fs_{kind}_{secrets.token_urlsafe(32)}"
    environment = owner if isinstance(owner, Environment) else None
    project = owner.project if isinstance(owner, Environment) else owner
    key = Key.objects.create(
        project=project,
        environment=environment,
        kind=kind,
        role=role or "",
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        hash=hashed(secret),
        created_by=created_by,
    )
    return key, secret


_known: dict[str, tuple[float, KeyHolder | None]] = {}
_touched: dict[int, float] = {}
_lock = threading.Lock()


def find(secret: str, *, kinds: tuple[str, ...]) -> KeyHolder | None:
    """Whom a secret belongs to, if it is one of these kinds and not revoked.

    Remembered in the process for a few seconds, misses too, so that the intake asks the database
    a few times a minute and not for every request.
    """
    if not secret or len(secret) > 200:
        return None
    digest = hashed(secret)
    now = time.monotonic()
    known = _known.get(digest)
    if known is None or known[0] < now:
        known = (now + REMEMBERED_S, _look_up_or_recall(digest, known))
        with _lock:
            if len(_known) >= REMEMBERED:
                _known.clear()
            _known[digest] = known
    holder = known[1]
    if holder is None or holder.kind not in kinds:
        return None
    touch(holder.key_id)
    return holder


def _look_up_or_recall(
    digest: str, known: tuple[float, KeyHolder | None] | None
) -> KeyHolder | None:
    """While the database is away a key that was good stays good; of others nothing can be said."""
    try:
        return _look_up(digest)
    except (OperationalError, InterfaceError) as error:
        log.warning("key.recalled", extra={"known": known is not None})
        if known is not None and known[1] is not None:
            return known[1]
        raise StoreAway("The database does not answer right now. Try again in a moment.") from error


def forget() -> None:
    """Drops what this process remembers: after a key is revoked here, and between tests."""
    with _lock:
        _known.clear()
        _touched.clear()


def _look_up(digest: str) -> KeyHolder | None:
    key = (
        Key.objects.select_related("project", "environment")
        .filter(hash=digest, revoked_at=None)
        .first()
    )
    if key is None:
        return None
    environment = key.environment
    return KeyHolder(
        key_id=key.id,
        kind=key.kind,
        name=key.name,
        role=key.role,
        project_id=key.project_id,
        project_slug=key.project.slug,
        environment_id=key.environment_id,
        environment_slug=environment.slug if environment else "",
        timezone=environment.timezone if environment else "UTC",
    )


def touch(key_id: int) -> None:
    """Notes that a key was used, at most once a minute; never fails a request."""
    now = time.monotonic()
    if now - _touched.get(key_id, -1e9) < TOUCHED_EVERY.total_seconds():
        return
    _touched[key_id] = now
    at = timezone.now()
    try:
        Key.objects.filter(
            Q(last_used_at=None) | Q(last_used_at__lt=at - TOUCHED_EVERY), id=key_id
        ).update(last_used_at=at)
    except AnyDatabaseError:
        log.warning("key.touch_failed", extra={"key_id": key_id})


def secret_of(request: HttpRequest) -> str:
    """The key that a request carries, in any of the headers that clients use; "" if none."""
    authorization = str(request.headers.get("Authorization", ""))
    if authorization:
        scheme, _, rest = authorization.partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else authorization.strip()
    for header in ("X-API-Key", "X-Honeycomb-Team"):
        if value := request.headers.get(header):
            return str(value).strip()
    return ""
