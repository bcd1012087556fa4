"""Unleash's export (features, strategies, segments) → flags with the same rules.

Unleash hashes with another function, so a percentage keeps its size and not its users: each
translated percentage says so.
"""

from collections.abc import Mapping
from typing import Any

from flags.importing.translation import LEANING, Translation

OPERATORS = {
    "IN": "in",
    "NOT_IN": "not-in",
    "STR_STARTS_WITH": "starts-with",
    "STR_ENDS_WITH": "ends-with",
    "NUM_EQ": "=",
    "NUM_GT": ">",
    "NUM_GTE": ">=",
    "NUM_LT": "<",
    "NUM_LTE": "<=",
    "SEMVER_EQ": "sem-ver =",
    "SEMVER_GT": "sem-ver >",
    "SEMVER_LT": "sem-ver <",
}
ATTRIBUTES = {"userId": "targetingKey", "default": "targetingKey", "random": "targetingKey"}


class Untranslatable(Exception):
    """A part that has no counterpart; the message says which."""


def translate(file: Mapping[str, Any], environment: str = "production") -> Translation:
    """An export of `/api/admin/features-batch/export`; of its environments, the one named.

    Older exports and what SDKs fetch have no environments: there a feature has its strategies.
    """
    found = Translation()
    names = {one["id"]: _name(one) for one in _list(file, "segments") if "id" in one}
    for one in _list(file, "segments"):
        _segment(found, one)
    strategies: dict[str, list[Mapping[str, Any]]] = {}
    for one in _list(file, "featureStrategies"):
        if one.get("environment", environment) == environment:
            strategies.setdefault(str(one.get("featureName")), []).append(one)
    states = {
        str(one.get("featureName", one.get("name"))): one
        for one in _list(file, "featureEnvironments")
        if one.get("environment", environment) == environment
    }
    parents = {one.get("feature"): one.get("dependencies") for one in _list(file, "dependencies")}
    for one in _list(file, "features"):
        key = str(one.get("name", ""))
        feature = {"dependencies": parents.get(key), **one}
        if "enabled" not in feature and key not in states:
            found.leave_out(
                f"flag {key}, its state",
                f"the file does not say it for {environment}, so it comes turned off",
            )
        own = strategies.get(key) or _list(feature, "strategies")
        _flag(found, feature, states.get(key, {}), own, names)
    return found


def _name(segment: Mapping[str, Any]) -> str:
    return str(segment.get("name") or f"segment-{segment.get('id', '')}")


def _list(file: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = file.get(name)
    return [one for one in rows if isinstance(one, Mapping)] if isinstance(rows, list) else []


def _segment(found: Translation, one: Mapping[str, Any]) -> None:
    name = _name(one)
    try:
        conditions = [_condition(part) for part in _list(one, "constraints")]
    except Untranslatable as error:
        found.leave_out(f"segment {name}", str(error))
        return
    if conditions:
        found.segments[name] = {"match": "all", "if": conditions}
    else:
        found.leave_out(f"segment {name}", "it has no constraints")


def _flag(
    found: Translation,
    feature: Mapping[str, Any],
    state: Mapping[str, Any],
    strategies: list[Mapping[str, Any]],
    segments: Mapping[Any, str],
) -> None:
    key = str(feature.get("name", ""))
    rules: list[dict[str, Any]] = []
    for i, strategy in enumerate(strategies, 1):
        if strategy.get("disabled"):
            continue
        try:
            rule = _rule(strategy, segments)
        except Untranslatable as error:
            found.leave_out(f"flag {key}, strategy {i} ({strategy.get('name')})", str(error))
            continue
        if "split" in rule:
            found.leave_out(
                f"flag {key}, strategy {i}", "its percentage is kept, but hashes other users"
            )
        rules.append(rule)
    if state.get("variants") or feature.get("variants"):
        found.leave_out(
            f"flag {key}, variants", "Unleash's variants are payloads beside on and off"
        )
    if any(strategy.get("variants") for strategy in strategies):
        found.leave_out(f"flag {key}, variants of its strategies", "they have no counterpart")
    if feature.get("impressionData"):
        found.leave_out(f"flag {key}, impressionData", "it has no counterpart")
    leans = bool(feature.get("dependencies"))
    if leans:
        found.leave_out(f"flag {key}, dependencies", LEANING)
    first = next((i for i, rule in enumerate(rules) if not rule.get("if")), None)
    if first is not None and rules[first + 1 :]:
        found.leave_out(
            f"flag {key}, strategies after {first + 1}", "a rule for everyone ends the list here"
        )
        rules = rules[: first + 1]
    found.flags[key] = {
        "key": key,
        "type": "boolean",
        "enabled": bool(state.get("enabled", feature.get("enabled", False))) and not leans,
        "default_variant": "off" if strategies else "on",
        "rules": rules,
        "description": str(feature.get("description") or ""),
        "tags": [str(one) for one in (feature.get("type"),) if one],
    }


def _rule(strategy: Mapping[str, Any], segments: Mapping[Any, str]) -> dict[str, Any]:
    parameters = strategy.get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    conditions = [_condition(one) for one in _list(strategy, "constraints")]
    for number in strategy.get("segments") or []:
        if number not in segments:
            raise Untranslatable(f"segment {number} is not in the file")
        conditions.append({"segment": segments[number]})
    rule: dict[str, Any] = {}
    match strategy.get("name"):
        case "default":
            rule["variant"] = "on"
        case "userWithId":
            users = [one.strip() for one in str(parameters.get("userIds", "")).split(",")]
            conditions.append(
                {"attribute": "targetingKey", "op": "in", "value": [one for one in users if one]}
            )
            rule["variant"] = "on"
        case "flexibleRollout" | "gradualRolloutUserId" | "gradualRolloutRandom":
            percent = _number(parameters.get("rollout", parameters.get("percentage", 100)))
            stickiness = str(parameters.get("stickiness", "default"))
            if percent >= 100:
                rule["variant"] = "on"
            else:
                rule["split"] = {"on": percent, "off": round(100 - percent, 3)}
                if (by := ATTRIBUTES.get(stickiness, stickiness)) != "targetingKey":
                    rule["by"] = by
        case other:
            raise Untranslatable(f"there is no strategy like {other!s:.60}")
    return rule | ({"if": conditions} if conditions else {})


def _condition(constraint: Mapping[str, Any]) -> dict[str, Any]:
    name = str(constraint.get("contextName", ""))
    operator = str(constraint.get("operator", ""))
    op = OPERATORS.get(operator)
    if op is None:
        raise Untranslatable(f"its constraint {operator:.40} has no counterpart")
    if constraint.get("caseInsensitive"):
        raise Untranslatable("texts are compared with their case here")
    values = [str(one) for one in constraint.get("values") or []]
    value: Any = values
    if op not in ("in", "not-in"):
        single = constraint.get("value") or (values[0] if len(values) == 1 else None)
        if single is None:
            raise Untranslatable(f"{operator:.40} with several values has no counterpart")
        value = _number(single) if operator.startswith("NUM_") else str(single)
    if constraint.get("inverted"):
        if op not in ("in", "not-in"):
            raise Untranslatable("an inverted constraint has no counterpart but for lists")
        op = "not-in" if op == "in" else "in"
    return {"attribute": ATTRIBUTES.get(name, name), "op": op, "value": value}


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise Untranslatable(f"{value!s:.40} is no number") from None
    return int(found) if found.is_integer() else round(found, 3)
