"""The Flags list and one Flag's page: its state, who saw what, and how its cohorts fare."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, QuerySet

from flags.acts import ramp_of
from flags.listening import ARCHIVED, state_now
from flags.models import Flag, FlagVersion, Plan
from flags.surroundings import leaned_on
from flags.words import state_in_words
from insights import annotations, charts
from insights.beside import Beside, parts
from insights.changes import Told, most_telling, told
from insights.cohorts import Scope
from insights.exposed import Seen, seen
from insights.health import health
from insights.models import Watch
from insights.series import lines
from insights.shown import Shown, shown
from projects.models import Environment
from releases.changes import timeline
from releases.models import Change
from web import words
from web.charts import Chart

DAY = timedelta(hours=24)
DOUBLED = timedelta(hours=1)
SETTLED = timedelta(minutes=1)  # after a change, while caches still hold the value before
VERSIONS = 6  # newest; the history has them all
SHOWN = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 180, 360))
LONGEST_SHOWN = SHOWN[-1]


@dataclass(frozen=True, slots=True)
class Share:
    """One variant's part of the requests of the last day."""

    variant: str
    requests: int
    share: float


@dataclass(frozen=True, slots=True)
class FlagRow:
    """One line of the list; `flag` is None for a flag that is known from events only."""

    key: str
    flag: Flag | None
    state_words: str
    watch: Watch | None
    shares: list[Share]
    last_changed: datetime | None

    @property
    def verdict(self) -> str | None:
        return self.watch.verdict if self.watch and self.watch.looks else None

    @property
    def shown(self) -> str | None:
        return self.watch.shown if self.watch and self.watch.looks else None


def flag_rows(
    environment: Environment, now: datetime, *, text: str = "", verdict: str = "", state: str = ""
) -> list[FlagRow]:
    """All flags of the environment, ours and those seen in events, filtered; worse ones first."""
    flags = {flag.key: flag for flag in Flag.objects.filter(environment=environment)}
    shares = shares_by_flag(seen(environment.id, now - DAY, now))
    watches: dict[str, list[Watch]] = {}
    for watch in _open(environment).defer("result", "history"):
        watches.setdefault(watch.flag, []).append(watch)
    rows = []
    for key in sorted(flags.keys() | shares.keys()):
        flag = flags.get(key)
        rows.append(
            FlagRow(
                key=key,
                flag=flag,
                state_words=_state(flag),
                watch=most_telling(watches.get(key, ())),
                shares=shares.get(key, []),
                last_changed=flag.updated_at if flag else None,
            )
        )
    kept = [row for row in rows if _matches(row, text.lower(), verdict, state)]
    kept.sort(key=lambda row: (row.verdict != "worse", row.key.lower()))
    return kept


def _open(environment: Environment) -> QuerySet[Watch]:
    """What each flag's variants are compared in now."""
    return Watch.objects.filter(environment=environment, subject=Watch.Subject.FLAG, ended_at=None)


def _state(flag: Flag | None) -> str:
    if flag is None:
        return "known from events only"
    return ARCHIVED if flag.archived_at else state_in_words(flag)


def _matches(row: FlagRow, text: str, verdict: str, state: str) -> bool:
    archived = row.flag is not None and row.flag.archived_at is not None
    if archived != (state == "archived"):
        return False
    tags = " ".join(row.flag.tags) if row.flag else ""
    if text and text not in f"{row.key} {tags}".lower():
        return False
    if verdict and (row.verdict or "unknown") != verdict:
        return False
    if state == "events":
        return row.flag is None
    if state == "archived":
        return True
    return not state or (row.flag is not None and row.flag.enabled == (state == "on"))


def shares_by_flag(found: list[Seen]) -> dict[str, list[Share]]:
    """Requests a variant as shares of those that saw the flag, busiest first."""
    totals: dict[str, int] = {}
    for one in found:
        totals[one.flag] = totals.get(one.flag, 0) + one.traces
    shares: dict[str, list[Share]] = {}
    for one in found:
        part = Share(one.variant, one.traces, one.traces / totals[one.flag])
        shares.setdefault(one.flag, []).append(part)
    return shares


