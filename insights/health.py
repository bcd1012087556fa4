"""Are a flag's cohorts what they seem? Shares that say when a comparison should not be trusted.

Read from the details of exposures (reason, version, targeting key), which the scans of deltas leave
alone, so it is asked once in a while and for all of an environment's flags together.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache

from events.query.flags import SEPARATOR
from events.store.read import QueryTooLarge, Statement, moment, run
from insights import clocks
from insights.folded import micros
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

    def shares(self, variant: str) -> list[tuple[str, float]]:
        """How a variant's evaluations came about, as shares by reason, most often first."""
        own = self.reasons.get(variant, {})
        often = sorted(own, key=lambda reason: -own[reason])
        return [(reason or "without a reason", self.share(variant, (reason,))) for reason in often]

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


@dataclass(frozen=True, slots=True)
class Window:
    """A flag, and the time in which its evaluations are asked about."""

    flag: str
    since: datetime
    until: datetime


def health(environment_id: int, flag: str, since: datetime, until: datetime) -> Health:
    """Of one flag, at most two minutes old. Raises StoreUnavailable and QueryTooLarge."""
    return health_of_many(environment_id, [Window(flag, since, until)])[0]


def health_of_many(environment_id: int, windows: Sequence[Window]) -> list[Health]:
    """In the order given; what is not known yet of all of them in one scan."""
    keys = {window: _key(environment_id, window) for window in windows}
    kept = cache.get_many(list(keys.values()))
    found = {window: kept[key] for window, key in keys.items() if isinstance(kept.get(key), Health)}
    while missing := [window for window in keys if window not in found]:
        once = {window.flag: window for window in reversed(missing)}  # a flag once in each scan
        fresh = _asked_within(environment_id, list(once.values()))
        cache.set_many({keys[window]: one for window, one in fresh.items()}, KEPT_S)
        found |= fresh
    return [found[window] for window in windows]


def _key(environment_id: int, window: Window) -> str:
    """An end moves with every look, so it is left out: an answer lasts for two minutes anyway."""
    name = f"{window.flag} {window.since.isoformat()}"
    return f"health:{environment_id}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _asked_within(environment_id: int, windows: Sequence[Window]) -> dict[Window, Health]:
    """In one scan, or half of the flags at a time where that is too much for one."""
    try:
        return _asked(environment_id, windows)
    except QueryTooLarge:
        if len(windows) == 1:
            raise
    middle = len(windows) // 2
    halves = (windows[:middle], windows[middle:])
    return {
        window: one
        for half in halves
        for window, one in _asked_within(environment_id, half).items()
    }


def _asked(environment_id: int, windows: Sequence[Window]) -> dict[Window, Health]:
    """Each of another flag."""
    parameters: dict[str, Any] = {
        "environment": environment_id,
        "since": moment(min(window.since for window in windows)),
        "until": moment(max(window.until for window in windows)),
        "flags": [window.flag for window in windows],
        "sinces": [micros(window.since) for window in windows],
        "untils": [micros(window.until) for window in windows],
    }
    kinds = _kinds(parameters)
    lost: dict[str, dict[str, int]] = defaultdict(dict)
    for row in run(Statement(_PLACELESS, parameters)).rows:
        lost[row["flag"]][row["reason"]] = int(row["evaluations"])
    off = {
        span: clocks.said(clocks.askew(environment_id, *span))
        for span in {_span(window) for window in windows}
    }
    return {
        window: Health(
            *kinds.get(window.flag, ({}, 0, 0)), dict(lost[window.flag]), off[_span(window)]
        )
        for window in windows
    }


def _span(window: Window) -> tuple[datetime, datetime]:
    """When clocks are looked at: flags that began within ten minutes share it."""
    began = window.since.replace(second=0, microsecond=0)
    return began - timedelta(minutes=began.minute % 10), window.until


# A trace's details are a set of texts: flag, variant, reason, version and unit each. Equal texts
# are counted before they are taken apart, as there are fewer of them by far. What an unmerged piece
# of a trace repeats is counted again. Exposures are folded by the hour, and what was served earlier
# in it belongs to another version: the trace's own requests say when it was.
_KINDS = f"""
    SELECT flag, sumMap(seen) AS reasons, countIf(unit != '') AS units,
        countIf(unit != '' AND variants > 1) AS several
    FROM (
        SELECT flag, parts[4] AS version, parts[5] AS unit,
            uniqExactIf(parts[2], parts[2] != '') AS variants,
            sumMapIf(map(concat(parts[2], '{SEPARATOR}', parts[3]), evaluations),
                parts[2] != '' AND parts[3] != 'error') AS seen
        FROM (
            SELECT splitByChar('{SEPARATOR}', detail) AS parts, parts[1] AS flag, evaluations
            FROM (
                SELECT detail, count() AS evaluations
                FROM (
                    SELECT trace, arrayJoin(details) AS detail,
                        indexOf({{flags:Array(String)}},
                            substring(detail, 1, position(detail, '{SEPARATOR}') - 1)) AS place
                    FROM exposures
                    WHERE environment = {{environment:UInt32}}
                        AND hasAny(flags, {{flags:Array(String)}})
                        AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}})
                        AND hour <= {{until:DateTime64(6, 'UTC')}}) AS told
                INNER JOIN (
                    SELECT trace, min(time) AS first, max(time) AS last FROM events
                    WHERE environment = {{environment:UInt32}} AND entry
                        AND time >= {{since:DateTime64(6, 'UTC')}}
                        AND time < {{until:DateTime64(6, 'UTC')}} GROUP BY trace) AS own
                    ON told.trace = own.trace
                WHERE place > 0
                    AND toUnixTimestamp64Micro(last) >= {{sinces:Array(Int64)}}[place]
                    AND toUnixTimestamp64Micro(first) < {{untils:Array(Int64)}}[place]
                GROUP BY detail))
        GROUP BY flag, version, unit)
    GROUP BY flag"""  # noqa: S608  # constant fragments only

_PLACELESS = """
    SELECT flag, reason, sum(count) AS evaluations FROM placeless
    WHERE environment = {environment:UInt32} AND has({flags:Array(String)}, flag)
        AND hour >= toStartOfHour(fromUnixTimestamp64Micro(
            {sinces:Array(Int64)}[indexOf({flags:Array(String)}, flag)], 'UTC'))
        AND hour <= fromUnixTimestamp64Micro(
            {untils:Array(Int64)}[indexOf({flags:Array(String)}, flag)], 'UTC')
    GROUP BY flag, reason"""


def _kinds(parameters: dict[str, Any]) -> dict[str, tuple[dict[str, dict[str, int]], int, int]]:
    """By flag: evaluations by variant and reason, units, and those of several variants."""
    found = {}
    for row in run(Statement(_KINDS, parameters)).rows:
        reasons: dict[str, dict[str, int]] = defaultdict(dict)
        for kind, evaluations in row["reasons"].items():
            variant, _, reason = kind.partition("\x1f")
            reasons[variant][reason] = int(evaluations)
        found[row["flag"]] = (dict(reasons), int(row["units"]), int(row["several"]))
    return found
