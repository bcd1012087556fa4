"""Which comparisons are kept fresh, and when to look at each next.

A watch is made for every change of the last two weeks and for every flag that requests see. It
has one start for good: the change's time, or for what has not changed in a week the last Monday.
Looks come often while a change is fresh and ever more rarely after: each reads the whole window
again, so the pace is a share of its age, and what nobody touches costs almost nothing.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from flags.models import Plan, Step
from insights.exposed import seen
from insights.models import FLAG_LENGTH, Watch
from projects.models import Environment
from releases.changes import timeline
from releases.models import Change

log = logging.getLogger("flipscope.insights")

WEEK = timedelta(days=7)
SEEN_WITHIN = timedelta(hours=24)
FIRST_LOOK = timedelta(seconds=15)
SLOWEST = timedelta(minutes=30)
MOMENT_PACE = timedelta(minutes=3)
SETTLING_LOOKS = 3
MOST_VARIANTS = 12  # of one flag that are compared: the busiest when it was first looked at
EARLY = 0.1  # of a length, by which it must be known
SHORTEST_LENGTH = timedelta(minutes=2)
SETTLING_PACE = timedelta(seconds=45)


def ensure(environment: Environment, now: datetime) -> None:
    """Makes the watches that are missing, and ends those whose flag has changed again."""
    changes = timeline(environment.id, since=now - FLAG_LENGTH, until=now, limit=500)
    # A later delivery may tell that a change began at another time: its comparison starts anew.
    Watch.objects.filter(environment=environment, change__isnull=False).exclude(
        started_at=F("change__time")
    ).delete()
    # Telemetry may call a build by another name than its announcement did (releases.written).
    Watch.objects.filter(
        environment=environment, subject=Watch.Subject.BUILD, change__isnull=False
    ).exclude(candidate=F("change__build_id")).delete()
    known = set(
        Watch.objects.filter(environment=environment, change__isnull=False).values_list(
            "change_id", flat=True
        )
    )
    for change in sorted(changes, key=lambda one: (one.time, one.id)):
        if change.id not in known:
            _for_change(environment, change)
    _for_flags_seen(environment, changes, now)


def _for_change(environment: Environment, change: Change) -> None:
    fields: dict[str, object] = {"change": change, "started_at": change.time}
    if change.kind == Change.Kind.FLAG:
        earlier = Watch.objects.filter(
            environment=environment, flag=change.flag, ended_at=None, started_at__lt=change.time
        )
        earlier.update(ended_at=change.time, next_look_at=change.time)
        fields |= {"subject": Watch.Subject.FLAG, "flag": change.flag}
        fields["planned_end"] = next_step(environment, change.flag, change.time)
    elif change.kind == Change.Kind.DEPLOY:
        fields |= {
            "subject": Watch.Subject.BUILD,
            "service": change.service,
            "candidate": change.build_id,
            "baseline": _build_before(change),
        }
    else:
        fields |= {"subject": Watch.Subject.MOMENT, "service": change.service}
        fields["candidate"] = str(change.id)  # two markers may share their second
    _make(environment, fields, change.time + FIRST_LOOK)


def next_step(environment: Environment, flag: str, after: datetime) -> datetime | None:
    """When a plan is to change this flag next: how long what holds now will hold is known."""
    coming = Step.objects.filter(
        plan__launch__environment=environment,
        plan__flag__key=flag,
        plan__status__in=Plan.OPEN,
        done=False,
        at__gt=after,
    )
    return coming.order_by("at").values_list("at", flat=True).first()


def know_end(watches: Iterable[Watch], end: datetime, now: datetime) -> None:
    """Somebody will decide at `end`: looks aim at it.

    Only where hardly anything has been seen, and no end is known yet: an end that is chosen by
    what was seen is none.
    """
    for watch in watches:
        early = now - watch.started_at <= EARLY * (end - watch.started_at)
        long_enough = end - now >= SHORTEST_LENGTH
        if early and long_enough and watch.verdict == Watch.Verdict.UNKNOWN:
            Watch.objects.filter(id=watch.id, planned_end=None).update(planned_end=end)


def _build_before(change: Change) -> str:
    """The build of that service whose deploy came last before this one, if any is known."""
    earlier = (
        Change.objects.filter(
            environment_id=change.environment_id,
            kind=Change.Kind.DEPLOY,
            service=change.service,
            time__lt=change.time,
        )
        .exclude(build_id=change.build_id)
        .first()
    )
    return earlier.build_id if earlier else ""


def _for_flags_seen(environment: Environment, changes: list[Change], now: datetime) -> None:
    """A flag that requests see and that nobody changed within a week is watched from Monday on.

    A comparison lasts a fortnight: what goes on unchanged is compared anew, so that what a later
    build does to it is found.
    """
    Watch.objects.filter(
        environment=environment,
        subject=Watch.Subject.FLAG,
        ended_at=None,
        started_at__lt=now - FLAG_LENGTH,
    ).update(ended_at=F("started_at") + FLAG_LENGTH, next_look_at=now)
    open_watches = Watch.objects.filter(
        environment=environment, subject=Watch.Subject.FLAG, ended_at=None
    ).only("flag", "baseline", "candidate", "started_at", "subject", "environment", "change")
    watched: dict[str, list[Watch]] = {}
    for watch in open_watches:
        watched.setdefault(watch.flag, []).append(watch)
    variants = seen(environment.id, now - SEEN_WITHIN, now)
    for flag, own_watches in watched.items():
        first = own_watches[0]
        known = {first.baseline, *(one.candidate for one in own_watches)}
        new = [one.variant for one in variants if one.flag == flag and one.variant not in known]
        if first.candidate and new and len(own_watches) < MOST_VARIANTS:
            watch_others(first, new[: MOST_VARIANTS - len(own_watches)], now)
    for flag in {one.flag for one in variants} - watched.keys():
        own = [one for one in changes if one.flag == flag and one.time >= now - WEEK]
        if own:
            continue  # its change has a watch, or is about to get one
        _make(
            environment,
            {
                "subject": Watch.Subject.FLAG,
                "flag": flag,
                "started_at": last_monday(environment, now),
            },
            now,
        )


def last_monday(environment: Environment, now: datetime) -> datetime:
    """The start of the week in the environment's zone, as UTC."""
    local = now.astimezone(environment.zone)
    monday = (local - timedelta(days=local.weekday())).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return monday.astimezone(UTC)