@dataclass(frozen=True, slots=True)
class FlagPage:
    key: str
    flag: Flag | None
    state_words: str
    shown: Shown
    all_compared: bool  # whether every variant of the last day is
    shares: list[Share]
    over_time: list[Chart]
    beside: list[Beside]  # other changes and flags that explain or take part
    versions: list[FlagVersion]
    history: list[Told]
    doubled: str
    requests_urls: list[tuple[str, str]]


def flag_page(
    environment: Environment,
    key: str,
    now: datetime,
    *,
    base: str,
    candidate: str = "",
    marks: str = "",
) -> FlagPage | None:
    """None for a key that is neither defined here nor seen in the last day's events.

    `candidate`: the variant that it is about; else the one that most is known of.
    `marks`: which changes stand on the pictures, one of annotations.MARKS.
    """
    flag = Flag.objects.filter(environment=environment, key=key).first()
    state_words = state_now(flag, now) if flag else _state(None)
    shares = shares_by_flag(seen(environment.id, now - DAY, now, key)).get(key, [])
    watches = list(_open(environment).filter(flag=key).order_by("id"))
    of = shown(watches, candidate, environment, base=base, marks=marks, labels=("off", "on"))
    if flag is None and not shares and of.watch is None:
        return None
    changes = [
        change
        for change in timeline(environment.id, kinds=(Change.Kind.FLAG,), limit=500)
        if change.flag == key
    ]
    return FlagPage(
        key=key,
        flag=flag,
        state_words=state_words,
        shown=of,
        all_compared={one.variant for one in shares} <= _named(watches),
        shares=shares,
        over_time=_over_time(environment, key, of, now, base=base, marks=marks),
        beside=parts(of.reasons.get("same_time", [])),
        versions=list(flag.versions.defer("definition")[:VERSIONS]) if flag else [],
        history=told(changes[:50]),
        doubled=_doubled(environment, flag, now),
        requests_urls=[
            (one.variant, f"{base}/requests?flag={key}&variant={one.variant}") for one in shares
        ],
    )


def _named(watches: list[Watch]) -> set[str]:
    return {name for one in watches for name in (one.baseline, one.candidate)}


def _doubled(environment: Environment, flag: Flag | None, now: datetime) -> str:
    """Users in two variants of one version, lately. Ramps move people by design: not then.

    What a flag asks of others changes what it gives without a version of its own: theirs count.
    """
    if flag is None:
        return ""
    deciding = [flag, *leaned_on(environment, flag.definition())]
    if any(ramp_of(one.definition()) is not None for one in deciding):
        return ""
    if Plan.objects.filter(flag__in=deciding, status=Plan.Status.RUNNING).exists():
        return ""
    since = (now - DOUBLED).replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
    changed = FlagVersion.objects.filter(flag__in=deciding).aggregate(Max("at"))["at__max"]
    if changed is not None:
        since = max(since, changed + SETTLED)
    return health(environment.pk, flag.key, since, now).doubled() if since < now else ""


def _shown(age: timedelta) -> timedelta:
    """How much time the pictures show: what was before a fresh change, too, but not much of it."""
    return next((length for length in SHOWN if length >= 2 * age), LONGEST_SHOWN)


def _over_time(
    environment: Environment, key: str, of: Shown, now: datetime, *, base: str, marks: str
) -> list[Chart]:
    watch, findings = of.watch, of.findings
    length = _shown(now - watch.started_at if watch else LONGEST_SHOWN)
    since = now - length
    scope = Scope.from_json(findings[0]["scope"]) if findings else Scope()
    found = lines(environment.id, since, now, scope=scope, by="variant", flag=key)
    if not found:
        return []
    marked = annotations.changes(environment.id, since, now, marks)
    where = scope.route or "all requests"
    return [
        charts.over_time(
            found,
            marked,
            id=f"over-time-{measure}",
            title=f"{name} of {where}, by variant, last {words.duration(length.total_seconds())}",
            measure=measure,
            since=since,
            until=now,
            zone=environment.zone,
            base=base,
            baseline=watch.baseline if watch else "",
            verdict=findings[0]["verdict"] if findings else "",
        )
        for measure, name in (
            ("p95", "p95 latency"),
            ("errors", "Error rate"),
            ("requests", "Requests"),
        )
    ]
