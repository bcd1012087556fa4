"""Launches: planned in a form, listed, looked at, acted on, and fed to calendars."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from flags import editing, schedule
from flags.models import Flag, Launch, Plan, Policy
from projects.models import Environment

pytestmark = pytest.mark.usefixtures("event_store")
BASE = "/acme/production/launches"
ZONE = ZoneInfo("America/New_York")


@pytest.fixture
def flag(environment: Environment) -> Flag:
    given = {"key": "PRICING", "type": "boolean"}
    return editing.create(environment, given, actor="editor@acme.example").flag


def form(action: str = "save", **more: str) -> dict[str, str]:
    at = datetime.now(ZONE).replace(microsecond=0) + timedelta(hours=2)
    return {
        "name": "Spring launch",
        "date": at.date().isoformat(),
        "time": at.time().isoformat(),
        "timezone": "America/New_York",
        "action": action,
        "flag_1": "PRICING",
        "does_1": "on",
        "reason": "the campaign",
    } | more


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_a_launch_is_looked_at_planned_listed_and_happens(
    editor_page: Client, environment: Environment, flag: Flag
) -> None:
    assert editor_page.get(f"{BASE}/new?flag=PRICING").status_code == 200
    page = editor_page.post(f"{BASE}/new", form("preview")).content.decode()
    assert "PRICING turns on for everyone" in page
    assert not Launch.objects.exists()
    answer = editor_page.post(f"{BASE}/new", form())
    address = answer["Location"]
    page = editor_page.get(address).content.decode()
    for part in ("Spring launch", "PRICING turns on for everyone", "data-countdown", "UTC)"):
        assert part in page
    assert "No request has reported PRICING in the last hour" in page
    assert "Cancel launch" in page
    listed = editor_page.get(BASE).content.decode()
    assert "One launch planned or under way" in listed
    schedule.materialise(timezone.now() + timedelta(hours=3))
    page = editor_page.get(address).content.decode()
    assert "When it reached users" in page
    assert "Turn off" in page
    assert "Nothing is planned" in editor_page.get(BASE).content.decode()
    answer = editor_page.post(f"{address}/act", {"action": "off", "reason": "errors"})
    assert said(answer) == "Spring launch: turned off."
    assert not Flag.objects.get().enabled


def test_a_ramp_with_a_holdback_says_who_stays(editor_page: Client, flag: Flag) -> None:
    given = form("preview", does_1="ramp", minutes_1="30", holdback="2")
    page = editor_page.post(f"{BASE}/new", given).content.decode()
    assert "ramps on from 0% to 98% between" in page
    assert "2% stay without it" in page


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"flag_1": ""}, "Choose a flag"),
        ({"flag_1": "NOPE"}, "no flag NOPE"),
        ({"timezone": "Mars/Base"}, "no time zone Mars/Base"),
        ({"date": "2020-01-01"}, "has passed"),
        ({"date": "x"}, "Date"),
        ({"does_1": "off"}, "nothing to change"),
        ({"flag_2": "PRICING", "does_2": "on"}, "another plan for that time"),
    ],
)
def test_a_bad_launch_is_refused_and_the_form_stays(
    editor_page: Client, flag: Flag, more: dict[str, str], words: str
) -> None:
    page = editor_page.post(f"{BASE}/new", form(**more))
    assert page.status_code == 422
    text = page.content.decode()
    assert words in text
    assert 'value="Spring launch"' in text
    assert not Launch.objects.exists()


def test_a_launch_is_cancelled_paused_and_resumed(editor_page: Client, flag: Flag) -> None:
    address = editor_page.post(f"{BASE}/new", form())["Location"]
    for action, status in (("pause", "paused"), ("resume", "planned"), ("cancel", "cancelled")):
        editor_page.post(f"{address}/act", {"action": action})
        assert Plan.objects.get().status == status
    answer = editor_page.post(f"{address}/act", {"action": "resume"})
    assert "can resume now" in said(answer)
    assert "Action" in said(editor_page.post(f"{address}/act", {"action": "explode"}))


def test_whoever_planned_does_not_approve(
    editor_page: Client, admin_page: Client, environment: Environment, flag: Flag
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    address = editor_page.post(f"{BASE}/new", form())["Location"]
    assert "waits for approval" in editor_page.get(address).content.decode()
    assert "another person" in said(editor_page.post(f"{address}/act", {"action": "approve"}))
    assert "approved" in said(admin_page.post(f"{address}/act", {"action": "approve"}))
    assert Plan.objects.get().status == "planned"
    assert "Approved by admin@acme.example" in editor_page.get(address).content.decode()


def test_the_calendar_feed_opens_by_its_ticket_alone(
    editor_page: Client, client: Client, flag: Flag
) -> None:
    editor_page.post(f"{BASE}/new", form(name="Spring, launch; one"))
    found = re.search(r"/launches\.ics\?ticket=[^<\s]+", editor_page.get(BASE).content.decode())
    assert found
    address = f"/acme/production{found.group()}"
    feed = client.get(address)
    assert feed["Content-Type"].startswith("text/calendar")
    lines = feed.content.decode().split("\r\n")
    assert "SUMMARY:Spring\\, launch\\; one" in lines
    at = Plan.objects.get().at.astimezone(UTC)
    assert f"DTSTART:{at:%Y%m%dT%H%M%SZ}" in lines
    assert all(len(line.encode()) <= 75 for line in lines)
    assert client.get("/acme/production/launches.ics?ticket=forged").status_code == 404
    other = address.replace("/production/", "/staging/", 1)
    assert client.get(other).status_code == 404


def test_who_may_see_and_do_what(
    editor_page: Client, viewer_page: Client, outsider_page: Client, flag: Flag
) -> None:
    address = editor_page.post(f"{BASE}/new", form())["Location"]
    for path in (BASE, address):
        assert viewer_page.get(path).status_code == 200
        assert outsider_page.get(path).status_code == 404
    assert "Cancel launch" not in viewer_page.get(address).content.decode()
    assert viewer_page.get(f"{BASE}/new").status_code == 403
    assert viewer_page.post(f"{address}/act", {"action": "cancel"}).status_code == 403
    assert outsider_page.post(f"{address}/act", {"action": "cancel"}).status_code == 404
    assert editor_page.get(f"{BASE}/999999").status_code == 404
    assert editor_page.get(f"{BASE}?month=0001-01").status_code == 200
    assert editor_page.get(f"{BASE}?month=x").status_code == 200
