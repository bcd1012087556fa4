"""Launches: the list of what is planned, and one launch before, during and after its time."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from events.store.client import StoreUnavailable
from flags.acts import applied, rest
from flags.definition import read
from flags.models import Launch, Plan
from flags.plan_words import Line as StepLine
from flags.plan_words import lines as step_lines
from flags.plan_words import summary
from flags.plans import warnings
from flags.wrong import DefinitionError
from insights import annotations, charts, live
from insights.launch_checks import Check, checks
from insights.live import WATCHED, Cohort, LivePart
from insights.models import Watch
from insights.reach import Use, users_a_day, uses
from insights.series import lines
from insights.shown import ROWS_SHOWN, chosen, ordered
from projects.models import Environment
from web import words
from web.charts import Chart

PAST_SHOWN = 50
OPEN_FIRST = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One launch of the list."""

    launch: Launch
    plans: list[Plan]
    at: datetime
    status: str
    summaries: list[str]

    @property
    def pill(self) -> str:
        return "state-on" if self.status in ("Under way", "Rolling back") else "planned"

    @property
    def happened(self) -> bool:
        """Whether users got something of it."""
        return self.status in ("Done", "Under way", "Rolling back", "Rolled back")


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar with what begins on it."""

    day: date
    rows: list[Row]
    this_month: bool = True


def status_of(plans: list[Plan]) -> str:
    """One word for a launch: its most pressing part's."""
    found = {plan.status for plan in plans}
    turned = {plan.status for plan in plans if plan.note.startswith("Rolled back")}
    if "running" in turned:
        return "Rolling back"
    if "done" in turned:
        return "Rolled back"
    for status in ("running", "paused", "waiting", "planned", "overtaken", "expired", "done"):
        if status in found:
            return str(Plan.Status(status).label)
    return "Cancelled"


def _rows(launches: list[Launch], now: datetime) -> list[Row]:
    rows = []
    for launch in launches:
        plans = sorted(launch.plans.all(), key=lambda plan: (plan.at, plan.pk))
        if plans:
            said = [summary(plan, now) for plan in plans]
            rows.append(Row(launch, plans, plans[0].at, status_of(plans), said))
    return rows


def coming(environment: Environment, now: datetime, limit: int = OPEN_FIRST) -> list[Row]:
    """What is planned or under way, the next first."""
    launches = (
        Launch.objects.filter(environment=environment, plans__status__in=Plan.OPEN)
        .distinct()
        .select_related("environment__project")
        .prefetch_related("plans__flag", "plans__steps", "plans__launch__environment__project")
    )
    return sorted(_rows(list(launches[:OPEN_FIRST]), now), key=lambda row: row.at)[:limit]


def past(environment: Environment, now: datetime) -> list[Row]:
    """What has happened, or will not, the latest first."""
    launches = (
        Launch.objects.filter(environment=environment)
        .exclude(plans__status__in=Plan.OPEN)
        .select_related("environment__project")
        .prefetch_related("plans__flag", "plans__steps", "plans__launch__environment__project")
    )
    rows = _rows(list(launches[:PAST_SHOWN]), now)
    return sorted(rows, key=lambda row: row.at, reverse=True)


def calendar(environment: Environment, rows: list[Row], month: date) -> list[list[Day]]:
    """Weeks from Monday of one month, in the environment's zone, with what happens in them."""
    zone = environment.zone
    rows = [row for row in rows if row.status not in ("Cancelled", "Expired")]
    by_day: dict[date, list[Row]] = {}
    for day, found in groupby(rows, key=lambda row: row.at.astimezone(zone).date()):
        by_day.setdefault(day, []).extend(found)
    first = month.replace(day=1)
    start = first - timedelta(days=first.weekday())
    weeks = []
    while start.replace(day=1) <= first or start < first:
        days = [start + timedelta(days=n) for n in range(7)]
        weeks.append([Day(d, by_day.get(d, []), d.month == month.month) for d in days])
        start += timedelta(days=7)
    return weeks


