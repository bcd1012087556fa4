"""Wall-clock times, and the hours that zones skip or have twice."""

from datetime import UTC, datetime, timedelta

import pytest

from flags.wall import check_ahead, read_wall
from flags.wrong import DefinitionError


@pytest.mark.parametrize(
    ("text", "zone", "fold", "utc"),
    [
        ("2026-12-01T10:00:00", "America/New_York", None, "2026-12-01T15:00:00"),
        ("2026-12-01T10:00", "Pacific/Auckland", None, "2026-11-30T21:00:00"),
        ("2026-07-01T10:00:00", "Europe/Berlin", None, "2026-07-01T08:00:00"),
        ("2026-12-01T10:00:00Z", None, None, "2026-12-01T10:00:00"),
        ("2026-12-01T10:00:00.000001Z", None, None, "2026-12-01T10:00:01"),
        ("2026-12-01T10:00:00+05:30", "Asia/Kolkata", None, "2026-12-01T04:30:00"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "earlier", "2026-10-25T00:30:00"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "later", "2026-10-25T01:30:00"),
    ],
)
def test_a_wall_clock_time_is_one_instant(
    text: str, zone: str | None, fold: str | None, utc: str
) -> None:
    found = read_wall("at", text, zone, fold)
    assert found.at == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert found.tzdata


@pytest.mark.parametrize(
    ("text", "zone", "field", "words"),
    [
        ("2026-03-29T02:30:00", "Europe/Berlin", "at", "Choose 01:30:00 or 03:30:00"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "fold", "comes twice"),
        ("2026-12-01T10:00:00", "Mars/Base", "timezone", "no time zone Mars/Base"),
        ("2026-12-01T10:00:00", "../../etc/passwd", "timezone", "no time zone"),
        ("2026-12-01T10:00:00", None, "timezone", "missing"),
        ("9999-12-31T23:59:59.5", "UTC", "at", "out of range"),
        ("tomorrow", "UTC", "at", "must be a time"),
        ("0001-01-01T00:00:00+14:00", None, "at", "out of range"),
    ],
)
def test_what_is_no_instant_is_refused_with_what_to_do(
    text: str, zone: str | None, field: str, words: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        read_wall("at", text, zone)
    assert refused.value.field == field
    assert words in refused.value.message


def test_what_has_passed_or_is_years_away_is_refused() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    for years, words in ((0, "has passed"), (6, "five years")):
        wall = read_wall("at", (now + timedelta(days=366 * years)).isoformat(), None)
        with pytest.raises(DefinitionError, match=words):
            check_ahead("at", wall, now)
