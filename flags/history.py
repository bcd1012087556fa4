"""The history of a flag or an environment, line by line: who, when, why, and what differs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.db.models import Q, QuerySet

from flags import differences, words
from flags.definition import Definition, read
from flags.models import Flag, FlagVersion, Plan
from flags.wrong import DefinitionError
from projects.models import AuditEntry, Environment

PLANS = {
    "plan.created": "Planned",
    "plan.edited": "Plan changed",
    "plan.approved": "Approved",
    "plan.cancelled": "Cancelled",
    "plan.paused": "Paused",
    "plan.resumed": "Resumed",
    "plan.rolled_back": "Rolled back",
    "plan.expired": "Expired",
    "plan.overtaken": "Overtaken by an edit",
}
FLAG_ACTS = ("flag.created", "flag.changed")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as people read it; `change_id` is where its effect stands."""

    entry: AuditEntry
    title: str
    href: str = ""
    differences: list[str] = field(default_factory=list)
    raw: list[tuple[str, str]] = field(default_factory=list)
    change_id: int | None = None
    current: bool = False  # the version that the flag serves now

    @property
    def at(self) -> datetime:
        return self.entry.effective_at or self.entry.at

    @property
    def late(self) -> bool:
        """Whether it held before it was written down."""
        return self.entry.effective_at is not None


def of_flag(environment: Environment, key: str) -> QuerySet[AuditEntry]:
    """Every entry about one flag, its plans included, newest first."""
    plans = Plan.objects.filter(launch__environment=environment, flag__key=key)
    numbers = [str(number) for number in plans.values_list("id", flat=True)]
    return AuditEntry.objects.filter(
        Q(object_type="flag", object_id=key) | Q(object_type="plan", object_id__in=numbers),
        environment=environment,
    )


def of_environment(environment: Environment) -> QuerySet[AuditEntry]:
    """Every entry about an environment, newest first."""
    return AuditEntry.objects.filter(environment=environment)


def told(environment: Environment, entries: list[AuditEntry]) -> list[Line]:
    """Entries as lines, in the order given. A few queries, however many entries."""
    base = f"/{environment.project.slug}/{environment.slug}"
    keys = {entry.object_id for entry in entries if entry.object_type == "flag"}
    flags = {flag.key: flag for flag in Flag.objects.filter(environment=environment, key__in=keys)}
    changes = {
        (kept.flag_id, kept.version): kept.change_id
        for kept in FlagVersion.objects.filter(
            flag__in=flags.values(), version__in={e.version for e in entries if e.version}
        ).defer("definition")
    }
    numbers = [int(e.object_id) for e in entries if e.object_type == "plan"]
    plans = {plan.pk: plan for plan in Plan.objects.filter(id__in=numbers).select_related("launch")}
    found = []
    for entry in entries:
        if entry.object_type == "flag":
            flag = flags.get(entry.object_id)
            line = _flag_line(entry, f"{base}/flags/{quote(entry.object_id)}")
            if flag is not None and entry.version:
                change_id = changes.get((flag.pk, entry.version))
                current = entry.version == flag.version
                line = _with(line, change_id=change_id, current=current)
        elif entry.object_type == "plan":
            line = _plan_line(entry, plans.get(int(entry.object_id)), base)
        else:
            line = _other(entry)
        found.append(line)
    return found


def _with(line: Line, *, change_id: int | None, current: bool) -> Line:
    return Line(line.entry, line.title, line.href, line.differences, line.raw, change_id, current)


def _flag_line(entry: AuditEntry, href: str) -> Line:
    key, before, after = entry.object_id, entry.before, entry.after
    raw = differences.raw(before, after)
    if entry.action in ("flag.archived", "flag.restored"):
        return Line(entry, f"{key} {entry.action.partition('.')[2]}", href, [], raw)
    if entry.action not in FLAG_ACTS:
        told_notes = differences.plain(before, after)
        return Line(entry, f"{key} has new notes", href, told_notes, raw)
    was, now = _read(key, before), _read(key, after)
    if now is None:
        title = f"{key} changed"
    else:
        title = words.edited(was, now) if was else words.created(now)
    return Line(entry, title, href, differences.of_flags(key, before, after), raw)


def _read(key: str, given: Any) -> Definition | None:
    try:
        return read(key, given) if isinstance(given, Mapping) else None
    except DefinitionError:
        return None


def _plan_line(entry: AuditEntry, plan: Plan | None, base: str) -> Line:
    act = PLANS.get(entry.action, entry.action.replace(".", " "))
    raw = differences.raw(entry.before, entry.after)
    told = differences.plain(entry.before, entry.after) if entry.before else []
    if plan is None:
        return Line(entry, f"{act}: plan {entry.object_id}", "", told, raw)
    return Line(entry, f"{act}: {plan.launch.name}", f"{base}/launches/{plan.launch_id}", told, raw)


def _other(entry: AuditEntry) -> Line:
    kind, _, act = entry.action.partition(".")
    title = f"{kind} {act.replace('_', ' ')}: {entry.object_id}".capitalize()
    before, after = entry.before, entry.after
    both = all(one is None or isinstance(one, Mapping) for one in (before, after))
    said = differences.plain(before, after) if both else []
    return Line(entry, title, "", said, differences.raw(before, after))
