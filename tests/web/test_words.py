"""Every number that a page shows comes from here: tight tables over pure functions."""

import math
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
        (words.ratio_words, 1.08, "8.0% higher"),
        (words.ratio_words, 1.6, "60% higher"),
        (words.ratio_words, 1.996, "2.0× higher"),
        (words.ratio_words, 1.0004, "the same"),
        (words.ratio_words, 1.0006, "0.06% higher"),
        (words.ratio_words, 0.001, "1,000× lower"),
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
    assert words.ratio_interval(1.96, 2.04) == "1.96 to 2.04×"
    assert words.ratio_interval(0.004, 12.4) == "under 0.01 to 12×"
    assert words.points_interval(-0.001, 0.001) == "−0.10 to +0.10 points"
    assert words.points_interval(0.00001, 0.001) == "0 to +0.10 points"
    assert words.points_interval(0.1002, 0.1004) == "+10.02 to +10.04 points"
    assert words.about_range(300, 1500) == "5 to 25 min"
    assert words.about_range(300, 7300) == "5 min to 2 h"
    assert words.about_range(300, None) == "5 min or more"


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (3.0, 2.81, 3.22, "2.8–3.2×"),
        (2.0, 1.96, 2.04, "1.96–2.04×"),
        (0.3, 0.25, 0.4, "2.5–4.0×"),
        (0.001, 0.0004, 0.9, "1.11–2,500×"),
        (1.38, 1.3, 1.46, "30–46%"),
        (1.05, 1.0, 1.1, "0–10%"),
        (1.3, 1.298, 1.302, "29.8–30.2%"),
        (1.15, 0.95, 1.4, "5.0% lower to 40% higher"),
        (2.3, 0.4, 9.0, "2.5× lower to 9.0× higher"),
    ],
)
def test_an_interval_has_the_unit_of_what_it_is_about(
    value: float, low: float, high: float, said: str
) -> None:
    assert words.ratio_span(value, low, high) == said


@pytest.mark.parametrize(
    ("by", "nearest", "at_most"),
    [
        (0.38, "38%", "38%"),
        (0.0541, "5.4%", "5.5%"),
        (0.0404, "4.0%", "4.1%"),
        (0.083, "8.3%", "8.3%"),
        (0.0043, "0.43%", "0.43%"),
        (0.00001, "under 0.01%", "0.01%"),
        (12.5, "1,250%", "1,250%"),
        (0.0, "0%", "0%"),
    ],
)
def test_bounds_are_rounded_up(by: float, nearest: str, at_most: str) -> None:
    assert words.relative(by) == nearest
    assert words.relative(by, up=True) == at_most


def test_shares_that_differ_never_read_the_same() -> None:
    assert words.percents(0.02, 0.101) == ("2.0%", "10.1%")
    assert words.percents(0.1006, 0.1014) == ("10.06%", "10.14%")
    assert words.percents(0.0, 0.00001) == ("0%", "under 0.01%")
    assert words.percents(0.00001, 0.00004) == ("0.001%", "0.004%")
    assert words.percents(0.5, 0.5) == ("50.0%", "50.0%")


def test_what_takes_more_than_a_year_is_not_counted_in_days() -> None:
    assert words.about(364 * 86_400) == "365 days"
    assert words.about(11_575 * 86_400) == words.about(math.inf) == "a year"
    assert words.about_range(1e9, None) == "a year or more"


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
