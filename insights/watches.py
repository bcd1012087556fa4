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
from django.db.models import F, Q

from events.store.client import StoreUnavailable
from events.store.read import QueryTooLarge
from flags.models import Flag
from insights.cohorts import Builds, Comparison, Instances, Moment, Variants
from insights.examine import NothingToCompare, Result, examine, window_of
from insights.exposed import Seen, baseline_of, plan_of, seen
from insights.models import Watch
from insights.reasons import reasons
from insights.results import result_json, told
from projects.models import Environment
from releases.changes import timeline
from releases.models import Change

log = logging.getLogger("flipscope.insights")

FRESH = timedelta(days=14)
WEEK = timedelta(days=7)
SEEN_WITHIN = timedelta(hours=24)
MOMENT_LENGTH = timedelta(hours=1)
FIRST_LOOK = timedelta(seconds=15)
SLOWEST = timedelta(minutes=30)
MOMENT_PACE = timedelta(minutes=3)
SIDE_BY_SIDE = timedelta(minutes=15)
BUSY = timedelta(seconds=30)
HISTORY_KEPT = 200
SETTLING_LOOKS = 3
MOST_VARIANTS = 12  # of one flag that are compared: the busiest when it was first looked at
SETTLING_PACE = timedelta(seconds=45)


def ensure(environment: Environment, now: datetime) -> None:
    """Makes the watches that are missing, and ends those whose flag has changed again."""
    changes = timeline(environment.id, since=now - FRESH, until=now, limit=500)
    # A later delivery may tell that a change began at another time: its comparison starts anew.
    Watch.objects.filter(environment=environment, change__isnull=False).exclude(
        started_at=F("change__time")
    ).delete()
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
        earlier.update(ended_at=change.time)
        fields |= {"subject": Watch.Subject.FLAG, "flag": change.flag}
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
    """A flag that requests see and that nobody changed within a week is watched from Monday on."""
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
            _watch_others(first, new[: MOST_VARIANTS - len(own_watches)], now)
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


def look(watch_id: int, now: datetime) -> Watch | None:
    """One look, kept. Skipped (None) when another worker holds the watch.

    The row is claimed by moving its next look ahead, so that two workers never do the same work
    and a worker killed half way delays one look only.
    """
    watch = claim(watch_id, now)
    if watch is None:
        return None
    try:
        keep(watch, _examined(watch, now), now)
    except NothingToCompare as reason:
        keep_reason(watch, str(reason), now)
    except QueryTooLarge as reason:
        keep_reason(watch, f"Too much traffic for one look: {reason}", now)
    except StoreUnavailable:
        log.warning("watch.store_unavailable", extra={"watch_id": watch.id})
        return watch  # its claim runs out in half a minute
    return watch


def claim(watch_id: int, now: datetime) -> Watch | None:
    """A due watch, for this worker alone until its claim runs out; None if another holds it."""
    with transaction.atomic():
        watch = (
            Watch.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("environment__project", "change")
            .filter(Q(next_look_at__lte=now), id=watch_id)
            .first()
        )
        if watch is not None:
            watch.next_look_at = now + BUSY
            watch.save(update_fields=["next_look_at"])
    return watch


def _examined(watch: Watch, now: datetime) -> Result:
    if watch.subject == Watch.Subject.FLAG:
        return _examined_flag(watch, now)
    if watch.subject == Watch.Subject.BUILD:
        return _examined_build(watch, now)
    since, until = window_of(watch.started_at, now)
    moment = Moment(watch.started_at, watch.service)
    return examine(Comparison(watch.environment_id, moment, since, until))


def _examined_flag(watch: Watch, now: datetime) -> Result:
    until = watch.ended_at or now
    variants = [
        one.variant for one in seen(watch.environment_id, watch.started_at, until, watch.flag)
    ]
    if not variants:
        raise NothingToCompare(f"No request has asked for {watch.flag} since then.")
    flag = Flag.objects.filter(environment_id=watch.environment_id, key=watch.flag).first()
    if len(variants) == 1:
        if watch.change is None:
            raise NothingToCompare(f"Every request sees {watch.flag}={variants[0]}.")
        since, until = window_of(watch.started_at, until)
        return examine(Comparison(watch.environment_id, Moment(watch.started_at), since, until))
    if not watch.candidate:
        watch.baseline = baseline_of(variants, flag)
        others = [variant for variant in variants if variant != watch.baseline]
        watch.candidate = others[0]
        _watch_others(watch, others[1:MOST_VARIANTS], now)
    comparison = Comparison(
        watch.environment_id,
        Variants(watch.flag, watch.baseline, watch.candidate),
        watch.started_at,
        until,
    )
    plan = plan_of(flag, watch.baseline, watch.candidate) if not watch.ended_at else None
    return examine(comparison, plan)


def _watch_others(watch: Watch, variants: Iterable[str], now: datetime) -> None:
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
            },
            now,
        )


