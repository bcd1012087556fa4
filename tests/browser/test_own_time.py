"""A launch's time on every clock that matters, in a browser that is somewhere else."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from flags import editing
from flags.models import Launch, Plan
from projects.models import Environment
from tests.browser.conftest import Open
from tests.conftest import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("event_store"),
]
ZONE = "America/New_York"


def clocks_change(forward: bool) -> date:
    """The next day, in the year to come, on which New York's clocks are put forward, or back."""
    day = datetime.now(UTC).date()
    while True:
        day += timedelta(days=1)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(ZONE))
        turned = noon.utcoffset() - (noon - timedelta(days=1)).utcoffset()  # type: ignore[operator]
        if turned and (turned > timedelta(0)) == forward:
            return day


@pytest.fixture
def form(live_server: Any, environment: Environment, open_page: Open) -> Page:
    editing.create(environment, {"key": "PRICING", "type": "boolean"}, actor="eve")
    page = open_page(
        live_server.url, "editor@acme.example", PASSWORD, timezone_id="Pacific/Auckland"
    )
    page.goto("/acme/production/launches/new?flag=PRICING")
    page.get_by_label("Name").fill("Spring launch")
    page.get_by_label("On whose clock").fill(ZONE)
    return page


def test_the_viewers_own_time_stands_beside_zone_and_utc(form: Page, complaints: list[str]) -> None:
    day = datetime.now(UTC).date() + timedelta(days=10)
    form.get_by_label("Day").fill(day.isoformat())
    form.get_by_label("Time").fill("10:00:00")
    form.get_by_role("button", name="Plan it").click()
    at = datetime(day.year, day.month, day.day, 10, tzinfo=ZoneInfo(ZONE))
    there = at.astimezone(ZoneInfo("Pacific/Auckland"))
    assert there.date() != day, "the other side of the world has another day"
    said = form.locator(".lede").first
    expect(said).to_contain_text(f"{at:%A} {day.day} {day:%B %Y}, 10:00:00 {at:%Z}")
    expect(said).to_contain_text(f"({at.astimezone(UTC):%H:%M:%S} UTC)")
    expect(said).to_contain_text(f"{there:%A %H:%M:%S} where you are (Pacific/Auckland)")
    assert complaints == []


def test_an_hour_that_clocks_skip_is_refused_with_the_ones_beside_it(form: Page) -> None:
    day = clocks_change(forward=True)
    form.get_by_label("Day").fill(day.isoformat())
    form.get_by_label("Time").fill("02:30:00")
    form.get_by_role("button", name="Show what will happen").last.click()
    said = form.get_by_role("alert").filter(has_text="does not exist")
    expect(said).to_contain_text(f"02:30:00 does not exist on {day.day} {day:%B %Y} in {ZONE}")
    expect(said).to_contain_text("Choose 01:30:00 or 03:30:00.")
    expect(form.get_by_label("Name")).to_have_value("Spring launch")
    assert not Launch.objects.exists()


def test_an_hour_that_clocks_show_twice_asks_which(form: Page) -> None:
    day = clocks_change(forward=False)
    form.get_by_label("Day").fill(day.isoformat())
    form.get_by_label("Time").fill("01:30:00")
    form.get_by_role("button", name="Plan it").click()
    said = form.get_by_role("alert").filter(has_text="comes twice")
    expect(said).to_contain_text("at 05:30:00 and at 06:30:00 UTC")
    form.get_by_label("If clocks show it twice").select_option(label="the later one")
    form.get_by_role("button", name="Plan it").click()
    expect(form.locator(".lede").first).to_contain_text("01:30:00 EST (06:30:00 UTC)")
    assert Plan.objects.get().at.astimezone(UTC).hour == 6
