"""Flags that should be tidied up, each with its evidence: from events, not from dates alone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from events.store.read import Statement, moment, run
from flags.acts import rest
from flags.models import Flag, Plan
from flags.words import state_in_words
from flags.wrong import DefinitionError
from insights.reach import uses
from projects.models import Environment
from web import words

LOOKED_BACK = timedelta(days=30)
YOUNG = timedelta(days=7)
SETTLED = timedelta(days=14)
MOST_ASKED = 20  # flags whose services are looked up


@dataclass(frozen=True, slots=True)
class Untidy:
    """One flag, why it should be looked at, and where it is still asked for."""

    flag: Flag
    why: list[str]
    used: str
    last_seen: datetime | None


def last_seen(environment_id: int, now: datetime) -> dict[str, datetime]:
    """The last hour in which each flag was reported, within LOOKED_BACK."""
    rows = run(
        Statement(
            """SELECT arrayJoin(flags) AS flag, toUnixTimestamp(max(hour)) AS last FROM exposures
            WHERE environment = {environment:UInt32}
                AND hour >= {since:DateTime64(6, 'UTC')} GROUP BY flag""",
            {"environment": environment_id, "since": moment(now - LOOKED_BACK)},
        )
    ).rows
    return {row["flag"]: datetime.fromtimestamp(int(row["last"]), UTC) for row in rows}


def reported(environment_id: int, flag: str, now: datetime) -> tuple[datetime, datetime] | None:
    """The first and the last hour in which the flag was reported, within LOOKED_BACK."""
    [row] = run(
        Statement(
            """SELECT count() AS n, toUnixTimestamp(min(hour)) AS first,
                toUnixTimestamp(max(hour)) AS last FROM exposures
            WHERE environment = {environment:UInt32}
                AND hour >= {since:DateTime64(6, 'UTC')} AND has(flags, {flag:String})""",
            {"environment": environment_id, "since": moment(now - LOOKED_BACK), "flag": flag},
        )
    ).rows
    if not int(row["n"]):
        return None
    first, last = (datetime.fromtimestamp(int(row[name]), UTC) for name in ("first", "last"))
    return first, last


def untidy(environment: Environment, now: datetime) -> list[Untidy]:
    """Flags past their removal date first, then those that do nothing any more."""
    seen = last_seen(environment.pk, now)
    planned = set(
        Plan.objects.filter(launch__environment=environment, status__in=Plan.OPEN).values_list(
            "flag_id", flat=True
        )
    )
    today = now.astimezone(environment.zone).date()
    found: list[Untidy] = []
    for flag in Flag.objects.current().filter(environment=environment):
        why = _overdue(flag, now, seen.get(flag.key), planned)
        if flag.remove_by is not None and flag.remove_by < today:
            days = words.plural((today - flag.remove_by).days, "day")
            why.insert(0, f"Its code was to be gone {days} ago ({flag.remove_by.isoformat()})")
        if why:
            used = _used(environment, flag.key, now) if len(found) < MOST_ASKED else ""
            found.append(Untidy(flag, why, used, seen.get(flag.key)))
    found.sort(key=lambda one: (one.flag.remove_by is None, one.flag.key))
    return found


def _overdue(flag: Flag, now: datetime, seen: datetime | None, planned: set[int]) -> list[str]:
    if flag.pk in planned:
        return []
    why = []
    if seen is None and flag.created_at < now - YOUNG:
        why.append(f"No request has reported it in {LOOKED_BACK.days} days")
    newest = flag.versions.first()
    still = newest is not None and newest.at < now - SETTLED
    if still and newest is not None and _same_for_all(flag):
        since = words.plural((now - newest.at).days, "day")
        why.append(f"It has been {state_in_words(flag)} for {since}")
    return why


def _same_for_all(flag: Flag) -> bool:
    """Whether everyone gets one variant: then the code could have it without asking."""
    try:
        definition = flag.definition()
    except DefinitionError:
        return False
    if definition.targeting is not None and definition.enabled:
        return False
    conditional = definition.enabled and any(rule.conditions for rule in definition.rules)
    return not conditional and len(rest(definition).shares) == 1


def _used(environment: Environment, key: str, now: datetime) -> str:
    found = uses(environment.pk, key, now)
    if not found:
        return "nobody asked for it in the last hour"
    services = words.joined([one.service for one in found[:4]])
    return f"still asked for by {services}, last {words.ago(found[0].last, now)}"
