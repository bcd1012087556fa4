"""Sources as people handle them: made, given another token, asked now, stopped; and their state."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from projects import audit
from projects.access import Access
from projects.models import Environment
from projects.sealing import seal
from releases.audits.auditors import AUDITORS
from releases.models import Change, Hook, Source

FIRST = timedelta(days=7)  # how far back the first visit goes
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """A source as its page section tells of it. `missed` are changes that no webhook brought since
    it was made; `hooked` whether there is a webhook at all that could have."""

    source: Source
    name: str
    missed: int
    latest: list[Change]
    hooked: bool


def make(access: Access, environment: Environment, now: datetime, **given: Any) -> Source:
    """A source that is asked at once."""
    source = Source.objects.create(
        environment=environment,
        sealed_token=seal(given.pop("token")),
        created_by=access.actor,
        next_at=now,
        read_to=now - FIRST,
        **given,
    )
    told = {"url": source.url, "project": source.project}
    audit.record_by(access, environment, "source.made", _named(source), after=told)
    return source


def give_token(access: Access, source: Source, token: str, now: datetime) -> None:
    """Another token, tried at once."""
    Source.objects.filter(id=source.id).update(sealed_token=seal(token), failures=0, next_at=now)
    audit.record_by(access, source.environment, "source.token_given", _named(source))


def ask_now(source: Source, now: datetime) -> None:
    Source.objects.filter(id=source.id, stopped_at=None).update(next_at=now)


def stop(access: Access, source: Source, now: datetime) -> None:
    """It is asked no more, and its token is gone."""
    stopped = Source.objects.filter(id=source.id, stopped_at=None)
    if stopped.update(stopped_at=now, sealed_token=""):
        told = {"url": source.url}
        audit.record_by(access, source.environment, "source.stopped", _named(source), before=told)


def listed(access: Access) -> list[Shown]:
    """The project's sources, the newest first."""
    found = Source.objects.filter(environment__project=access.project, stopped_at=None)
    return [_shown(source) for source in found.select_related("environment__project")]


def _shown(source: Source) -> Shown:
    missed = Change.objects.filter(
        environment=source.environment,
        kind=Change.Kind.FLAG,
        source="poll",
        details__source_id=source.id,
        time__gte=source.created_at,
    )
    hooks = Hook.objects.filter(
        environment=source.environment, provider=source.provider, revoked_at=None
    )
    name = AUDITORS[source.provider].name
    return Shown(source, name, missed.count(), list(missed[:SHOWN]), hooks.exists())


def _named(source: Source) -> str:
    return f"{source.provider} {source.id}"
