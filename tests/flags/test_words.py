"""What a definition does, and what an edit did, in words."""

from typing import Any

import pytest

from flags.definition import read
from flags.words import created, edited, state

ON: dict[str, Any] = {"type": "boolean", "enabled": True}
COLOURS: dict[str, Any] = {
    "type": "string",
    "enabled": True,
    "variants": {"red": "#f00", "green": "#0f0", "blue": "#00f"},
}


def of(attribute: str, op: str, value: Any) -> dict[str, Any]:
    return {"attribute": attribute, "op": op, "value": value}


NZ = of("country", "=", "NZ")
ACME = of("email", "ends-with", "@acme.com")
HALF = {"split": {"on": 50, "off": 50}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "boolean"}, "off for everyone"),
        (ON, "off for everyone"),
        (ON | {"default_variant": "on"}, "on for everyone"),
        (ON | {"default_variant": "on", "enabled": False}, "off for everyone"),
        (COLOURS | {"enabled": False}, "the code's own default for everyone"),
        (ON | {"default_variant": ""}, "the code's own default for everyone"),
        (ON | {"rules": [HALF]}, "on for 50% of users"),
        (ON | {"rules": [{"split": {"on": 0.5, "off": 99.5}}]}, "on for 0.5% of users"),
        (ON | {"rules": [{"split": {"on": 100, "off": 0}}]}, "on for everyone"),
        (ON | {"rules": [{"split": {"on": 0, "off": 100}}]}, "off for everyone"),
        (ON | {"rules": [{"variant": "on"}]}, "on for everyone"),
        (
            ON | {"rules": [{"if": [NZ], "variant": "on"}]},
            "on for users in New Zealand, off for everyone else",
        ),
        (
            ON | {"rules": [HALF | {"if": [NZ]}]},
            "on for 50% of users in New Zealand, off for everyone else",
        ),
        (
            ON | {"rules": [{"if": [ACME], "variant": "on"}, HALF]},
            "on for users at acme.com, on for 50% of everyone else",
        ),
        (
            ON | {"rules": [{"if": [of("country", "not-in", ["NZ", "AU"])], "variant": "on"}]},
            "on for users outside New Zealand or Australia, off for everyone else",
        ),
        (
            ON | {"rules": [{"if": [of("targetingKey", "in", list("abcde"))], "variant": "on"}]},
            "on for users whose key is a, b, c or 2 more, off for everyone else",
        ),
        (
            ON | {"rules": [{"if": [NZ, of("app", "sem-ver >=", "2.1")], "variant": "on"}]},
            "on for users in New Zealand and whose app is at least 2.1, off for everyone else",
        ),
        (ON | {"rules": [HALF | {"by": "company"}]}, "on for 50% of users by company"),
        (
            COLOURS | {"rules": [{"split": {"red": 25, "green": 25, "blue": 50}}]},
            "blue for 50%, green for 25% and red for 25% of users",
        ),
    ],
)
def test_a_state_in_words(given: dict[str, Any], words: str) -> None:
    assert state(read("a", given)) == words


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        (ON, ON | {"rules": [HALF]}, "F turned on for 50% of users"),
        (ON | {"rules": [HALF]}, ON, "F turned off for everyone"),
        (ON | {"rules": [HALF]}, ON | {"default_variant": "on"}, "F now on for everyone"),
        (COLOURS | {"enabled": False}, COLOURS, "F turned on: red for everyone"),
        (ON | {"enabled": False}, ON, "F turned on, which changes nothing: off for everyone"),
        (ON, ON | {"enabled": False}, "F turned off, which changes nothing: off for everyone"),
        (COLOURS, COLOURS | {"enabled": False}, "F turned off for everyone"),
        (COLOURS, COLOURS | {"default_variant": "blue"}, "F now blue for everyone"),
        (
            COLOURS,
            COLOURS | {"variants": {"red": "#e00", "green": "#0f0", "blue": "#00f"}},
            "F has new values for red",
        ),
        (
            ON | {"enabled": False},
            ON | {"enabled": False, "rules": [HALF]},
            "F prepared while off: on for 50% of users",
        ),
        (ON, ON | {"off_variant": ""}, "F would be the code's own default where it is off"),
    ],
)
def test_an_edit_in_words(before: dict[str, Any], after: dict[str, Any], title: str) -> None:
    assert edited(read("F", before), read("F", after)) == title


def test_a_creation_in_words() -> None:
    assert created(read("F", ON | {"rules": [HALF]})) == "F created: on for 50% of users"
