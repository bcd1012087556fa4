"""A request to a hook → verified → read → recorded, and noted for the hook's own page."""

import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from projects.keys import hashed
from projects.models import Environment
from projects.sealing import Unopenable, seal
from releases.changes import record
from releases.elsewhere import merge
from releases.hooks.frame import Delivery, Heard, Ignored, NotVerified, Place, Unreadable
from releases.hooks.providers import PROVIDERS
from releases.models import Change, Hook, HookDelivery
from releases.reported import report
from releases.settled import settle

log = logging.getLogger("flipscope.releases")

REPEATED = timedelta(minutes=10)
KEPT = 50  # deliveries of a hook, for its page
PREFIX_LENGTH = 10
UNOPENABLE = (
    "This hook's secret was sealed under another SECRET_KEY. List that one in "
    "SECRET_KEY_FALLBACKS, or make the hook anew."
)


@dataclass(frozen=True, slots=True)
class Taken:
    """How a delivery ended. `outcome` is recorded, repeated, ignored, refused or unreadable."""

    outcome: str
    said: str
    changes: list[Change]


def make(
    environment: Environment,
    provider: str,
    *,
    created_by: str,
    service: str = "",
    only: str = "",
    secret: str = "",
) -> tuple[Hook, str]:
    """A hook and the token of its address, which is returned here and never again."""
    token = secrets.token_urlsafe(32)
    hook = Hook.objects.create(
        environment=environment,
        provider=provider,
        service=service,
        only=only,
        prefix=token[:PREFIX_LENGTH],
        token_hash=hashed(token),
        sealed_secret=seal(secret or secrets.token_urlsafe(32)),
        created_by=created_by,
    )
    return hook, token


def find(provider: str, token: str) -> Hook | None:
    """The hook of an address, unless it is revoked."""
    if provider not in PROVIDERS or not 20 <= len(token) <= 200:
        return None
    return (
        Hook.objects.select_related("environment__project")
        .filter(provider=provider, token_hash=hashed(token), revoked_at=None)
        .first()
    )


def take(hook: Hook, headers: Mapping[str, str], body: bytes, rest: str, now: datetime) -> Taken:
    """Records what a delivery tells of. It never raises for what a sender can get wrong."""
    provider = PROVIDERS[hook.provider]
    place = place_of(hook.environment, only=hook.only, service=hook.service)
    digest = hashlib.sha256(body).hexdigest()
    with transaction.atomic():
        # One delivery of a hook at a time: two equal ones at once must not count twice.
        Hook.objects.select_for_update().get(id=hook.id)
        try:
            delivery = Delivery(headers, body, place, hook.secret, now, rest)
            provider.verify(delivery)
            taken = _recorded(hook, provider.read(delivery), digest, now)
        except NotVerified as wrong:
            taken = Taken("refused", str(wrong), [])
        except Unopenable:
            taken = Taken("refused", UNOPENABLE, [])
        except Unreadable as wrong:
            taken = Taken("unreadable", str(wrong), [])
        except Ignored as why:
            taken = Taken("ignored", str(why), [])
        _note(hook, taken, digest, now)
    log.info("hook.taken", extra={"hook_id": hook.id, "outcome": taken.outcome})
    return taken


def place_of(environment: Environment, *, only: str = "", service: str = "") -> Place:
    """What is told for an environment, and what is not for it."""
    project = environment.project
    others = project.environments.exclude(id=environment.id).values_list("slug", "name")
    return Place(
        environment_id=environment.id,
        names=frozenset({environment.slug, environment.name.lower()}),
        others=frozenset(name.lower() for pair in others for name in pair),
        only=only,
        service=service,
    )


def _recorded(hook: Hook, all_heard: list[Heard], digest: str, now: datetime) -> Taken:
    if any(not heard.change.external_id for heard in all_heard):
        same = HookDelivery.objects.filter(
            hook=hook, digest=digest, outcome="recorded", at__gt=now - REPEATED
        ).select_related("change")
        if before := same.first():
            changes = [before.change] if before.change else []
            return Taken("repeated", "The same was posted within ten minutes.", changes)
    changes, new = [], False
    for heard in all_heard:
        change, is_new = _one(heard)
        changes.append(change)
        new = new or is_new
    if not new:
        return Taken("repeated", "Known already.", changes)
    return Taken("recorded", "; ".join(change.title for change in changes)[:300], changes)


def _one(heard: Heard) -> tuple[Change, bool]:
    if heard.change.kind == Change.Kind.FLAG:
        return merge(heard.change)
    if heard.state:
        return settle(heard.change, heard.state)
    if heard.if_new:
        return report(heard.change)
    return record(heard.change)


def _note(hook: Hook, taken: Taken, digest: str, now: datetime) -> None:
    HookDelivery.objects.create(
        hook=hook,
        at=now,
        digest=digest,
        outcome=taken.outcome,
        said=taken.said[:300],
        change=taken.changes[0] if taken.changes else None,
    )
    old = HookDelivery.objects.filter(hook=hook).values_list("id", flat=True)[KEPT:]
    HookDelivery.objects.filter(id__in=list(old)).delete()
