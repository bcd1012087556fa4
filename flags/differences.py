"""Two states of something → what differs, in words, and as JSON (pure).

"rule 2: on for 10% → 25% of users in New Zealand"
"""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from flags import words
from flags.definition import Definition, read
from flags.rules import Rule
from flags.wrong import DefinitionError

State = Mapping[str, Any] | None
LONGEST_VALUE = 60
CONTEXT_LINES = 3
OWN = "the code's own default"


def of_flags(key: str, before: State, after: State) -> list[str]:
    """What differs between two definitions in their JSON form, as sentences' parts."""
    if before is None or after is None:
        return []
    try:
        was, now = read(key, before), read(key, after)
    except DefinitionError:
        return plain(before, after)  # written when other rules held
    found = []
    if was.enabled != now.enabled:
        found.append("turned on" if now.enabled else "turned off")
    for name in ("default_variant", "off_variant"):
        old, new = getattr(was, name), getattr(now, name)
        if old != new:
            label = name.replace("_variant", " variant")
            found.append(f"{label}: {old or OWN} → {new or OWN}")
    found += _variants(was, now)
    found += _targeting(was, now)
    found += _rules(was, now)
    found += plain({"metadata": dict(was.metadata)}, {"metadata": dict(now.metadata)})
    return found


def plain(before: State, after: State) -> list[str]:
    """What differs between any two states, name by name."""
    was, now = before or {}, after or {}
    found = []
    for name in [*was, *(name for name in now if name not in was)]:
        old, new = was.get(name), now.get(name)
        if old == new:
            continue
        label = name.replace("_", " ")
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{label} {text}" for text in plain(old, new)]
        elif before is None or name not in was:
            found.append(f"{label}: {_said(new)}")
        elif after is None or name not in now:
            found.append(f"{label} removed: {_said(old)}")
        else:
            found.append(f"{label}: {_said(old)} → {_said(new)}")
    return found


def raw(before: Any, after: Any) -> list[tuple[str, str]]:
    """(sign, line) of the difference of both as JSON; the sign is +, - or a space."""
    lines = difflib.unified_diff(_json(before), _json(after), lineterm="", n=CONTEXT_LINES)
    return [(line[0], line[1:]) for line in list(lines)[2:] if not line.startswith("@@")]


def _json(value: Any) -> list[str]:
    return [] if value is None else json.dumps(value, indent=2, ensure_ascii=False).splitlines()


def _said(value: Any) -> str:
    if value is None or value == "":
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _variants(was: Definition, now: Definition) -> list[str]:
    old, new = was.variants, now.variants
    return [
        *(f"variant {name} added: {_said(new[name])}" for name in new if name not in old),
        *(f"variant {name} removed, it was {_said(old[name])}" for name in old if name not in new),
        *(
            f"variant {name}: {_said(old[name])} → {_said(new[name])}"
            for name in new
            if name in old and old[name] != new[name]
        ),
    ]


def _targeting(was: Definition, now: Definition) -> list[str]:
    if was.targeting == now.targeting:
        return []
    if was.targeting is None:
        return ["raw targeting in place of rules"]
    return ["rules in place of raw targeting"] if now.targeting is None else ["new raw targeting"]


def _rules(was: Definition, now: Definition) -> list[str]:
    pairs = _pairs(was.rules, now.rules)
    old_of = {new: old for old, new in pairs}
    kept = {old for old, _ in pairs}
    found = []
    for number, rule in enumerate(now.rules):
        place = f"rule {number + 1}"
        if number not in old_of:
            found.append(f"{place} added: {_whole(rule, now)}")
            continue
        found += [f"{place}: {text}" for text in _rule(was.rules[old_of[number]], rule, now)]
    for number, rule in enumerate(was.rules):
        if number not in kept:
            found.append(f"rule {number + 1} removed: {_whole(rule, was)}")
    found += [
        f"rule {old + 1} is now rule {new + 1}: {_whole(now.rules[new], now)}"
        for old, new in _moved(pairs)
    ]
    return found


def _pairs(was: tuple[Rule, ...], now: tuple[Rule, ...]) -> list[tuple[int, int]]:
    """(old place, new place) of rules that are the same one: equal, or by name, by who they are
    for, by place; in this order."""
    pairs: list[tuple[int, int]] = []
    old, new = list(range(len(was))), list(range(len(now)))

    def pair(same: Any) -> None:
        for i in list(old):
            match = next((j for j in new if same(i, j)), None)
            if match is not None:
                pairs.append((i, match))
                old.remove(i)
                new.remove(match)

    pair(lambda i, j: was[i] == now[j])
    pair(lambda i, j: was[i].name and was[i].name == now[j].name)
    pair(lambda i, j: was[i].conditions == now[j].conditions)
    pair(lambda i, j: i == j and bool(was[i].conditions) == bool(now[j].conditions))
    return pairs


def _moved(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that stand in another order among the rules that are in both."""
    old = [i for i, _ in sorted(pairs)]
    new = [i for i, _ in sorted(pairs, key=lambda pair: pair[1])]
    still = {
        old[block.a + n]
        for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        for n in range(block.size)
    }
    return [(i, j) for i, j in sorted(pairs) if i not in still]


def _who(rule: Rule, definition: Definition) -> str:
    if rule.conditions:
        return words.users(rule.conditions)
    return "everyone else" if len(definition.rules) > 1 else "users"


def _whole(rule: Rule, definition: Definition) -> str:
    return words.rule(rule, first=len(definition.rules) == 1, off=definition.off_variant)


def _shares(rule: Rule) -> dict[str, float]:
    return {name: percent for name, percent in rule.split if percent} or {rule.variant: 100}


def _rule(was: Rule, now: Rule, definition: Definition) -> list[str]:
    found = []
    if was.conditions != now.conditions:
        found.append(f"{words.users(was.conditions)} → {words.users(now.conditions)}")
    who = _who(now, definition)
    if was.ramp or now.ramp:
        old, new = (words.ramping(r.ramp) if r.ramp else _given(r) for r in (was, now))
        if was.ramp != now.ramp:
            found.append(f"{old} → {new} of {who}")
    elif (old_shares := _shares(was)) != (new_shares := _shares(now)):
        found.append(_moved_shares(old_shares, new_shares, who, definition.off_variant))
    if was.by != now.by and (now.split or now.ramp):
        found.append(f"split by {was.by} → {now.by}")
    if was.name != now.name:
        found.append(f"called {now.name}" if now.name else "has no name any more")
    return found


def _given(rule: Rule) -> str:
    return " and ".join(f"{name} for {percent:g}%" for name, percent in _shares(rule).items())


def _moved_shares(was: dict[str, float], now: dict[str, float], who: str, off: str) -> str:
    if len(was) == len(now) == 1:
        return f"{next(iter(was))} → {next(iter(now))} for {who}"
    names = [name for name in {**now, **was} if was.get(name, 0) != now.get(name, 0)]
    if len(names) == 2:  # one goes up as the other goes down: one of them says it
        names = [name for name in names if name not in (off, *words.NOBODY_NAMED)][:1] or names[:1]
    told = [f"{name} for {was.get(name, 0):g}% → {now.get(name, 0):g}%" for name in names]
    return f"{', '.join(told)} of {who}"
