"""What may be stored: each refusal names its field."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.definition import check_key, check_tags, check_text, read
from flags.wrong import DefinitionError

BOOLEAN: dict[str, Any] = {"type": "boolean"}
COLOURS: dict[str, Any] = {"type": "string", "variants": {"red": "#f00", "blue": "#00f"}}
IF = [{"attribute": "country", "op": "=", "value": "NZ"}]


def test_a_boolean_needs_nothing_but_its_type() -> None:
    found = read("a", BOOLEAN)
    assert dict(found.variants) == {"on": True, "off": False}
    assert (found.enabled, found.default_variant, found.off_variant) == (False, "off", "off")


def test_another_type_begins_with_its_first_variant_and_has_no_off_variant() -> None:
    found = read("a", COLOURS)
    assert (found.default_variant, found.off_variant) == ("red", "")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "type"),
        ({"type": "colour"}, "type"),
        ({"type": ["boolean"]}, "type"),
        ({"type": "string"}, "variants"),
        ({"type": "string", "variants": {}}, "variants"),
        ({"type": "string", "variants": {"": "x"}}, "variants"),
        ({"type": "string", "variants": {"a\x1fb": "x"}}, "variants"),
        ({"type": "string", "variants": {"a": 1}}, "variants.a"),
        ({"type": "string", "variants": {"a": "nul\x00"}}, "variants.a"),
        ({"type": "string", "variants": {"a": "\ud800"}}, "variants.a"),
        ({"type": "number", "variants": {"a": True}}, "variants.a"),
        ({"type": "number", "variants": {"a": math.nan}}, "variants.a"),
        ({"type": "number", "variants": {"a": math.inf}}, "variants.a"),
        ({"type": "number", "variants": {"a": 10**30}}, "variants.a"),
        ({"type": "boolean", "variants": {"a": 1}}, "variants.a"),
        ({"type": "object", "variants": {"a": [1]}}, "variants.a"),
        ({"type": "object", "variants": {"a": {"b": {"c": math.nan}}}}, "variants.a"),
        ({"type": "object", "variants": {"a": {"b\x00": 1}}}, "variants.a"),
        (BOOLEAN | {"enabled": "yes"}, "enabled"),
        (BOOLEAN | {"default_variant": "maybe"}, "default_variant"),
        (BOOLEAN | {"off_variant": 3}, "off_variant"),
        (BOOLEAN | {"rules": {}}, "rules"),
        (BOOLEAN | {"rules": [3]}, "rules[0]"),
        (BOOLEAN | {"rules": [{}]}, "rules[0]"),
        (BOOLEAN | {"rules": [{"variant": "on", "split": {"on": 100}}]}, "rules[0]"),
        (BOOLEAN | {"rules": [{"variant": "on", "when": 3}]}, "rules[0]"),
        (BOOLEAN | {"rules": [{"variant": "red"}]}, "rules[0].variant"),
        (BOOLEAN | {"rules": [{"variant": "on", "by": "company"}]}, "rules[0].by"),
        (BOOLEAN | {"rules": [{"variant": "on"}, {"variant": "off"}]}, "rules[1]"),
        (BOOLEAN | {"rules": [{"split": {}}]}, "rules[0].split"),
        (BOOLEAN | {"rules": [{"split": {"on": 50, "off": 40}}]}, "rules[0].split"),
        (BOOLEAN | {"rules": [{"split": {"on": 150, "off": -50}}]}, "rules[0].split"),
        (BOOLEAN | {"rules": [{"split": {"on": 0.00005, "off": 99.99995}}]}, "rules[0].split"),
        (BOOLEAN | {"rules": [{"split": {"on": True, "off": 99}}]}, "rules[0].split"),
        (BOOLEAN | {"rules": [{"split": {"on": math.nan, "off": 99}}]}, "rules[0].split"),
        (BOOLEAN | {"rules": [{"split": {"red": 100}}]}, "rules[0].split"),
        (BOOLEAN | {"rules": [{"if": "all", "variant": "on"}]}, "rules[0].if"),
        (BOOLEAN | {"rules": [{"if": [{"op": "="}], "variant": "on"}]}, "rules[0].if[0].attribute"),
        (
            BOOLEAN | {"rules": [{"if": [IF[0] | {"op": "~~"}], "variant": "on"}]},
            "rules[0].if[0].op",
        ),
        *(
            (
                BOOLEAN
                | {"rules": [{"if": [IF[0] | {"op": op, "value": value}], "variant": "on"}]},
                "rules[0].if[0].value",
            )
            for op, value in list[tuple[str, Any]](
                [
                    ("=", None),
                    ("=", [1]),
                    ("=", math.inf),
                    ("=", "\x00"),
                    ("in", "NZ"),
                    ("in", []),
                    ("in", [{}]),
                    ("starts-with", 3),
                    ("starts-with", ""),
                    (">", "3"),
                    (">", True),
                    ("sem-ver >=", "two"),
                    ("sem-ver >=", 2),
                ]
            )
        ),
    ],
    ids=lambda given: str(given)[:60].encode("ascii", "replace").decode().replace("\x00", "0"),
)
def test_a_refusal_names_the_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        read("a", given)
    assert refused.value.field == field
    assert refused.value.message.endswith(".")


def test_a_variant_that_a_rule_serves_cannot_be_taken_away() -> None:
    given = COLOURS | {"rules": [{"variant": "red"}], "variants": {"blue": "#00f"}}
    with pytest.raises(DefinitionError, match="no variant red"):
        read("a", given)


def test_deep_values_are_refused_not_followed() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    with pytest.raises(DefinitionError, match="nested"):
        read("a", {"type": "object", "variants": {"a": deep}})


@pytest.mark.parametrize("key", ["a", "NEW_SEARCH", "web/new-search", "a.b~c:d", "x" * 200])
def test_keys_that_clients_can_send(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "ü", "a b", "/a", "a/", "a//b", "a/../b", "x" * 201, "a\n", "a?b", "new", None, 3]
)
def test_keys_that_an_address_would_change(key: Any) -> None:
    with pytest.raises(DefinitionError):
        check_key(key)


@pytest.mark.parametrize("tags", ["a", [1], [""], ["x" * 51], ["a\x00"], ["a"] * 51])
def test_bad_tags_are_refused(tags: Any) -> None:
    with pytest.raises(DefinitionError):
        check_tags(tags)


def test_tags_stand_once_and_texts_have_an_end() -> None:
    assert check_tags(["a", " b ", "a"]) == ["a", "b"]
    with pytest.raises(DefinitionError):
        check_text("reason", "x" * 11, 10)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["type", "variants", "enabled", "default_variant", "off_variant", "rules"])


@given(st.dictionaries(NAMES, JSON), st.sampled_from(["boolean", "string", "number", "object"]))
def test_any_json_is_read_or_refused_by_name(body: dict[str, Any], kind: str) -> None:
    try:
        found = read("a", {"type": kind} | body)
    except DefinitionError as error:
        assert error.field  # noqa: PT017  # most, not all, are refused
    else:
        assert read("a", found.as_json()) == found


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("if", "variant", "split", "by", "name"), JSON)
        )
    )
)
def test_any_rules_are_read_or_refused_by_name(rules: list[Any]) -> None:
    try:
        read("a", BOOLEAN | {"rules": rules})
    except DefinitionError as error:
        assert error.field.startswith("rules")  # noqa: PT017  # most, not all, are refused
