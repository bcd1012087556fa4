"""How variants were given, in words that need no specification."""

import pytest

from insights.given import how


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("targeting_match", "by its rules or split"),
        ("static", "as everyone does, without rules"),
        ("", "not reported"),
        ("unknown", "not reported"),
        ("geo_fence", "by “geo_fence”"),
    ],
)
def test_a_reason_is_said_in_words(reason: str, said: str) -> None:
    assert how(reason) == said
