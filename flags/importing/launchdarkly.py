"""LaunchDarkly's flags (GET /api/v2/flags/{project}, one or many) → flags with the same rules.

LaunchDarkly hashes with another function, so a percentage keeps its size and not its users.
"""

from collections.abc import Mapping
from typing import Any

from flags.importing.translation import LEANING, Translation
from flags.importing.unleash import Untranslatable

OPERATORS = {
    "in": ("in", "not-in"),
    "startsWith": ("starts-with", ""),
    "endsWith": ("ends-with", ""),
    "greaterThan": (">", "<="),
    "greaterThanOrEqual": (">=", "<"),
    "lessThan": ("<", ">="),
    "lessThanOrEqual": ("<=", ">"),
    "semVerEqual": ("sem-ver =", "sem-ver !="),
    "semVerGreaterThan": ("sem-ver >", "sem-ver <="),
    "semVerLessThan": ("sem-ver <", "sem-ver >="),
}
SEVERAL = {"in", "startsWith", "endsWith"}
KINDS: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "string": (str,),
    "number": (int, float),
    "json": (dict,),
}


def translate(file: Mapping[str, Any], environment: str = "production") -> Translation:
    """`{"items": [flag, …]}` or a single flag; of its environments, the one named."""
    found = Translation()
    items = file.get("items", [file])
    for flag in items if isinstance(items, list) else []:
        if not isinstance(flag, Mapping):
            continue
        key = str(flag.get("key", ""))
        try:
            _flag(found, key, flag, environment)
        except Untranslatable as error:
            found.leave_out(f"flag {key}", str(error))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            found.leave_out(f"flag {key}", f"it can't be read ({type(error).__name__})")
    return found


def _flag(found: Translation, key: str, flag: Mapping[str, Any], environment: str) -> None:
    rows = flag["variations"]
    values = [one["value"] for one in rows]
    kind = _kind(flag.get("kind"), values)
    names = _names(kind, rows)
    here = flag.get("environments", {}).get(environment)
    if here is None:
        raise Untranslatable(f"it has no environment {environment}")
    rules: list[dict[str, Any]] = []
    for i, target in enumerate(here.get("targets") or [], 1):
        if users := [str(one) for one in target.get("values") or []]:
            condition = {"attribute": "targetingKey", "op": "in", "value": users}
            rules.append(
                {"name": f"Targets {i}", "if": [condition], "variant": names[target["variation"]]}
            )
    if here.get("contextTargets"):
        found.leave_out(f"flag {key}, contextTargets", "only users are targeted by name here")
    leans = bool(here.get("prerequisites"))
    if leans:
        found.leave_out(f"flag {key}, prerequisites", LEANING)
    for i, rule in enumerate(here.get("rules") or [], 1):
        try:
            translated = _outcome(rule, names)
            translated["if"] = [_clause(one) for one in rule.get("clauses") or []]
        except Untranslatable as error:
            found.leave_out(f"flag {key}, rule {i}", str(error))
            continue
        _note_split(found, f"flag {key}, rule {i}", translated)
        rules.append(translated)
    default = names[here.get("offVariation") or 0]
    fallthrough = _outcome(here.get("fallthrough") or {}, names)
    if "split" in fallthrough:
        _note_split(found, f"flag {key}, fallthrough", fallthrough)
        rules.append(fallthrough)
    else:
        default = fallthrough["variant"]
    off = here.get("offVariation")
    found.flags[key] = {
        "key": key,
        "type": kind,
        "variants": dict(zip(names, values, strict=True)),
        "enabled": bool(here.get("on")) and not leans,
        "default_variant": default,
        "off_variant": "" if off is None else names[off],
        "rules": rules,
        "description": str(flag.get("description") or flag.get("name") or ""),
        "tags": [str(one) for one in flag.get("tags") or []],
    }


def _kind(named: Any, values: list[Any]) -> str:
    for kind, types in KINDS.items():
        if all(
            isinstance(one, types) and (kind == "boolean") == isinstance(one, bool)
            for one in values
        ):
            return "object" if kind == "json" else kind
    raise Untranslatable(f"its variations ({named!s:.40}) are not all of one type we have")


def _names(kind: str, rows: list[Mapping[str, Any]]) -> list[str]:
    """Variants by their name, else by their value; each once."""
    found: list[str] = []
    for i, one in enumerate(rows):
        plain = {True: "on", False: "off"}[one["value"]] if kind == "boolean" else ""
        name = (
            plain
            or str(one.get("name") or "").strip()
            or (str(one["value"]) if kind != "object" else f"variation {i + 1}")
        )
        found.append(name[:100] if name and name not in found else f"variation {i + 1}")
    return found


def _outcome(rule: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    if rule.get("variation") is not None:
        return {"variant": names[rule["variation"]]}
    rollout = rule.get("rollout")
    if not isinstance(rollout, Mapping):
        raise Untranslatable("it names neither a variation nor a rollout")
    shares: dict[str, float] = {}
    for one in rollout["variations"]:
        name = names[one["variation"]]
        shares[name] = round(shares.get(name, 0) + one["weight"] / 1000, 3)
    by = rollout.get("bucketBy") or "key"
    split: dict[str, Any] = {"split": shares}
    return split if by == "key" else split | {"by": str(by)}


def _clause(clause: Mapping[str, Any]) -> dict[str, Any]:
    operator, values = str(clause.get("op")), list(clause.get("values") or [])
    if operator == "segmentMatch":
        raise Untranslatable("it names a segment, which is not in this export")
    if operator not in OPERATORS:
        raise Untranslatable(f"its operator {operator:.40} has no counterpart")
    if clause.get("contextKind", "user") not in ("user", ""):
        raise Untranslatable(f"it is about a {clause['contextKind']!s:.40}, not a user")
    op = OPERATORS[operator][1 if clause.get("negate") else 0]
    if not op or (operator != "in" and len(values) != 1):
        raise Untranslatable(f"{operator:.40} with several values, or negated, has no counterpart")
    name = str(clause.get("attribute", ""))
    attribute = "targetingKey" if name == "key" else name.lstrip("/")
    return {"attribute": attribute, "op": op, "value": values if operator == "in" else values[0]}


def _note_split(found: Translation, what: str, rule: Mapping[str, Any]) -> None:
    if "split" in rule:
        found.leave_out(what, "its percentages are kept, but hash other users")