@dataclass(frozen=True, slots=True)
class Part:
    """One flag of a launch."""

    plan: Plan
    summary: str
    reach: str  # about how many users
    steps: list[StepLine]
    warnings: list[str]
    now: str  # what the flag serves
    live: LivePart | None  # of what has begun
    cohorts: list[Cohort]
    watch: Watch | None
    rows: list[dict[str, Any]]
    labels: tuple[str, str]
    chart: list[Chart]

    @property
    def unhappened(self) -> bool:
        """Whether nothing of it came to pass, or will."""
        return self.plan.status in ("cancelled", "expired") and not self.live

    @property
    def answer(self) -> str:
        """What became of it, where that is not what was planned; else what was."""
        note = self.plan.note.rstrip(".")
        if note and self.unhappened:
            return note
        if note.startswith("Rolled back"):
            return f"{note}. {self.plan.flag.key} is {self.now}"
        return self.summary

    @property
    def happening(self) -> list[StepLine]:
        """Steps that were, or are to come: not those that were dropped with their plan."""
        return [one for one in self.steps if one.step.effective_at or not one.step.done]


@dataclass(frozen=True, slots=True)
class LaunchPage:
    """What a launch's page shows."""

    launch: Launch
    status: str
    at: datetime
    begun: bool
    open: bool
    waiting: bool
    parts: list[Part]
    checks: list[Check]
    can: frozenset[str]
    store_away: bool
    now: datetime

    @property
    def acts(self) -> bool:
        """Whether there is anything to do but to turn it off, which has a place of its own."""
        return self.waiting or bool(self.can - {"off"})

    @property
    def happening(self) -> bool:
        """Whether there are steps to tell of."""
        return any(part.happening for part in self.parts)

    @property
    def may_change(self) -> bool:
        """Whether all of it is still to come."""
        return self.open and not self.begun

    @property
    def live(self) -> list[LivePart]:
        """The parts that have begun."""
        return [part.live for part in self.parts if part.live]

    @property
    def watched(self) -> bool:
        """Whether it changes by the second."""
        return self.begun and live.watched([part.plan for part in self.parts], self.now)

    @property
    def stage(self) -> str:
        """What the buttons depend on: a form half filled in stays while this stays."""
        return "-".join([self.status.replace(" ", "-"), *sorted(self.can)]).lower()


def launch_page(launch: Launch, now: datetime, *, base: str, marks: str = "") -> LaunchPage:
    """One launch; while the event store is away, without what it would tell.

    `marks`: which changes stand on the pictures, one of annotations.MARKS.
    """
    plans = list(
        launch.plans.select_related("flag", "launch__environment__project").order_by("at", "id")
    )
    store_away, parts = False, []
    use: dict[str, list[Use]] = {}
    for plan in plans:
        try:
            if plan.at > now:
                use[plan.flag.key] = uses(launch.environment_id, plan.flag.key, now)
            parts.append(_part(plan, now, base=base, marks=marks, ask=True))
        except StoreUnavailable:
            store_away = True
            parts.append(_part(plan, now, base=base, marks=marks, ask=False))
    begun = any(step.effective_at for part in parts for step in (s.step for s in part.steps))
    begun = begun or any(plan.status in Plan.LIVE and plan.at <= now for plan in plans)
    is_open = any(plan.status in Plan.OPEN for plan in plans)
    return LaunchPage(
        launch=launch,
        status=status_of(plans),
        at=min((plan.at for plan in plans), default=launch.created_at),
        begun=begun,
        open=is_open,
        waiting=any(plan.status == Plan.Status.WAITING for plan in plans),
        parts=parts,
        checks=checks(launch, [part.plan for part in parts], _warned(parts), use, now, base=base)
        if is_open and not begun
        else [],
        can=_can(plans, now),
        store_away=store_away,
        now=now,
    )


def _warned(parts: list[Part]) -> list[str]:
    return list(dict.fromkeys(text for part in parts for text in part.warnings))


