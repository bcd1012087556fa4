"""What a definition does, and what an edit of it did, in words.

Percentages of a definition are settings, not measurements: they are shown as they were set.
"""

from dataclasses import replace

from flags.definition import Definition
from flags.models import Flag
from flags.rules import SEMANTIC, TARGETING_KEY, Condition, Rule
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
    """ "off for everyone", "on for 50% of users", "on for users in NZ, off for everyone else"."""
    try:
        return state(flag.definition())
    except DefinitionError as error:
        return f"not served: {error.message}"


def state(definition: Definition) -> str:
    """What users get now."""
    if not definition.enabled:
        return f"{definition.off_variant or _OWN} for everyone"
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
        return f"{after.key} turned {'on' if after.enabled else 'off'}, still {now}"
    if was == now:
        return f"{after.key} {_unseen(before, after)}"
    off = f"{after.off_variant or _OWN} for everyone"
    if now == off:
        return f"{after.key} turned off for everyone"
    if was == off and now.startswith("on for"):
        return f"{after.key} turned {now}"
    if was == off:
        return f"{after.key} turned on: {now}"
    return f"{after.key} now {now}"


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
    if before.off_variant != after.off_variant:
        return f"would be {after.off_variant or _OWN} where it is off"
    if not after.enabled:
        return f"prepared while off: {state(replace(after, enabled=True))}"
    return "has new rules"


def _rule(rule: Rule, *, first: bool, off: str) -> tuple[str, bool]:
    """A rule in words, and whether nobody is left for those after it."""
    final = not rule.conditions
    everyone = "everyone" if first else "everyone else"
    users = f"users {_who(rule.conditions)}" if rule.conditions else "users"
    if not rule.split:
        return f"{rule.variant} for {everyone if final else users}", final
    given = [(name, percent) for name, percent in rule.split if percent]
    if len(given) == 1:
        return f"{given[0][0]} for {everyone if final else users}", final
    if rule.by != TARGETING_KEY:
        users = f"users by {rule.by}{f' {_who(rule.conditions)}' if rule.conditions else ''}"
    elif final and not first:
        users = "everyone else"
    named = [one for one in given if one[0] != off and one[0].lower() not in NOBODY_NAMED]
    shares = named if len(given) == 2 and len(named) == 1 else given
    return f"{joined([f'{name} for {percent:g}%' for name, percent in shares])} of {users}", final


def _who(conditions: tuple[Condition, ...]) -> str:
    return " and ".join(_condition(one) for one in conditions)


def _condition(one: Condition) -> str:
    if one.attribute == "country" and one.op in ("=", "in"):
        return f"in {_value(one)}"
    if one.attribute == "country" and one.op in ("!=", "not-in"):
        return f"outside {_value(one)}"
    op = one.op.removeprefix(SEMANTIC)
    name = "key" if one.attribute == TARGETING_KEY else one.attribute
    return f"whose {name} {COMPARED[op]} {_value(one)}"


def _value(one: Condition) -> str:
    if not isinstance(one.value, tuple):
        return _scalar(one.value)
    last = "nor" if one.op == "not-in" and one.attribute != "country" else "or"
    shown = [_scalar(value) for value in one.value[:SHOWN_VALUES]]
    if more := len(one.value) - len(shown):
        shown.append(f"{more:,} more")
    return joined(shown, last)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "empty"
