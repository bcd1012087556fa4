"""What differs between two versions, in words: tables over pure functions."""

from typing import Any

import pytest

from flags.differences import of_flags, plain, raw

NZ = {"attribute": "country", "op": "=", "value": "NZ"}
AU = {"attribute": "country", "op": "=", "value": "AU"}
STAFF = {"segment": "staff"}
BASE: dict[str, Any] = {
    "type": "boolean",
    "variants": {"on": True, "off": False},
    "enabled": True,
    "default_variant": "off",
    "off_variant": "off",
}


def split(percent: float, *conditions: Any, **more: Any) -> dict[str, Any]:
    found = {"split": {"on": percent, "off": 100 - percent}} | more
    return ({"if": list(conditions)} if conditions else {}) | found


def given(*conditions: Any, variant: str = "on", **more: Any) -> dict[str, Any]:
    return ({"if": list(conditions)} if conditions else {}) | {"variant": variant} | more


def with_rules(*rules: Any, **more: Any) -> dict[str, Any]:
    return BASE | {"rules": list(rules)} | more


CASES = {
    "a share": (
        with_rules(given(STAFF), split(10, NZ)),
        with_rules(given(STAFF), split(25, NZ)),
        ["rule 2: on for 10% → 25% of users in New Zealand"],
    ),
    "everyone else's share": (
        with_rules(given(STAFF), split(10)),
        with_rules(given(STAFF), split(12.5)),
        ["rule 2: on for 10% → 12.5% of everyone else"],
    ),
    "to a split": (
        with_rules(given(NZ)),
        with_rules(split(50, NZ)),
        ["rule 1: on for 100% → 50% of users in New Zealand"],
    ),
    "another variant": (
        with_rules(given(NZ)),
        with_rules(given(NZ, variant="off")),
        ["rule 1: on → off for users in New Zealand"],
    ),
    "other users": (
        with_rules(split(10, NZ)),
        with_rules(split(10, AU)),
        ["rule 1: users in New Zealand → users in Australia"],
    ),
    "a rule more": (
        with_rules(split(10)),
        with_rules(given(STAFF), split(10)),
        ["rule 1 added: on for users in segment staff"],
    ),
    "a rule less": (
        with_rules(given(STAFF), split(10)),
        with_rules(given(STAFF)),
        ["rule 2 removed: on for 10% of everyone else"],
    ),
    "another order": (
        with_rules(given(NZ), split(10, AU), split(5, STAFF)),
        with_rules(split(5, STAFF), given(NZ), split(10, AU)),
        ["rule 3 is now rule 1: on for 5% of users in segment staff"],
    ),
    "by another unit": (
        with_rules(split(10)),
        with_rules(split(10, by="company")),
        ["rule 1: split by targetingKey → company"],
    ),
    "a name": (
        with_rules(given(NZ)),
        with_rules(given(NZ, name="Kiwis")),
        ["rule 1: called Kiwis"],
    ),
    "the same rule by its name": (
        with_rules(given(NZ, name="Beta"), given(STAFF)),
        with_rules(given(STAFF), given(AU, name="Beta", variant="off")),
        [
            "rule 2: users in New Zealand → users in Australia",
            "rule 2: on → off for users in Australia",
            "rule 2 is now rule 1: on for users in segment staff",
        ],
    ),
    "on and the defaults": (
        BASE | {"enabled": False},
        BASE | {"default_variant": "on"},
        ["turned on", "default variant: off → on"],
    ),
    "variants": (
        BASE | {"type": "number", "variants": {"on": 1, "off": 2, "x": 3}},
        BASE | {"type": "number", "variants": {"on": 1, "off": 5, "y": 4}},
        ["variant y added: 4", "variant x removed, it was 3", "variant off: 2 → 5"],
    ),
    "raw targeting": (
        with_rules(given(NZ)),
        BASE | {"targeting": {"if": [True, "on", "off"]}},
        ["raw targeting in place of rules", "rule 1 removed: on for users in New Zealand"],
    ),
    "what cannot be read any more": (
        {"type": "colour", "enabled": False},
        {"type": "colour", "enabled": True},
        ["enabled: false → true"],
    ),
    "nothing": (BASE, BASE, []),
}


@pytest.mark.parametrize(("before", "after", "said"), CASES.values(), ids=CASES)
def test_versions_differ_in_words(
    before: dict[str, Any], after: dict[str, Any], said: list[str]
) -> None:
    assert of_flags("A", before, after) == said


def test_a_split_of_three_says_each_share() -> None:
    variants = {"red": "r", "blue": "b", "grey": "g"}
    base = {"type": "string", "variants": variants, "enabled": True, "default_variant": "red"}
    was = base | {"rules": [{"split": {"red": 80, "blue": 10, "grey": 10}}]}
    now = base | {"rules": [{"split": {"red": 50, "blue": 25, "grey": 25}}]}
    [said] = of_flags("A", was, now)
    assert said == "rule 1: blue for 10% → 25%, grey for 10% → 25%, red for 80% → 50% of users"


def test_anything_else_differs_name_by_name() -> None:
    was = {"approval": False, "name": "Sale", "limits": {"rate": 1, "burst": 2}, "gone": 1}
    now = {"approval": True, "name": "Sale", "limits": {"rate": 5, "burst": 2}, "new": "x" * 99}
    assert plain(was, now) == [
        "approval: false → true",
        "limits rate: 1 → 5",
        "gone removed: 1",
        f"new: {'x' * 60}…",
    ]
    assert plain(None, {"name": "Sale"}) == ["name: Sale"]


def test_the_raw_difference_has_signs() -> None:
    assert raw({"a": 1, "b": 2}, {"a": 1, "b": 3}) == [
        (" ", "{"),
        (" ", '  "a": 1,'),
        ("-", '  "b": 2'),
        ("+", '  "b": 3'),
        (" ", "}"),
    ]
    assert raw(None, {"a": 1})[0] == ("+", "{")
    assert raw({"a": 1}, {"a": 1}) == []
