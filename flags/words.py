"""What a flag's definition does, in words."""

from typing import Any

from flags.models import Flag


def state_in_words(flag: Flag) -> str:
    """"off for everyone", "on for 50% of users", "on for everyone"."""
    if not flag.enabled:
        return f"{flag.off_variant or 'off'} for everyone"
    parts = [_rule(rule) for rule in flag.rules]
    if flag.rules and not flag.rules[-1].get("if"):
        return "; ".join(parts)
    return "; ".join([*parts, f"{flag.default_variant} for everyone{' else' if parts else ''}"])


def _rule(rule: dict[str, Any]) -> str:
    who = " and ".join(_condition(one) for one in rule.get("if", []))
    if split := rule.get("split"):
        total = sum(split.values()) or 1
        names = [name for name in split if name != "off" and split[name]] or list(split)
        share = ", ".join(f"{name} for {split[name] / total:.0%}" for name in names)
        return f"{share} of users{f' where {who}' if who else ''}"
    return f"{rule.get('variant')} for {f'users where {who}' if who else 'everyone'}"


def _condition(one: dict[str, Any]) -> str:
    value = one.get("value")
    shown = ", ".join(map(str, value)) if isinstance(value, list) else value
    return f"{one.get('attribute')} {one.get('op')} {shown}"
