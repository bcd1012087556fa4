"""What a flag leans on: segments and other flags must exist, and never lead back to it."""

from collections.abc import Iterator, Mapping

from flags.definition import Definition
from flags.models import Flag, Segment
from flags.raw import references
from flags.rules import FLAG_IS, FLAG_IS_NOT, NOT_SEGMENT, SEGMENT
from flags.wrong import DefinitionError
from projects.models import Environment


def segments_of(definition: Definition) -> Iterator[tuple[str, str]]:
    """(place, name) of each segment that the definition names."""
    for i, rule in enumerate(definition.rules):
        for j, one in enumerate(rule.conditions):
            if one.op in (SEGMENT, NOT_SEGMENT):
                yield f"rules[{i}].if[{j}].{one.op}", one.value
    for name in references(definition.targeting or {}):
        yield "targeting", name


def prerequisites_of(definition: Definition) -> Iterator[tuple[str, str, str]]:
    """(place, key, variant) of each other flag that the definition asks for."""
    for i, rule in enumerate(definition.rules):
        for j, one in enumerate(rule.conditions):
            if one.op in (FLAG_IS, FLAG_IS_NOT):
                yield f"rules[{i}].if[{j}]", one.attribute, one.value


def check(environment: Environment, definition: Definition) -> None:
    """Raises DefinitionError where something that the flag names is not there or goes round."""
    _check_segments(environment, definition)
    asked = list(prerequisites_of(definition))
    if not asked:
        return
    rows = Flag.objects.current().filter(environment=environment)
    others = {flag.key: flag.definition() for flag in rows}
    others[definition.key] = definition
    for place, key, variant in asked:
        other = others.get(key)
        if other is None:
            raise DefinitionError(
                f"{place}.flag", f"{place}: there is no flag {key} in {environment}. Create it."
            )
        if variant not in other.variants:
            known = ", ".join(other.variants)
            raise DefinitionError(place, f"{place}: {key} has no variant {variant}, only {known}.")
        if other.targeting is not None and _shorthand(other.targeting):
            raise DefinitionError(
                place,
                f"{place}: {key} splits by flagd's shorthand, which gives other flags other "
                "users. Turn its split into a rule first.",
            )
    if circle := _circle(definition.key, others):
        raise DefinitionError("rules", f"These flags ask for each other: {' → '.join(circle)}.")


def _check_segments(environment: Environment, definition: Definition) -> None:
    named = list(segments_of(definition))
    if not named:
        return
    known = set(Segment.objects.filter(environment=environment).values_list("name", flat=True))
    for place, name in named:
        if name not in known:
            raise DefinitionError(
                place, f"{place}: there is no segment {name} in {environment}. Create it first."
            )


def check_dependants(environment: Environment, before: Definition, after: Definition) -> None:
    """Raises DefinitionError where another flag asks for a variant that would go."""
    gone = set(before.variants) - set(after.variants)
    if not gone:
        return
    for flag in Flag.objects.current().filter(environment=environment).exclude(key=after.key):
        for _, key, variant in prerequisites_of(flag.definition()):
            if key == after.key and variant in gone:
                raise DefinitionError(
                    "variants", f"{flag.key} asks for {key} to be {variant}. Change it first."
                )


def dependants(environment: Environment, key: str) -> list[str]:
    """Keys of the flags whose rules ask for what this one gives."""
    return [
        flag.key
        for flag in Flag.objects.current().filter(environment=environment).exclude(key=key)
        if any(key == asked for _, asked, _ in prerequisites_of(flag.definition()))
    ]


def leaned_on(environment: Environment, definition: Definition) -> list[Flag]:
    """The flags whose variants decide, through however many others, what this one gives."""
    asked = {key for _, key, _ in prerequisites_of(definition)}
    if not asked:
        return []
    others = {flag.key: flag for flag in Flag.objects.current().filter(environment=environment)}
    found: dict[str, Flag] = {}
    while asked:
        key = asked.pop()
        if key in others and key not in found:
            found[key] = others[key]
            asked |= {one for _, one, _ in prerequisites_of(others[key].definition())}
    return list(found.values())


def users_of_segment(environment: Environment, name: str) -> list[str]:
    """Keys of the flags that name the segment."""
    return [
        flag.key
        for flag in Flag.objects.current().filter(environment=environment)
        if any(name == one for _, one in segments_of(flag.definition()))
    ]


def _circle(start: str, others: Mapping[str, Definition]) -> list[str]:
    """A way from the flag back to itself, or nothing."""

    def walk(key: str, way: list[str]) -> list[str]:
        for _, asked, _ in prerequisites_of(others[key]):
            if asked == start:
                return [*way, asked]
            if asked in others and asked not in way and (found := walk(asked, [*way, asked])):
                return found
        return []

    return walk(start, [start])


def _shorthand(logic: object) -> bool:
    """Whether a fractional in it names no unit of its own."""
    if isinstance(logic, Mapping):
        parts = logic.get("fractional")
        if isinstance(parts, list) and (not parts or isinstance(parts[0], list)):
            return True
        return any(map(_shorthand, logic.values()))
    return isinstance(logic, list) and any(map(_shorthand, logic))
