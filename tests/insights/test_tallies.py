"""Titles that answer."""

import pytest

from insights.tallies import counted, tally


@pytest.mark.parametrize(
    ("verdicts", "many", "title"),
    [
        (
            ["worse", "worse", None],
            "all three changes",
            "Two of all three changes made things worse",
        ),
        (["worse", "better"], "two flags", "One of two flags made things worse"),
        (["better", "unknown"], "two flags", "One of two flags made things better, none worse"),
        (["no_difference", None], "two flags", "None of two flags made things worse"),
        ([None, "unknown"], "two flags", "Two flags: nothing is known to be worse yet"),
        (["worse"], "today's one change", "Today's one change made things worse"),
        (["no_difference"], "one flag", "One flag made no difference"),
    ],
)
def test_a_title_says_what_happened(verdicts: list[str | None], many: str, title: str) -> None:
    assert tally(verdicts, many) == title


def test_few_are_counted_in_words() -> None:
    assert [counted(n, "change") for n in (1, 2, 13)] == ["one change", "two changes", "13 changes"]