def _examined_build(watch: Watch, now: datetime) -> Result:
    """Builds that ran side by side, where they did for long enough; else before and after.

    A roll-out is short. What it leaves undecided, the hour after may show; what the hour after
    shows is said only where side by side said nothing.
    """
    together = _examined_together(watch, now)
    if together and (together.findings or now < watch.started_at + SIDE_BY_SIDE):
        return together
    since, until = window_of(watch.started_at, now)
    moment = Moment(watch.started_at, watch.service, watch.candidate)
    try:
        after = examine(Comparison(watch.environment_id, moment, since, until))
    except NothingToCompare:
        return together or _examined_instances(watch, until)
    return after if after.findings or not together else together


def _examined_together(watch: Watch, now: datetime) -> Result | None:
    """None where the builds did not run side by side for long enough to test anything."""
    if not watch.baseline:
        return None
    builds = Builds(watch.service, watch.baseline, watch.candidate)
    since = watch.started_at - SIDE_BY_SIDE
    until = min(now, watch.started_at + MOMENT_LENGTH)
    try:
        result = examine(Comparison(watch.environment_id, builds, since, until))
    except NothingToCompare:
        return None
    return result if any(one.delta.tested for one in result.judged) else None


def _examined_instances(watch: Watch, until: datetime) -> Result:
    """Where events carry no build: instances first seen since the deploy, else before and after."""
    instances = Instances(watch.service, watch.started_at, watch.candidate)
    try:
        return examine(Comparison(watch.environment_id, instances, watch.started_at, until))
    except NothingToCompare:
        since, until = window_of(watch.started_at, until)
        moment = Moment(watch.started_at, watch.service)
        return examine(Comparison(watch.environment_id, moment, since, until))


def keep(watch: Watch, result: Result, now: datetime) -> None:
    base = f"/{watch.environment.project.slug}/{watch.environment.slug}"
    seen_before = _events(watch)
    found = reasons(result, watch.result.get("findings", []))
    watch.result = result_json(result, base, found)
    watch.verdict, watch.headline = told(result, watch.result)
    watch.evidence = result.evidence
    watch.findings_count = len(result.findings)
    if watch.decided_at is None and watch.verdict in ("worse", "better"):
        watch.decided_at = now
        log.info("watch.decided", extra={"watch_id": watch.id, "verdict": watch.verdict})
    _note_history(watch, now)
    _looked(watch, now, seen_before)


def keep_reason(watch: Watch, reason: str, now: datetime) -> None:
    watch.headline = reason.removesuffix(".")
    if watch.looks == 0:
        watch.verdict = Watch.Verdict.UNKNOWN
    _looked(watch, now, _events(watch))


def _note_history(watch: Watch, now: datetime) -> None:
    """The leading delta's interval at this look: how certainty grew."""
    deltas = watch.result["findings"] or watch.result["deltas"]
    if not deltas:
        return
    first = deltas[0]
    interval = first["interval"]["difference" if first["ratio"] is None else "ratio"]
    watch.history = [
        *watch.history[-HISTORY_KEPT:],
        {
            "at": now.isoformat(),
            "measure": first["measure"],
            "scope": first["scope"],
            "value": first["difference"] if first["ratio"] is None else first["ratio"],
            "interval": interval,
            "verdict": watch.verdict,
        },
    ]


def pass_over(watch: Watch, now: datetime) -> None:
    """Nothing has arrived since the last look: what it found holds, and the next one is planned."""
    watch.next_look_at = next_look(watch, now, settled=watch.looks >= SETTLING_LOOKS)
    watch.looked_at = now
    watch.save(update_fields=["next_look_at", "looked_at"])


def _looked(watch: Watch, now: datetime, seen_before: int) -> None:
    watch.looked_at = now
    watch.looks += 1
    settled = watch.looks >= SETTLING_LOOKS and seen_before == _events(watch)
    watch.next_look_at = next_look(watch, now, settled=settled)
    watch.save()


def _events(watch: Watch) -> int:
    return sum(watch.result.get(side, {}).get("events", 0) for side in ("baseline", "candidate"))


def next_look(watch: Watch, now: datetime, *, settled: bool) -> datetime | None:
    """When to look again; None when there is nothing more to learn.

    A closed window is looked at until no late event reaches it any more. A moment is looked at
    every 3 minutes of its hour, a flag after a thirtieth of its age.
    """
    age = now - watch.started_at
    by_moment = watch.subject != Watch.Subject.FLAG or watch.evidence == "before_after"
    if watch.ended_at is not None or age > (MOMENT_LENGTH if by_moment else FRESH):
        return None if settled else now + SETTLING_PACE
    if by_moment and age > MOMENT_PACE:
        return now + MOMENT_PACE
    return now + min(max(age / 30, timedelta(seconds=10)), SLOWEST)


def variants_now(environment_id: int, now: datetime) -> list[Seen]:
    """Who saw what within the last day, for the flag pages."""
    return seen(environment_id, now - SEEN_WITHIN, now)
