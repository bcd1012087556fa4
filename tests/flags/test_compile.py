"""Definitions as flagd reads them, and what its evaluator makes of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from flags.compile import compiled
from flags.definition import read
from flags.evaluate import context_of, document_of, evaluate

BOOLEAN: dict[str, Any] = {"type": "boolean", "enabled": True}
SPLIT: dict[str, Any] = {"split": {"on": 25, "off": 75}}
NEW_ZEALAND = {"attribute": "country", "op": "=", "value": "NZ"}


def flag(**given: Any) -> dict[str, Any]:
    found: dict[str, Any] = compiled([read("a", BOOLEAN | given, 7)], "acme/production")["flags"][
        "a"
    ]
    return found


def test_a_plain_flag_serves_its_default_with_set_and_version_as_metadata() -> None:
    assert flag(default_variant="on") == {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "on",
        "metadata": {"flagSetId": "acme/production", "version": "7"},
    }


def test_what_is_off_serves_its_off_variant_whatever_its_rules() -> None:
    found = flag(enabled=False, default_variant="on", rules=[SPLIT])
    assert (found["state"], found["defaultVariant"]) == ("ENABLED", "off")
    assert "targeting" not in found


def test_without_an_off_variant_off_is_flagds_disabled() -> None:
    found = flag(enabled=False, off_variant="")
    assert found["state"] == "DISABLED"
    assert "defaultVariant" not in found


def placed(*parts: list[Any]) -> dict[str, Any]:
    """A split that names its unit, which other flags can therefore ask for."""
    unit = {"var": "targetingKey"}
    split = {"fractional": [{"cat": ["a/", unit]}, *parts]}
    return {"if": [{"!!": [unit]}, split, None]}


@pytest.mark.parametrize(
    ("rules", "targeting"),
    [
        ([SPLIT], placed(["off", 75], ["on", 25])),
        ([{"split": {"on": 0.5, "off": 99.5}}], placed(["off", 99500], ["on", 500])),
        ([{"variant": "on"}], {"if": [True, "on"]}),
        (
            [{"if": [NEW_ZEALAND], "variant": "on"}],
            {"if": [{"==": [{"var": "country"}, "NZ"]}, "on", None]},
        ),
        (
            [{"if": [NEW_ZEALAND], "variant": "on"}, SPLIT],
            {
                "if": [
                    {"==": [{"var": "country"}, "NZ"]},
                    "on",
                    placed(["off", 75], ["on", 25]),
                ]
            },
        ),
    ],
    ids=["split", "thousandths", "everyone", "condition", "condition, then split"],
)
def test_rules_as_json_logic(rules: list[Any], targeting: dict[str, Any]) -> None:
    assert flag(rules=rules)["targeting"] == targeting


CONDITIONS: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("=", "NZ", ["NZ"], ["AU", "nz", None, 3]),
    ("=", True, [True], [False, None, "true"]),
    ("=", False, [False], [True, None]),
    ("=", 3, [3, 3.0, "3"], [4, None]),
    ("=", 0, [0], [1, None]),
    ("=", "", [""], ["x", None]),
    ("!=", 0, [1, None], [0]),
    ("!=", False, [True, None], [False]),
    ("!=", "NZ", ["AU", None], ["NZ"]),
    ("in", ["NZ", "AU"], ["NZ", "AU"], ["DE", None, "N"]),
    ("not-in", ["NZ", "AU"], ["DE", None], ["NZ"]),
    ("starts-with", "N", ["NZ"], ["AN", None, 3]),
    ("ends-with", "@acme.com", ["a@acme.com"], ["a@acme.com.evil", None]),
    (">", -1, [0, 5, "5"], [-1, None, "x"]),
    (">=", 0, [0, 4], [-2, None]),
    ("<", 3, [2, 0], [3, None]),
    ("<=", 3, [3], [4, None]),
    ("sem-ver =", "2.1", ["2.1.0", "v2.1"], ["2.1.1", None]),
    ("sem-ver >=", "2.1", ["2.1.0", "2.10"], ["2.0.9", None, "new"]),
    ("sem-ver <", "v2", ["1.0.9", "2.0.0-rc.1"], ["2"]),
    ("sem-ver =", "2.1-rc.1+b", ["2.1.0-rc.1"], ["2.1.0"]),
    ("sem-ver ^", "2.1", ["2.9"], ["3.0"]),
    ("sem-ver ~", "2.1", ["2.1.9"], ["2.2.0"]),
]


@pytest.mark.parametrize(
    ("op", "value", "held", "missed"), CONDITIONS, ids=lambda value: str(value)[:24]
)
def test_a_condition_holds_where_it_should(
    op: str, value: Any, held: list[Any], missed: list[Any]
) -> None:
    """Without the attribute (None: not sent) only != and not-in hold."""
    rules = [{"if": [{"attribute": "x", "op": op, "value": value}], "variant": "on"}]
    document = document_of([read("a", BOOLEAN | {"rules": rules})], "s")
    for expected, sent in (("on", held), ("off", missed)):
        for one in sent:
            context = {} if one is None else {"x": one}
            found = evaluate(document, "a", context_of(context))
            assert (found.variant, found.error_code) == (expected, ""), one


def test_all_conditions_of_a_rule_must_hold_and_the_first_rule_wins() -> None:
    old = {"attribute": "age", "op": ">=", "value": 65}
    rules = [
        {"if": [NEW_ZEALAND, old], "variant": "off"},
        {"if": [NEW_ZEALAND], "variant": "on"},
    ]
    document = document_of([read("a", BOOLEAN | {"rules": rules})], "s")
    for context, expected in (
        ({"country": "NZ", "age": 70}, "off"),
        ({"country": "NZ", "age": 30}, "on"),
        ({"age": 70}, "off"),
    ):
        assert evaluate(document, "a", context_of(context)).variant == expected


def variant(rules: list[Any], context: dict[str, Any], key: str = "a") -> str:
    document = document_of([read(key, BOOLEAN | {"rules": rules})], "s")
    return evaluate(document, key, context_of(context)).variant


def split(percent: float, **more: Any) -> list[Any]:
    return [{"split": {"on": percent, "off": round(100 - percent, 3)}} | more]


@pytest.mark.parametrize("percent", [0.5, 5, 25, 50, 99])
def test_a_split_gives_its_share(percent: float) -> None:
    """20,000 users: the share within 4 standard errors."""
    document = document_of([read("a", BOOLEAN | {"rules": split(percent)})], "s")
    n = 20_000
    on = sum(
        evaluate(document, "a", context_of({"targetingKey": f"user {i}"})).variant == "on"
        for i in range(n)
    )
    share = percent / 100
    assert abs(on / n - share) < 4 * (share * (1 - share) / n) ** 0.5


@given(st.text(min_size=1), st.integers(0, 100), st.integers(0, 100))
def test_a_split_that_grows_takes_nobodys_variant_away(user: str, a: int, b: int) -> None:
    least, most = sorted((a, b))
    context = {"targetingKey": user}
    assert variant(split(least), context) == variant(split(least), context)
    if variant(split(least), context) == "on":
        assert variant(split(most), context) == "on"


def test_writing_a_share_in_thousandths_moves_nobody() -> None:
    """30% as 30 of 100 and as 30000 of 100000 are the same users."""
    core = FlagdCore()
    found = []
    for scale in (1, 1000):
        logic = _fractional(70 * scale, 30 * scale)
        core.set_flags({"flags": {"a": flag() | {"targeting": logic}}})
        found.append(
            [
                core.resolve_boolean_value("a", False, EvaluationContext(one["targetingKey"])).value
                for one in USERS
            ]
        )
    assert found[0] == found[1]


USERS = [{"targetingKey": str(i)} for i in range(2000)]


def _fractional(off: int, on: int) -> dict[str, Any]:
    return {"fractional": [["off", off], ["on", on]]}


def test_two_flags_split_independently() -> None:
    both = sum(
        variant(split(50), {"targetingKey": str(i)}, "a") == "on"
        and variant(split(50), {"targetingKey": str(i)}, "b") == "on"
        for i in range(1000)
    )
    assert 190 < both < 310


def test_a_split_by_company_keeps_companies_together() -> None:
    rules = split(50, by="company")
    for company in range(50):
        found = {
            variant(rules, {"targetingKey": str(user), "company": company}) for user in range(5)
        }
        assert len(found) == 1
    assert variant(rules, {"targetingKey": "u1"}) == "off"  # no company: the default variant


def test_without_a_targeting_key_a_split_serves_the_default() -> None:
    document = document_of([read("a", BOOLEAN | {"rules": split(100 - 1e-3)})], "s")
    found = evaluate(document, "a", context_of({}))
    assert (found.variant, found.reason) == ("off", "DEFAULT")


DATA = Path(__file__).parent.parent / "data" / "flagd"
MANY = [
    read("plain", BOOLEAN),
    read("off", BOOLEAN | {"enabled": False, "off_variant": ""}),
    read("split", BOOLEAN | {"rules": split(12.5, by="company")}),
    read(
        "rules",
        BOOLEAN
        | {
            "rules": [
                *(
                    {"if": [{"attribute": "x", "op": op, "value": value}], "variant": "on"}
                    for op, value, _, _ in CONDITIONS
                ),
                SPLIT,
            ]
        },
    ),
    read("text", {"type": "string", "enabled": True, "variants": {"a": "A", "b": "B"}}),
    read("float", {"type": "number", "enabled": True, "variants": {"a": 1, "b": 1.5}}),
    read("whole", {"type": "number", "enabled": True, "variants": {"a": 1}}),
    read("object", {"type": "object", "enabled": True, "variants": {"a": {"b": [1, None]}}}),
]


def test_what_is_compiled_fits_flagds_own_schema() -> None:
    validator().validate(json.loads(json.dumps(compiled(MANY, "acme/production"))))


@pytest.mark.parametrize(
    "path",
    sorted((DATA / "test" / "flags").glob("*/*.json")),
    ids=lambda path: f"{path.parent.name} {path.stem}",
)
def test_the_schema_tells_flagds_own_cases_apart(path: Path) -> None:
    """Else the test above could pass for a schema that accepts everything."""
    valid: bool = validator().is_valid(json.loads(path.read_text()))
    assert valid == (path.parent.name == "positive")


def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    schemas = [json.loads((DATA / name).read_text()) for name in ("flags.json", "targeting.json")]
    registry = referencing.Registry().with_resources(
        (schema["$id"], referencing.Resource.from_contents(schema)) for schema in schemas
    )
    return jsonschema.Draft7Validator({"$ref": schemas[0]["$id"]}, registry=registry)
