"""What a definition does, and what an edit of it did, in words.

Percentages of a definition are settings, not measurements: they are shown as they were set.
"""

from dataclasses import replace

from flags.countries import country
from flags.definition import Definition
from flags.models import Flag
from flags.ramps import Ramp
from flags.rules import (
    FLAG_IS,
    FLAG_IS_NOT,
    NOT_SEGMENT,
    SEGMENT,
    SEMANTIC,
    TARGETING_KEY,
    Condition,
    Rule,
)
from flags.segments import Segment
from flags.wrong import DefinitionError
from web.words import joined

NOBODY_NAMED = ("off", "false")
SHOWN_VALUES = 3
COMPARED = {
    ">": "is above",
    ">=": "is at least",
    "<": "is below",
    "<=": "is at most",
    "=": "is",
    "!=": "is not",
    "^": "is of the major version of",
    "~": "is of the minor version of",
    "in": "is",
    "not-in": "is neither",
    "starts-with": "begins with",
    "ends-with": "ends with",
}


def state_in_words(flag: Flag) -> str:
    """ "off for everyone", "on for 50% of users", "on for users at acme.com, off …"."""
    try:
        return state(flag.definition())
    except DefinitionError as error:
        return f"not served: {error.message}"


def state(definition: Definition) -> str:
    """What users get now."""
    if not definition.enabled:
        return f"{definition.off_variant or _OWN} for everyone"
    if definition.targeting is not None:
        return f"decided by raw targeting, else {definition.default_variant or _OWN}"
    parts: list[str] = []
    for rule in definition.rules:
        part, final = _rule(rule, first=not parts, off=definition.off_variant)
        parts.append(part)
        if final:
            return ", ".join(parts)
    who = "everyone else" if parts else "everyone"
    return ", ".join([*parts, f"{definition.default_variant or _OWN} for {who}"])


def edited(before: Definition, after: Definition) -> str:
    """An edit as a title for the timeline: "USE_CACHING turned on for 50% of users"."""
    was, now = state(before), state(after)
    if was == now and before.enabled != after.enabled:
        turned = "on" if after.enabled else "off"
        return f"{after.key} turned {turned}, which changes nothing: {now}"
    if was == now:
        return f"{after.key} {_unseen(before, after)}"
    off = f"{after.off_variant or _OWN} for everyone"
    if now == off:
        return f"{after.key} turned off for everyone"
    if was == off and now.startswith(("on for", "ramping ")):
        return f"{after.key} turned {now}"
    if was == off:
        return f"{after.key} turned on: {now}"
    return f"{after.key} now {now}"


def planned(before: Definition, after: Definition) -> str:
    """A planned step as a sentence of what will be: "USE_CACHING turns on for everyone"."""
    return _present(edited(before, after))


def _present(title: str) -> str:
    for past, present in (
        (" turned on", " turns on"),
        (" turned off", " turns off"),
        (" now ramping ", " ramps "),
        (" turned ramping ", " ramps "),
        (" now ", " becomes "),
    ):
        if past in title:
            return title.replace(past, present, 1)
    return title


def does_something(definition: Definition) -> bool:
    """Whether users get anything else than they would with the flag off."""
    return definition.enabled and state(definition) != state(replace(definition, enabled=False))


def created(definition: Definition) -> str:
    """A new flag as a title for the timeline."""
    return f"{definition.key} created: {state(definition)}"


_OWN = "the code's own default"


def _unseen(before: Definition, after: Definition) -> str:
    """What changed where the words for who gets what stay the same."""
    if before.variants != after.variants:
        names = [
            name
            for name in after.variants
            if name not in before.variants or before.variants[name] != after.variants[name]
        ]
        return f"has new values for {joined(names)}" if names else "lost variants nobody gets"
    if before.targeting != after.targeting:
        return "has new raw targeting"
    if before.metadata != after.metadata:
        return "has new metadata"
    if before.off_variant != after.off_variant:
        return f"would be {after.off_variant or _OWN} where it is off"
    if not after.enabled:
        return f"prepared while off: {state(replace(after, enabled=True))}"
    return "has new rules"


