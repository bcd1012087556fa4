"""What is asked for → steps, each at its second (pure; refused with the field and what to do).

{"at", "timezone"?, "patch": {…}, "holdback"?: {"percent", "until"?}}          at once
{"from", "until", "variant", "percent"?: {"from"?, "to"?}, "timezone"?, …}     a linear ramp
{"variant", "steps": [{"at", "percent"}, …], "timezone"?, …}                   in steps

Times are wall-clock times in `timezone`, or instants with an offset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flags.acts import Act, applied, other_of, rest
from flags.definition import Definition
from flags.ramps import check_percent, read_ramp
from flags.rules import TARGETING_KEY
from flags.wall import Wall, check_ahead, read_wall
from flags.wrong import DefinitionError

PATCHED = ("enabled", "default_variant", "off_variant", "rules", "targeting")
COMMON = {"timezone", "fold", "holdback", "reason", "name", "description", "override"}
MOST_STEPS = 50
LEAST_HOLDBACK, MOST_HOLDBACK = 1, 50


@dataclass(frozen=True, slots=True)
class Planned:
    """One flag's plan, read: `steps` are (when, what) in the order of time."""

    kind: str
    begins: Wall
    ends: Wall | None
    steps: tuple[tuple[datetime, Act], ...]
    asked: Mapping[str, Any] = field(default_factory=dict)


def kind_of(asked: Mapping[str, Any]) -> str:
    """Which of the three forms it is. Raises DefinitionError."""
    if "steps" in asked:
        return "steps"
    if "from" in asked or "until" in asked:
        return "ramp"
    if "at" in asked:
        return "once"
    raise DefinitionError("at", "A plan needs a time: at, or from and until, or steps.")


def begins(asked: Mapping[str, Any], now: datetime) -> Wall:
    """When it begins. Raises DefinitionError for what has passed."""
    kind = kind_of(asked)
    name = {"once": "at", "ramp": "from", "steps": "steps[0].at"}[kind]
    value = _first(asked)["at"] if kind == "steps" else asked.get(name)
    wall = read_wall(name, value, asked.get("timezone"), asked.get("fold"))
    check_ahead(name, wall, now)
    return wall


def read_plan(asked: Mapping[str, Any], before: Definition, now: datetime) -> Planned:
    """The steps of a plan for a flag that serves `before` when it begins."""
    kind = kind_of(asked)
    own = {
        "once": {"at", "patch"},
        "ramp": {"from", "until", "variant", "percent", "by"},
        "steps": {"variant", "steps", "by"},
    }[kind]
    if unknown := sorted(set(asked) - own - COMMON):
        known = ", ".join(sorted(own | COMMON))
        raise DefinitionError(unknown[0], f"There is no {unknown[0]!s:.50} here, only {known}.")
    if before.enabled and before.targeting is not None and kind != "once":
        raise DefinitionError("variant", "Raw targeting can't be ramped. Plan a change at once.")
    wall = begins(asked, now)
    read = {"once": _once, "ramp": _ramp, "steps": _steps}[kind]
    return read(asked, before, now, wall)


def _once(asked: Mapping[str, Any], before: Definition, now: datetime, wall: Wall) -> Planned:
    patch = asked.get("patch")
    if not isinstance(patch, Mapping) or not patch:
        raise DefinitionError("patch", 'patch must be an object such as {"enabled": true}.')
    if unknown := sorted(set(patch) - set(PATCHED)):
        raise DefinitionError(
            f"patch.{unknown[0]}",
            f"A plan can't change {unknown[0]!s:.50}, only {', '.join(PATCHED)}.",
        )
    clean = {
        name: "" if value is None and name in ("default_variant", "off_variant") else value
        for name, value in patch.items()
    }
    try:
        after = applied(before, {"patch": clean})
    except DefinitionError as error:
        raise DefinitionError(f"patch.{error.field}", error.message) from None
    if after.text() == before.text():
        raise DefinitionError("patch", f"By then {before.key} serves just that: nothing to change.")
    percent, until = _holdback(asked, now, wall)
    act: dict[str, Any] = {"patch": clean}
    steps: list[tuple[datetime, Act]] = [(wall.at, act)]
    if percent:
        act["holdback"] = percent
        applied(before, act)
        if until is not None:
            to, back = rest(after).shares[0][0], rest(before).shares[0][0]
            steps.append((until.at, _served(to, back, 100)))
    return Planned("once", wall, until, tuple(steps), asked)


