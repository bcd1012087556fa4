"""Which flags and variants an environment's requests have seen: pages and watches start here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from events.store.read import Statement, moment, run
from flags.acts import ramp_of
from flags.models import Flag, FlagVersion
from flags.rules import TARGETING_KEY
from flags.surroundings import leaned_on
from flags.wrong import DefinitionError
from insights.cohorts import Comparison, Variants
from insights.examine import Plan

BASELINE_NAMES = ("off", "false", "control", "baseline", "disabled", "0", "none")
SAME_ACT = timedelta(seconds=1)  # between a version and the change that was recorded with it


@dataclass(frozen=True, slots=True)
class Seen:
    """One variant of one flag in a window: traces that saw it, first and last hour."""

    flag: str
    variant: str
    traces: int


def seen(
    environment_id: int, since: datetime, until: datetime, flag: str | None = None
) -> list[Seen]:
    """Variants seen by entry events in the window, by flag, busiest first.

    Counts traces through their exposures' hour where the window spans hours, and through the
    entry events' time at its edges, so that a fresh change is not mixed with what was before.
    """
    parameters: dict[str, Any] = {
        "environment": environment_id,
        "since": moment(since),
        "until": moment(until),
        "flag": flag or "",
    }
    only = "AND has(flags, {flag:String})" if flag else ""
    rows = run(
        Statement(
            f"""SELECT splitByChar('\\x1f', pair)[1] AS flag,
                    splitByChar('\\x1f', pair)[2] AS variant, uniqExact(trace) AS traces
                FROM (SELECT trace, arrayJoin(pairs) AS pair FROM exposures
                      WHERE environment = {{environment:UInt32}} {only}
                        AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}}) - 3600
                        AND hour <= {{until:DateTime64(6, 'UTC')}} + 3600) AS asked
                INNER JOIN (SELECT trace FROM events
                      WHERE environment = {{environment:UInt32}} AND entry
                        AND time >= {{since:DateTime64(6, 'UTC')}}
                        AND time < {{until:DateTime64(6, 'UTC')}}) AS hit USING trace
                GROUP BY flag, variant ORDER BY flag, traces DESC""",  # noqa: S608
            parameters,
        )
    ).rows
    found = [Seen(row["flag"], row["variant"], int(row["traces"])) for row in rows]
    return [one for one in found if not flag or one.flag == flag]


def baseline_of(variants: list[str], flag: Flag | None) -> str:
    """The variant that others are compared with: what "off" serves, else a usual name for it,
    else the busiest (`variants` come busiest first)."""
    if flag and flag.off_variant in variants:
        return flag.off_variant
    for name in BASELINE_NAMES:
        for variant in variants:
            if variant.lower() == name:
                return variant
    return variants[0]


def plan_of(comparison: Comparison, flag: Flag | None) -> Plan:
    """How a flag's variants were assigned in the time that a comparison is of."""
    of = comparison.cohorts
    if not isinstance(of, Variants):
        return Plan()
    return plan_between(flag, of.baseline, of.candidate, (comparison.since, comparison.until))


def plan_between(
    flag: Flag | None, baseline: str, candidate: str, window: tuple[datetime, datetime]
) -> Plan:
    """How the definitions that were in force in a window assigned variants.

    What is served now says nothing of a window that has ended. Several definitions are by chance
    only if each is, and have planned shares only if they agree.
    """
    if flag is None:
        return Plan()
    since, until = window
    plans = []
    for version in flag.versions.filter(at__lt=until).only("version", "definition", "at"):
        plans.append(plan_of_definition(version.definition, baseline, candidate))
        if version.at <= since + SAME_ACT:
            break
    if not plans:
        plans = [plan_of_definition(flag.served(), baseline, candidate)]
    first, moved_by = plans[0], _moved_by(flag, since, until)
    return Plan(
        split=all(plan.split for plan in plans),
        shares=first.shares if all(plan.shares == first.shares for plan in plans) else None,
        moving=bool(moved_by)
        or any(plan.moving for plan in plans)
        or any(plan != first for plan in plans),
        moved_by=moved_by,
    )


def _moved_by(flag: Flag, since: datetime, until: datetime) -> tuple[str, ...]:
    """Flags it asks for that changed in a window, or ramp: it gives others by them, without a
    version of its own."""
    try:
        asked = leaned_on(flag.environment, flag.definition())
    except DefinitionError:  # it is not served, and what it was before is in its versions
        return ()
    changed = set(
        FlagVersion.objects.filter(
            flag__in=asked, at__gt=since + SAME_ACT, at__lt=until
        ).values_list("flag_id", flat=True)
    )
    moving = (one for one in asked if one.pk in changed or ramp_of(one.definition()))
    return tuple(sorted(one.key for one in moving))


def plan_of_definition(definition: Mapping[str, Any], baseline: str, candidate: str) -> Plan:
    """What a definition in its JSON form says of how variants are assigned.

    Only a single split or ramp of everyone, by the targeting key, assigns units by chance. One
    behind a condition does so for some, which cannot be told apart in the events; one by another
    attribute splits groups of users, of which there may be few.
    """
    rules = definition.get("rules") or []
    if not definition.get("enabled") or len(rules) != 1 or definition.get("targeting"):
        return Plan()
    rule = rules[0]
    if rule.get("if") or rule.get("by", TARGETING_KEY) != TARGETING_KEY:
        return Plan()
    if ramp := rule.get("ramp"):
        by_chance = {ramp["variant"], ramp["instead"]} == {baseline, candidate}
        return Plan(split=by_chance, moving=by_chance)
    split = rule.get("split") or {}
    shares = (float(split.get(baseline, 0)), float(split.get(candidate, 0)))
    return Plan(split=min(shares) > 0, shares=shares if min(shares) > 0 else None)
