"""One planned step → what the flag serves after it (pure).

{"patch": {…}, "holdback"?: 2}   the parts named, keeping 2% of "everyone else" as they were
{"serve": {"variant", "instead", "percent"}}   a fixed share of everyone else
{"ramp": {…flags.ramps}}   a share of everyone else that moves with time

"Everyone else" are those whom no rule with conditions catches: most rollouts are theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flags.definition import Definition, read
from flags.rules import TARGETING_KEY, Rule
from flags.wrong import DefinitionError

Act = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rest:
    """What everyone else gets: shares in percent by variant ("" is the code's own default)."""

    shares: tuple[tuple[str, float], ...]
    by: str = TARGETING_KEY
    moving: bool = False

    def percent(self, variant: str) -> float:
        return dict(self.shares).get(variant, 0)


def rest(definition: Definition) -> Rest:
    """What everyone else gets of this definition; a ramp counts with where it ends."""
    if not definition.enabled:
        return Rest(((definition.off_variant, 100),))
    last = definition.rules[-1] if definition.rules else None
    if last is None or last.conditions:
        return Rest(((definition.default_variant, 100),))
    if last.ramp:
        end = last.ramp.percent(last.ramp.stops)
        shares = ((last.ramp.variant, end), (last.ramp.instead, 100 - end))
        return Rest(shares, last.by, moving=True)
    if last.split:
        return Rest(tuple((name, percent) for name, percent in last.split if percent), last.by)
    return Rest(((last.variant, 100),))


def ramp_of(definition: Definition) -> Rule | None:
    """The rule that moves with time, where everyone else is on a ramp."""
    last = definition.rules[-1] if definition.enabled and definition.rules else None
    return last if last is not None and last.ramp and not last.conditions else None


def other_of(definition: Definition, variant: str, place: str = "variant") -> str:
    """The one variant that everyone else gets beside `variant`. Raises DefinitionError."""
    if definition.targeting is not None and definition.enabled:
        raise DefinitionError(
            place, "Raw targeting can't be ramped. Plan a change at one time instead."
        )
    if variant not in definition.variants:
        known = ", ".join(definition.variants)
        raise DefinitionError(place, f"{place} must be one of the variants {known}.")
    others = [name for name, percent in rest(definition).shares if name != variant and percent]
    if len(others) > 1:
        raise DefinitionError(
            place,
            f"Everyone else gets {' and '.join(others)} besides {variant}: a ramp goes between "
            "two variants. Plan it in steps instead.",
        )
    if others and not others[0]:
        raise DefinitionError(
            place, "The code's own default is no variant to ramp from. Choose an off variant first."
        )
    if others:
        return others[0]
    for name in (definition.off_variant, definition.default_variant, *definition.variants):
        if name and name != variant:
            return name
    raise DefinitionError(place, "A ramp needs two variants. This flag has one.")


def applied(before: Definition, act: Act) -> Definition:
    """The definition after the step. Raises DefinitionError where it can't be served."""
    if "patch" in act:
        after = read(before.key, before.as_json() | dict(act["patch"]), before.version)
        percent = act.get("holdback") or 0
        return _held_back(before, after, percent) if percent else after
    if "ramp" in act:
        rule = {"ramp": dict(act["ramp"])} | _by(act, before)
        return _with_rest(before, rule)
    serve = act["serve"]
    variant, percent = serve["variant"], serve["percent"]
    if percent in (0, 100):
        return _with_rest(before, None, default=variant if percent else serve["instead"])
    split = {variant: percent, serve["instead"]: round(100 - percent, 3)}
    return _with_rest(before, {"split": split} | _by(act, before))


def _by(act: Act, before: Definition) -> dict[str, Any]:
    by = act.get("by") or rest(before).by
    return {"by": by} if by != TARGETING_KEY else {}


def _with_rest(before: Definition, rule: dict[str, Any] | None, *, default: str = "") -> Definition:
    """The rules with conditions stay; the rest is the rule given, or the default variant."""
    found = before.as_json() | {"enabled": True}
    kept = [one.as_json() for one in before.rules if one.conditions]
    found["rules"] = [*kept, rule] if rule else kept
    if default:
        found["default_variant"] = default
    elif not before.enabled and before.off_variant:
        found["default_variant"] = before.off_variant  # whom no share can place gets what was
    return read(before.key, found, before.version)


def _held_back(before: Definition, after: Definition, percent: float) -> Definition:
    """`after`, with a share of everyone else left as before, so that the effect is measured
    against people who are like the others in all but this."""
    old, new = rest(before).shares, rest(after).shares
    plain = len(old) == 1 and len(new) == 1 and old[0][0] and new[0][0]
    if not plain or old == new or after.targeting is not None:
        raise DefinitionError(
            "holdback",
            "A holdback keeps some of everyone else on the variant they have: it needs a change "
            "from one variant for everyone else to another.",
        )
    split = {new[0][0]: round(100 - percent, 3), old[0][0]: percent}
    return _with_rest(after, {"split": split})