def _make(environment: Environment, fields: dict[str, object], first_look: datetime) -> None:
    try:
        with transaction.atomic():
            Watch.objects.create(environment=environment, next_look_at=first_look, **fields)
    except IntegrityError:
        log.info("watch.exists", extra={"environment_id": environment.id})


def due(now: datetime, limit: int = 20) -> list[int]:
    """Watches to look at now, longest overdue first."""
    found = Watch.objects.filter(next_look_at__lte=now).order_by("next_look_at")
    return list(found.values_list("id", flat=True)[:limit])


def watch_others(watch: Watch, variants: Iterable[str], now: datetime) -> None:
    """Every further variant gets a comparison with the same baseline and start."""
    for variant in variants:
        _make(
            watch.environment,
            {
                "subject": watch.subject,
                "change": watch.change,
                "flag": watch.flag,
                "baseline": watch.baseline,
                "candidate": variant,
                "started_at": watch.started_at,
                "planned_end": watch.planned_end,
            },
            now,
        )


def pass_over(watch: Watch, now: datetime) -> None:
    """Nothing has arrived since the last look: what it found holds, and the next one is planned."""
    watch.next_look_at = next_look(watch, now, settled=watch.looks >= SETTLING_LOOKS)
    watch.looked_at = now
    watch.save(update_fields=["next_look_at", "looked_at"])


def next_look(watch: Watch, now: datetime, *, settled: bool) -> datetime | None:
    """When to look again; None when there is nothing more to learn.

    A closed window is looked at until no late event reaches it any more. A moment is looked at
    every 3 minutes of its hour, a flag after a thirtieth of its age.
    """
    age = now - watch.started_at
    if watch.is_over(now):
        return None if settled else now + SETTLING_PACE
    if watch.by_moment and age > MOMENT_PACE:
        return now + MOMENT_PACE
    soon = now + min(max(age / 30, timedelta(seconds=10)), SLOWEST)
    end = watch.planned_end
    return min(soon, end) if end and now < end else soon