def _can(plans: list[Plan], now: datetime) -> frozenset[str]:
    """Which buttons make sense now."""
    statuses = {plan.status for plan in plans}
    found = set()
    if statuses & {"planned", "waiting"} or ("paused" in statuses):
        found.add("cancel")
    if statuses & {"planned", "running"}:
        found.add("pause")
    if "paused" in statuses:
        found.add("resume")
    moving = [plan for plan in plans if plan.status in ("running", "paused")]
    if any(plan.kind != "once" and plan.at <= now for plan in moving):
        found.add("roll-back")
    if any(_on(plan, now) for plan in plans):
        found.add("off")
    return frozenset(found)


def _on(plan: Plan, now: datetime) -> bool:
    """Whether there is something to turn off, written down by the worker or not."""
    if plan.status == Plan.Status.PLANNED and plan.at <= now:
        return True
    return plan.flag.enabled and plan.status in ("running", "paused", "done")


def new_variant(plan: Plan) -> tuple[str, str]:
    """(what everyone else had before, what they have after the first step)."""
    first = plan.steps.order_by("at", "id").first()
    if first is None:
        return "", ""
    if first.version:
        kept = plan.flag.versions.filter(version=first.version - 1).first()
        before = read(plan.flag.key, kept.definition) if kept else plan.flag.definition()
    else:
        before = plan.flag.definition()
    for name in ("ramp", "serve"):
        if name in first.act:
            return str(first.act[name]["instead"]), str(first.act[name]["variant"])
    try:
        after = applied(before, first.act)
    except DefinitionError:
        return "", ""
    old, new = rest(before).shares, rest(after).shares
    return old[0][0], max(new, key=lambda share: share[1])[0]


def _part(plan: Plan, now: datetime, *, base: str, marks: str, ask: bool) -> Part:
    environment = plan.launch.environment
    old, new = new_variant(plan)
    began = live.begun(plan, now)
    cohorts, chart, reach = [], [], ""
    if ask and not began:
        users = users_a_day(environment.id, plan.flag.key, now)
        reach = f"About {words.compact(users)} users a day see it." if users else ""
    elif ask and new:
        cohorts = live.cohorts(plan, now)
        chart = _chart(plan, now, base=base, baseline=old, marks=marks)
    compared = Watch.objects.filter(environment=environment, subject="flag", flag=plan.flag.key)
    watch = chosen(list(compared.filter(ended_at=None)), new or "") if began else None
    result = watch.result if watch else {}
    rows = ordered(result.get("deltas", []), result.get("findings", []))[:ROWS_SHOWN]
    return Part(
        plan=plan,
        summary=summary(plan, now),
        reach=reach,
        steps=step_lines(plan),
        warnings=warnings(plan, now),
        now=live.serves(plan, now),
        live=live.part(plan, new, now) if began else None,
        cohorts=cohorts,
        watch=watch,
        rows=rows,
        labels=(
            result.get("baseline", {}).get("label", old or "off"),
            result.get("candidate", {}).get("label", new or "on"),
        ),
        chart=chart,
    )


def _chart(plan: Plan, now: datetime, *, base: str, baseline: str, marks: str) -> list[Chart]:
    environment = plan.launch.environment
    since = plan.at - timedelta(minutes=2)
    until = min(now, (plan.until or plan.at) + WATCHED)
    found = lines(environment.id, since, until, by="variant", flag=plan.flag.key, points=300)
    if not found:
        return []
    marked = annotations.changes(environment.id, since, until, marks)
    return [
        charts.over_time(
            found,
            marked,
            id=f"live-{plan.pk}-{measure}",
            title=f"{title} of {plan.flag.key}, by variant",
            measure=measure,
            since=since,
            until=until,
            zone=environment.zone,
            base=base,
            mark=plan.at,
            baseline=baseline,
        )
        for measure, title in (
            ("requests", "Exposures"),
            ("errors", "Error rate"),
            ("p95", "p95 latency"),
        )
    ]