def _ramp(asked: Mapping[str, Any], before: Definition, now: datetime, wall: Wall) -> Planned:
    variant = asked.get("variant")
    other = other_of(before, variant if isinstance(variant, str) else "")
    ends = read_wall("until", asked.get("until"), asked.get("timezone"), asked.get("fold"))
    check_ahead("until", ends, now)
    if ends.at <= wall.at:
        raise DefinitionError("until", "until must be later than from.")
    percent = asked.get("percent") or {}
    if not isinstance(percent, Mapping) or set(percent) - {"from", "to"}:
        raise DefinitionError("percent", 'percent must be {"from": 0, "to": 100}.')
    held, held_until = _holdback(asked, now, ends)
    current = _current(before, str(variant), wall)
    low = check_percent("percent.from", percent.get("from", current))
    high = check_percent("percent.to", percent.get("to", 100)) - held
    if low == high:
        raise DefinitionError("percent.to", f"{variant} is at {low:g}% already.")
    _check_start("percent.from", str(variant), current, low, up=high > low)
    ramp = {
        "variant": variant,
        "instead": other,
        "from": {"time": wall.second, "percent": low},
        "until": {"time": ends.second, "percent": high},
    }
    read_ramp("ramp", ramp, before.variants)
    by = _by(asked, before)
    steps: list[tuple[datetime, Act]] = [
        (wall.at, {"ramp": ramp} | by),
        (ends.at, _served(str(variant), other, high) | by),
    ]
    if held_until is not None:
        steps.append((held_until.at, _served(str(variant), other, high + held) | by))
    return Planned("ramp", wall, held_until or ends, tuple(steps), asked)


def _steps(asked: Mapping[str, Any], before: Definition, now: datetime, wall: Wall) -> Planned:
    variant = asked.get("variant")
    other = other_of(before, variant if isinstance(variant, str) else "")
    by = _by(asked, before)
    share = _current(before, str(variant), wall)
    found: list[tuple[datetime, Act]] = []
    last = wall
    for i, one in enumerate(asked["steps"]):
        place = f"steps[{i}]"
        if not isinstance(one, Mapping) or set(one) != {"at", "percent"}:
            raise DefinitionError(place, f"{place} must be an object of at and percent.")
        last = read_wall(f"{place}.at", one["at"], asked.get("timezone"), asked.get("fold"))
        check_ahead(f"{place}.at", last, now)
        if found and last.at <= found[-1][0]:
            raise DefinitionError(f"{place}.at", f"{place}.at must be later than the step before.")
        percent = check_percent(f"{place}.percent", one["percent"])
        if percent == share:
            raise DefinitionError(f"{place}.percent", f"{variant} is at {percent:g}% by then.")
        found.append((last.at, _served(str(variant), other, percent) | by))
        share = percent
    held, held_until = _holdback(asked, now, last)
    if held:
        found[-1] = (last.at, _served(str(variant), other, share - held) | by)
    if held_until is not None:
        found.append((held_until.at, _served(str(variant), other, share) | by))
    return Planned("steps", wall, held_until or last, tuple(found), asked)


def _served(variant: str, instead: str, percent: float) -> dict[str, Any]:
    whole = int(percent) if float(percent).is_integer() else round(percent, 3)
    return {"serve": {"variant": variant, "instead": instead, "percent": whole}}


def _by(asked: Mapping[str, Any], before: Definition) -> dict[str, Any]:
    by = asked.get("by", rest(before).by)
    if not isinstance(by, str) or not 0 < len(by) <= 200:
        raise DefinitionError("by", "by must be the name of an attribute.")
    if by != rest(before).by and len(rest(before).shares) > 1:
        raise DefinitionError(
            "by", f"{before.key} is split by {rest(before).by}: another one would move users."
        )
    return {"by": by} if by != TARGETING_KEY else {}


def _current(before: Definition, variant: str, wall: Wall) -> float:
    now = rest(before)
    if now.moving and max(one.ramp.stops for one in before.rules if one.ramp) > wall.second:
        raise DefinitionError("from", f"{before.key} is on a ramp at that time.")
    share = now.percent(variant)
    return int(share) if float(share).is_integer() else round(share, 3)


def _check_start(field: str, variant: str, current: float, low: float, *, up: bool) -> None:
    if (up and low < current) or (not up and low > current):
        raise DefinitionError(
            field,
            f"By then {current:g}% of everyone else get {variant}: beginning at {low:g}% would "
            f"make some of them go back and forth. Begin at {current:g}%.",
        )


def _first(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    steps = asked["steps"]
    if not isinstance(steps, list) or not 0 < len(steps) <= MOST_STEPS:
        raise DefinitionError("steps", f"steps must be a list of 1 to {MOST_STEPS} steps.")
    if not isinstance(steps[0], Mapping) or "at" not in steps[0]:
        raise DefinitionError("steps[0]", "steps[0] must be an object of at and percent.")
    first: Mapping[str, Any] = steps[0]
    return first


def _holdback(asked: Mapping[str, Any], now: datetime, after: Wall) -> tuple[float, Wall | None]:
    """(percent, until when): who is kept as they were, so that the effect can be measured."""
    given = asked.get("holdback")
    if given in (None, 0):
        return 0, None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        given = {"percent": given}
    if not isinstance(given, Mapping) or set(given) - {"percent", "until"}:
        raise DefinitionError("holdback", 'holdback must be {"percent": 2, "until"?: time}.')
    percent = check_percent("holdback.percent", given.get("percent"))
    if not LEAST_HOLDBACK <= percent <= MOST_HOLDBACK:
        raise DefinitionError("holdback.percent", "holdback.percent must lie between 1 and 50.")
    if given.get("until") in (None, ""):
        return percent, None
    until = read_wall("holdback.until", given["until"], asked.get("timezone"), asked.get("fold"))
    check_ahead("holdback.until", until, now)
    if until.at <= after.at:
        raise DefinitionError("holdback.until", "holdback.until must be later than the change.")
    return percent, until
