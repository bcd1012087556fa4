"""Which flags and variants an environment's requests have seen: pages and watches start here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.store.read import Statement, moment, run
from flags.models import Flag
from insights.examine import Plan

BASELINE_NAMES = ("off", "false", "control", "baseline", "disabled", "0", "none")


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


def plan_of(flag: Flag | None, baseline: str, candidate: str) -> Plan:
    """What the definition in force says of how variants are assigned.

    Only a single split for everyone assigns by chance; a split behind a condition does so for
    some, which cannot be told apart in the events, so it is not called randomised.
    """
    if flag is None or not flag.enabled or len(flag.rules) != 1:
        return Plan()
    rule = flag.rules[0]
    split = rule.get("split")
    if not isinstance(split, dict) or rule.get("if"):
        return Plan()
    shares = (float(split.get(baseline, 0)), float(split.get(candidate, 0)))
    return Plan(split=min(shares) > 0, shares=shares if min(shares) > 0 else None)
