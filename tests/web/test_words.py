"""Every number that a page shows comes from here: tight tables over pure functions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web import words

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 24, 14, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (words.number, 41200, "41,200"),
        (words.number, -3, "−3"),
        (words.number, 12.345, "12.3"),
        (words.number, 9.996, "10.0"),
        (words.number, 0.04321, "0.043"),
        (words.number, None, "–"),
        (words.number, float("nan"), "–"),
        (words.compact, 18_214_000, "18.2 M"),
        (words.compact, 214_300, "214 k"),
        (words.compact, 999_960, "1.0 M"),
        (words.compact, 9840, "9,840"),
        (words.count, 2, "two"),
        (words.count, 0, "no"),
        (words.count, 13, "13"),
        (words.percent, 0.101, "10.1%"),
        (words.percent, 0.0043, "0.43%"),
        (words.percent, 0.00996, "1.0%"),
        (words.percent, 0.00001, "under 0.01%"),
        (words.percent, 0.9999, "over 99.9%"),
        (words.percent, 0, "0%"),
        (words.percent, 1, "100%"),
        (words.percent, None, "–"),
        (words.points, 0.101, "10.1 points"),
        (words.points, -0.0005, "0.05 points"),
        (words.milliseconds, 1240, "1,240 ms"),
        (words.milliseconds, 88.04, "88 ms"),
        (words.milliseconds, 9.96, "10 ms"),
        (words.milliseconds, 4.23, "4.2 ms"),
        (words.milliseconds, 12_400, "12.4 s"),
        (words.ratio, 3.01, "3.0×"),
        (words.ratio, 1.043, "1.04×"),
        (words.ratio, 12.3, "12×"),
        (words.ratio, None, "–"),
        (words.ratio_cell, 3.01, "×3.0"),
        (words.ratio_words, 3.01, "3.0× higher"),
        (words.ratio_words, 1.08, "8% higher"),
        (words.ratio_words, 0.78, "22% lower"),
        (words.ratio_words, 0.25, "4.0× lower"),
        (words.ratio_words, 1.0, "the same"),
        (words.duration, 200, "3 min 20 s"),
        (words.duration, 3599.6, "1 h"),
        (words.duration, 3900, "1 h 5 min"),
        (words.duration, 90_000, "1 day 1 h"),
        (words.duration, 0.2, "under 1 s"),
        (words.about, 1510, "25 min"),
        (words.about, 100_000, "30 h"),
        (words.measure_name, "latency_p95", "p95"),
        (words.measure_name, "status_code:402", "402 share"),
        (words.measure_name, "field:rows", "rows"),
        (words.joined, ["a", "b", "c"], "a, b and c"),
    ],
)
def test_words(function: Callable[[object], str], value: object, text: str) -> None:
    assert function(value) == text


def test_intervals_and_ranges() -> None:
    assert words.ratio_interval(2.81, 3.22) == "2.8 to 3.2×"
    assert words.points_interval(0.094, 0.108) == "+9.4 to +10.8 points"
    assert words.points_interval(-0.001, 0.001) == "−0.10 to +0.10 points"
    assert words.about_range(300, 1500) == "5 to 25 min"
    assert words.about_range(300, 7300) == "5 min to 2 h"
    assert words.about_range(300, None) == "5 min or more"


def test_measures_know_their_units() -> None:
    assert words.measured(412.3, "latency_p95") == "412 ms"
    assert words.measured(0.101, "status_code:402") == "10.1%"
    assert words.measured(12.34, "traffic") == "12.3"
    assert words.change("latency_p95", ratio=3.01, difference=828) == "×3.0"
    assert words.change("error_rate", ratio=None, difference=0.101) == "+10.1 points"
    assert words.plural(1, "request") == "1 request"
    assert words.plural(41200, "query", "queries") == "41,200 queries"


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 11, 24, 12, 42, tzinfo=UTC), "today 07:42:00"),
        (datetime(2026, 11, 24, 3, 0, tzinfo=UTC), "yesterday 22:00:00"),
        (datetime(2026, 11, 25, 15, 0, tzinfo=UTC), "tomorrow 10:00:00"),
        (datetime(2026, 11, 19, 15, 0, tzinfo=UTC), "19 Nov 10:00:00"),
        (datetime(2025, 7, 19, 15, 0, tzinfo=UTC), "19 Jul 2025 11:00:00"),
    ],
)
def test_times_are_told_in_the_zone_of_the_environment(time: datetime, text: str) -> None:
    assert words.when(time, NEW_YORK, NOW) == text


def test_times_in_short_and_beyond_doubt() -> None:
    time = NOW - timedelta(seconds=4)
    assert words.ago(time, NOW) == "4 s ago"
    assert words.ago(NOW + timedelta(minutes=2), NOW) == "in 2 min"
    assert words.ago(NOW, NOW) == "just now"
    assert words.clock(time, NEW_YORK, NOW) == "09:08"
    assert words.full_time(NOW, NEW_YORK) == (
        "Tuesday 24 November 2026, 09:08:12 EST (14:08:12 UTC)"
    )


@given(st.floats(0, 1))
def test_no_share_is_rounded_to_none_or_all_of_it(share: float) -> None:
    text = words.percent(share)
    assert text != "0%" or share == 0
    assert text not in ("100%", "100.0%") or share == 1


@given(st.floats(1e-6, 1e12))
def test_no_number_changes_by_more_than_its_last_digit(value: float) -> None:
    shown = float(words.number(value).replace(",", ""))
    assert abs(shown - value) <= 0.0501 * value
