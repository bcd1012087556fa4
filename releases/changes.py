"""The timeline: anything that changed an environment is recorded and read here.

A change counts once: the same (environment, kind, external id) is the same change, held by a
constraint of the database, so that two deliveries at once cannot make two.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from releases.models import Change
from releases.written import adopt, is_of

log = logging.getLogger("flipscope.releases")

SAME_DEPLOY = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class NewChange:
    """What is to be recorded. `external_id` makes it count once; times are aware."""

    environment_id: int
    kind: str
    time: datetime
    title: str
    service: str = ""
    flag: str = ""
    build_id: str = ""
    actor: str = ""
    url: str = ""
    source: str = "api"
    marker_kind: str = ""
    external_id: str = ""
    end_time: datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)


def record(new: NewChange) -> tuple[Change, bool]:
    """(the change, whether it is new). The same external id again answers the first one.

    A posted deploy takes over the one that was detected from telemetry for the same build within
    half an hour: posted facts win, and the build is on the timeline once.
    """
    if new.external_id and (known := _known(new)):
        return known, False
    try:
        with transaction.atomic():
            if new.kind == Change.Kind.DEPLOY and (detected := _detected(new)):
                return _taken_over(detected, new), True
            change = Change.objects.create(**_fields(new))
    except IntegrityError:
        known = _known(new)
        if known is None:
            raise
        return known, False
    log.info("change.recorded", extra={"change_id": change.id, "kind": change.kind})
    return change, True


def _fields(new: NewChange) -> dict[str, Any]:
    return {name: getattr(new, name) for name in NewChange.__dataclass_fields__}


def _known(new: NewChange) -> Change | None:
    return Change.objects.filter(
        environment_id=new.environment_id, kind=new.kind, external_id=new.external_id
    ).first()


def _detected(new: NewChange) -> Change | None:
    near = Change.objects.select_for_update().filter(
        environment_id=new.environment_id,
        kind=Change.Kind.DEPLOY,
        source="detected",
        service=new.service,
        time__range=(new.time - SAME_DEPLOY, new.time + SAME_DEPLOY),
    )
    posted = Change(build_id=new.build_id, details=new.details)
    return next((one for one in near if is_of(posted, one.build_id)), None)


def _taken_over(detected: Change, new: NewChange) -> Change:
    detected.details = {"first_seen": detected.time.isoformat()}
    seen_as = detected.build_id
    for name, value in _fields(new).items():
        if name == "details":
            detected.details |= value
        else:
            setattr(detected, name, value)
    adopt(detected, seen_as)
    detected.save()
    return detected


def record_detected_build(
    environment_id: int, service: str, build_id: str, first_seen: datetime
) -> bool:
    """Records a build that telemetry shows and nobody announced. True if it is a new deploy.

    It is none where that build's deploy stands within half an hour of `first_seen`, or where it is
    the newest deploy of the service before then. A return to an earlier build is a deploy again.
    """
    deploys = Change.objects.filter(
        environment_id=environment_id, kind=Change.Kind.DEPLOY, service=service
    )
    near = deploys.filter(time__range=(first_seen - SAME_DEPLOY, first_seen + SAME_DEPLOY))
    newest = deploys.filter(time__lte=first_seen).first()
    for one in (*near, *([newest] if newest else [])):
        if is_of(one, build_id):
            adopt(one, build_id)
            return False
    external_id = f"seen:{service}:{build_id}:{int(first_seen.timestamp()) // 3600}"
    _, created = record(
        NewChange(
            environment_id=environment_id,
            kind=Change.Kind.DEPLOY,
            time=first_seen,
            title=f"{service} build {build_id}",
            service=service,
            build_id=build_id,
            actor="seen in telemetry",
            source="detected",
            external_id=external_id[:200],
        )
    )
    return created


def since(environment_id: int, change_id: int) -> list[Change]:
    """What was recorded after a change, oldest first: how higher rooms pull the news."""
    return list(
        Change.objects.filter(environment_id=environment_id, id__gt=change_id).order_by("id")
    )


def timeline(
    environment_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: tuple[str, ...] = (),
    service: str | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[Change]:
    """Changes newest first. `service` keeps those that concern all services too; `before_id` pages
    on from a change that an earlier page ended with."""
    found = Change.objects.filter(environment_id=environment_id)
    if since is not None:
        found = found.filter(time__gte=since)
    if until is not None:
        found = found.filter(time__lte=until)
    if kinds:
        found = found.filter(kind__in=kinds)
    if service:
        found = found.filter(service__in=(service, ""))
    if before_id is not None:
        last = Change.objects.filter(environment_id=environment_id, id=before_id).first()
        if last is None:
            return []
        found = found.filter(Q(time__lt=last.time) | Q(time=last.time, id__lt=last.id))
    return list(found[:limit])


def as_json(change: Change) -> dict[str, Any]:
    """A change as the contract lists it, before anything is known of its effect."""
    return {
        "id": change.id,
        "kind": change.kind,
        "time": change.time.isoformat(),
        "end_time": change.end_time.isoformat() if change.end_time else None,
        "title": change.title,
        "service": change.service or None,
        "flag": change.flag or None,
        "build_id": change.build_id or None,
        "actor": change.actor or None,
        "url": change.url or None,
        "source": change.source,
        "verdict": None,
        "findings": 0,
    }
