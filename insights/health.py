"""Are a flag's cohorts what they seem? Shares that say when a comparison should not be trusted.

Read from the details of exposures (reason, version, targeting key), which the scans of deltas leave
alone, so it is asked once in a while and for all of an environment's flags together.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.cache import cache

from events.query.flags import SEPARATOR
from events.store.read import Statement, moment, run
from insights import clocks
from web import words

BOTH_NOTED = 0.01
BOTH_WITHHELD = 0.05
LEAST_UNITS = 50
REUSED_NOTED = 0.2
PLACELESS_NOTED = 0.05
CHANCE = 0.95  # part of the evaluations that a provider must call a split, in every cohort
KEPT_S = 120
REUSED = ("cached", "stale")
RATIO_OF_REUSED = 0.1  # how far cohorts may differ in it


@dataclass(frozen=True, slots=True)
class Health:
    """Of one flag in one window. `reasons`: evaluations by variant and reason."""

    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    units: int = 0  # with a targeting key
    in_both: int = 0  # of these, in several variants of one version
    placeless: dict[str, int] = field(default_factory=dict)  # by reason: the code's own default
    askew: str = ""  # whose clocks are wrong, as the end of a sentence

    @property
    def both_share(self) -> float:
        return self.in_both / self.units if self.units >= LEAST_UNITS else 0.0

    @property
    def placeless_share(self) -> float:
        placed = sum(sum(own.values()) for own in self.reasons.values())
        lost = sum(self.placeless.values())
        return lost / (placed + lost) if lost else 0.0

    @property
    def by_chance(self) -> bool:
        """Whether a provider itself says that chance decided, and kept to it for each unit."""
        arms = [self.share(variant, ("split",)) for variant in self.reasons]
        return len(arms) > 1 and min(arms) >= CHANCE and self.both_share <= BOTH_NOTED

    def share(self, variant: str, reasons: tuple[str, ...]) -> float:
        own = self.reasons.get(variant, {})
        return sum(own.get(reason, 0) for reason in reasons) / max(sum(own.values()), 1)

    def withheld(self, *, split: bool) -> str:
        """Why nothing may be claimed, or "". Only a split promises one variant a unit."""
        if split and self.both_share > BOTH_WITHHELD:
            return (
                f"{words.percent(self.both_share)} of those asked for saw two variants of one"
                " version, so nothing is claimed: SDKs that bucket differently are mixed, or the"
                " targeting key changes between requests"
            )
        return ""

    def doubled(self) -> str:
        """Who saw two variants of one version, which a split never gives anybody; or ""."""
        if not self.in_both:
            return ""
        seen, units = words.count(self.in_both).capitalize(), words.number(self.units)
        return f"{seen} of {units} users saw two variants of one version"

    def warnings(self, *, moving: bool = False) -> list[str]:
        """What a reader should know, each a sentence without its full stop.

        `moving`: shares are meant to move, so units in two variants are no sign of anything.
        """
        found = [self.askew] if self.askew else []
        if self.both_share > BOTH_NOTED and not moving:
            found.append(
                f"{words.percent(self.both_share)} of those asked for saw two variants"
                " of one version"
            )
        reused = {variant: self.share(variant, REUSED) for variant in self.reasons}
        if reused and max(reused.values()) > REUSED_NOTED:
            text = words.joined(
                [f"{words.percent(part)} of {name}" for name, part in reused.items()]
            )
            uneven = max(reused.values()) - min(reused.values()) > RATIO_OF_REUSED
            found.append(
                f"cached values served {text}"
                + (": unevenly, so cohorts may differ by who was cached" if uneven else "")
            )
        if self.placeless_share > PLACELESS_NOTED:
            why = words.joined(sorted(reason or "no reason" for reason in self.placeless))
            found.append(
                f"{words.percent(self.placeless_share)} of evaluations got the code's own default"
                f" ({why}) and are in no cohort"
            )
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "reasons": self.reasons,
            "units": self.units,
            "in_both": self.in_both,
            "placeless": self.placeless,
            "warnings": self.warnings(),
        }


def health(environment_id: int, flag: str, since: datetime, until: datetime) -> Health:
    """Of one flag, at most two minutes old. Raises StoreUnavailable and QueryTooLarge."""
    name = hashlib.sha256(f"{flag} {since.isoformat()}".encode()).hexdigest()[:32]
    key = f"health:{environment_id}:{name}"
    found = cache.get(key)
    if not isinstance(found, Health):
        found = _asked(environment_id, flag, since, until)
        cache.set(key, found, KEPT_S)
    return found


# Exposures are folded by the hour; what was served earlier in it belongs to another version.
_DETAILS = f"""
    SELECT DISTINCT trace, splitByChar('{SEPARATOR}', arrayJoin(arrayFilter(
        one -> startsWith(one, concat({{flag:String}}, '{SEPARATOR}')), details))) AS parts
    FROM exposures
    WHERE environment = {{environment:UInt32}} AND has(flags, {{flag:String}})
        AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}})
        AND hour <= {{until:DateTime64(6, 'UTC')}}
        AND trace IN (
            SELECT trace FROM events
            WHERE environment = {{environment:UInt32}} AND entry
                AND time >= {{since:DateTime64(6, 'UTC')}}
                AND time < {{until:DateTime64(6, 'UTC')}})"""  # noqa: S608  # constant fragments only


def _asked(environment_id: int, flag: str, since: datetime, until: datetime) -> Health:
    parameters = {
        "environment": environment_id,
        "flag": flag,
        "since": moment(since),
        "until": moment(until),
    }
    reasons: dict[str, dict[str, int]] = defaultdict(dict)
    for row in run(
        Statement(
            f"""SELECT parts[2] AS variant, parts[3] AS reason, count() AS evaluations
            FROM ({_DETAILS}) WHERE parts[2] != '' AND parts[3] != 'error'
            GROUP BY variant, reason""",  # noqa: S608  # constant fragments only
            parameters,
        )
    ).rows:
        reasons[row["variant"]][row["reason"]] = int(row["evaluations"])
    units = run(
        Statement(
            f"""SELECT count() AS units, countIf(variants > 1) AS several FROM (
                SELECT parts[4] AS version, parts[5] AS unit, uniqExact(parts[2]) AS variants
                FROM ({_DETAILS}) WHERE parts[5] != '' AND parts[2] != '' GROUP BY version, unit)""",  # noqa: E501, S608
            parameters,
        )
    ).rows
    placeless = run(
        Statement(
            """SELECT reason, sum(count) AS evaluations FROM placeless
            WHERE environment = {environment:UInt32} AND flag = {flag:String}
                AND hour >= toStartOfHour({since:DateTime64(6, 'UTC')})
                AND hour <= {until:DateTime64(6, 'UTC')} GROUP BY reason""",
            parameters,
        )
    ).rows
    return Health(
        dict(reasons),
        int(units[0]["units"]) if units else 0,
        int(units[0]["several"]) if units else 0,
        {row["reason"]: int(row["evaluations"]) for row in placeless},
        clocks.said(clocks.askew(environment_id, since, until)),
    )