def rule(rule: Rule, *, first: bool, off: str) -> str:
    """One rule in words: "on for 10% of users in New Zealand"."""
    return _rule(rule, first=first, off=off)[0]


def _rule(rule: Rule, *, first: bool, off: str) -> tuple[str, bool]:
    """A rule in words, and whether nobody is left for those after it."""
    final = not rule.conditions
    everyone = "everyone" if first else "everyone else"
    who = users(rule.conditions)
    if rule.ramp:
        if final and not first:
            who = "everyone else"
        return f"{ramping(rule.ramp)} of {who}", final
    if not rule.split:
        return f"{rule.variant} for {everyone if final else who}", final
    given = [(name, percent) for name, percent in rule.split if percent]
    if len(given) == 1:
        return f"{given[0][0]} for {everyone if final else who}", final
    if rule.by != TARGETING_KEY:
        who = users(rule.conditions).replace("users", f"users by {rule.by}", 1)
    elif final and not first:
        who = "everyone else"
    named = [one for one in given if one[0] != off and one[0].lower() not in NOBODY_NAMED]
    shares = named if len(given) == 2 and len(named) == 1 else given
    return f"{joined([f'{name} for {percent:g}%' for name, percent in shares])} of {who}", final


def ramping(ramp: Ramp) -> str:
    """In which direction a share moves; its times are said where a zone is known."""
    if ramp.back is not None:
        held = ramp.percent(ramp.hold or ramp.end)
        return f"ramping {ramp.variant} back from {held:.3g}% to {ramp.low:g}%"
    if ramp.hold is not None:
        return f"{ramp.variant} held at {ramp.percent(ramp.hold):.3g}%"
    return f"ramping {ramp.variant} from {ramp.low:g}% to {ramp.high:g}%"


def users(conditions: tuple[Condition, ...]) -> str:
    """ "users in New Zealand", or "users in New Zealand where NEW_API is on"."""
    if not conditions:
        return "users"
    other = (FLAG_IS, FLAG_IS_NOT)
    who = " and ".join(condition(one) for one in conditions if one.op not in other)
    where = " and ".join(condition(one) for one in conditions if one.op in other)
    return " ".join(filter(None, ["users", who, f"where {where}" if where else ""]))


def segment(found: Segment) -> str:
    """ "users whose email ends with @acme.com or whose plan is internal"."""
    if found.logic is not None:
        return "decided by raw JsonLogic"
    joint = " and " if found.match == "all" else " or "
    return f"users {joint.join(map(condition, found.conditions))}"


def condition(one: Condition) -> str:
    """One condition: "in New Zealand", "at acme.com", "in segment internal"."""
    if one.op in (SEGMENT, NOT_SEGMENT):
        return f"{'in' if one.op == SEGMENT else 'outside'} segment {one.value}"
    if one.op in (FLAG_IS, FLAG_IS_NOT):
        return f"{one.attribute} is {'' if one.op == FLAG_IS else 'not '}{one.value}"
    if one.attribute == "country" and one.op in ("=", "in"):
        return f"in {_value(one)}"
    if one.attribute == "country" and one.op in ("!=", "not-in"):
        return f"outside {_value(one)}"
    if one.attribute == "email" and one.op == "ends-with" and str(one.value).startswith("@"):
        return f"at {str(one.value)[1:]}"
    op = one.op.removeprefix(SEMANTIC)
    name = "key" if one.attribute == TARGETING_KEY else one.attribute
    return f"whose {name} {COMPARED[op]} {_value(one)}"


def _value(one: Condition) -> str:
    said = country if one.attribute == "country" else _scalar
    if not isinstance(one.value, tuple):
        return said(one.value)
    last = "nor" if one.op == "not-in" and one.attribute != "country" else "or"
    shown = [said(value) for value in one.value[:SHOWN_VALUES]]
    if more := len(one.value) - len(shown):
        shown.append(f"{more:,} more")
    return joined(shown, last)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "empty"
