"""Launches: planned in a form, listed, looked at, acted on, and fed to calendars."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from flags import editing, plans, schedule
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
        ({"flag_2": "PRICING", "does_2": "on"}, "PRICING is there twice"),
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


def test_a_launch_that_does_not_happen_says_so_before_what_was_planned(
    editor_page: Client, environment: Environment, flag: Flag
) -> None:
    def told(address: str) -> str:
        return " ".join(editor_page.get(address).content.decode().split())

    inside = "The time is inside the flags' rules"
    planned = editor_page.post(f"{BASE}/new", form())["Location"]
    assert inside in told(planned)
    editor_page.post(f"{planned}/act", {"action": "pause"})
    assert "unless somebody resumes it before its time, it never happens" in told(planned)
    editor_page.post(f"{planned}/act", {"action": "cancel", "reason": "too soon"})
    page = told(planned)
    assert '<p class="answer">Cancelled by editor@acme.example: too soon.</p>' in page
    assert "Planned was: PRICING turns on for everyone." in page
    assert "Before the time" not in page

    Policy.objects.create(environment=environment, approval=True)
    waiting = editor_page.post(f"{BASE}/new", form())["Location"]
    page = told(waiting)
    assert inside not in page
    assert "unless another person approves it before its time, it never happens" in page
    schedule.expire(timezone.now() + timedelta(hours=3))
    assert '<p class="answer">Its time came while nobody approved it.' in told(waiting)
    listed = told(BASE)
    assert "never approved" in listed
    assert 'title="Spring launch"' not in listed, "the calendar shows what happens"


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


def two_flags(environment: Environment) -> None:
    for key in ("BANNER", "SEARCH"):
        given = {"key": key, "type": "boolean", "enabled": True, "default_variant": "off"}
        editing.create(environment, given, actor="editor@acme.example")


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found, name
    return found.group(1)


def test_rows_are_added_for_as_many_flags_as_wanted(
    editor_page: Client, environment: Environment, flag: Flag
) -> None:
    two_flags(environment)
    rows = {"flag_2": "BANNER", "does_2": "steps", "percent_2": "10%, 50, 100", "minutes_2": "90"}
    page = editor_page.post(f"{BASE}/new", form("add-flag", **rows)).content.decode()
    assert 'name="flag_3"' in page
    assert 'value="10%, 50, 100"' in page
    rows |= {"flag_4": "SEARCH", "does_4": "ramp", "percent_4": "40", "minutes_4": "20"}
    editor_page.post(f"{BASE}/new", form(**rows))
    banner, pricing, search = Launch.objects.get().plans.order_by("flag__key")
    assert [step["percent"] for step in banner.asked["steps"]] == [10, 50, 100]
    assert [step.at - banner.at for step in banner.steps.order_by("at")] == [
        timedelta(minutes=90 * number) for number in range(3)
    ]
    assert search.until == search.at + timedelta(minutes=20)
    assert pricing.kind == "once"


def test_a_launch_changes_as_a_whole_and_the_old_time_never_fires(
    editor_page: Client, environment: Environment, flag: Flag
) -> None:
    two_flags(environment)
    rows = {"flag_2": "BANNER", "does_2": "ramp", "percent_2": "60", "minutes_2": "45"}
    address = editor_page.post(f"{BASE}/new", form(holdback="2", **rows))["Location"]
    page = editor_page.get(f"{address}/edit").content.decode()
    assert "Change Spring launch" in page
    assert (hidden(page, "percent_1"), hidden(page, "minutes_1")) == ("60", "45")
    assert hidden(page, "holdback") == "2"
    old = Plan.objects.get(flag__key="PRICING").at
    later = old.astimezone(ZoneInfo("Europe/Berlin")) + timedelta(hours=3)
    change = form(
        name="Summer launch",
        date=later.date().isoformat(),
        time=later.time().isoformat(),
        timezone="Europe/Berlin",
        flag_1="PRICING",
        does_1="kept",
        flag_2="SEARCH",
        does_2="on",
        reason="a day later",
        holdback="3",
    )
    seen = editor_page.post(f"{address}/edit", change | {"action": "preview"}).content.decode()
    assert "SEARCH turns on for 97% of users" in seen
    assert Launch.objects.get().name == "Spring launch", "looking changes nothing"
    answer = editor_page.post(f"{address}/edit", change)
    assert answer["Location"] == address
    launch = Launch.objects.get()
    assert (launch.name, launch.reason) == ("Summer launch", "a day later")
    found = {plan.flag.key: plan for plan in launch.plans.all()}
    assert {key: plan.status for key, plan in found.items()} == {
        "BANNER": "cancelled",
        "PRICING": "planned",
        "SEARCH": "planned",
    }
    assert found["BANNER"].note == "Taken out of the launch by editor@acme.example"
    assert found["PRICING"].at == found["SEARCH"].at == later
    assert found["PRICING"].timezone == "Europe/Berlin"
    schedule.materialise(old + timedelta(minutes=1))
    assert not Flag.objects.get(key="PRICING").enabled
    schedule.materialise(later + timedelta(minutes=1))
    assert Flag.objects.get(key="PRICING").rules == [{"split": {"off": 3, "on": 97}}]


def test_a_changed_launch_needs_approval_anew(
    editor_page: Client, admin_page: Client, environment: Environment, flag: Flag
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    address = editor_page.post(f"{BASE}/new", form())["Location"]
    admin_page.post(f"{address}/act", {"action": "approve"})
    answer = editor_page.post(f"{address}/edit", form(flag_1="PRICING", does_1="kept"))
    assert "waits for another person's approval" in said(answer)
    launch = Launch.objects.get()
    assert (launch.approved_by, launch.plans.get().status) == ("", "waiting")
    schedule.expire(launch.plans.get().at + timedelta(seconds=1))
    page = editor_page.get(address).content.decode()
    assert "Its time came while nobody approved it. It did not happen, and will not." in page
    answer = editor_page.post(f"{address}/edit", form())
    assert answer.status_code == 422
    assert "Nothing of this launch is to come" in answer.content.decode()
    assert editor_page.get(f"{address}/edit")["Location"] == address


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"does_1": "kept", "flag_1": "BANNER"}, "Nothing is planned for BANNER"),
        ({"flag_2": "PRICING", "does_2": "off"}, "PRICING is there twice"),
        ({"does_1": "steps", "percent_1": "many"}, "many is no share"),
        ({"does_1": "ramp", "percent_1": "10, 20"}, "Choose steps instead"),
        ({"does_1": "steps", "percent_1": "10, 10"}, "by then"),
        ({"flag_1": ""}, "Choose a flag"),
        ({"date": "2020-01-01"}, "has passed"),
        ({"holdback": "2", "holdback_until": "2020-01-01T10:00"}, "has passed"),
    ],
)
def test_a_bad_change_leaves_all_as_it_was(
    editor_page: Client, environment: Environment, flag: Flag, more: dict[str, str], words: str
) -> None:
    two_flags(environment)
    address = editor_page.post(f"{BASE}/new", form())["Location"]
    before = Plan.objects.get()
    answer = editor_page.post(f"{address}/edit", form(**more))
    assert answer.status_code == 422
    assert words in answer.content.decode().replace("&#x27;", "'")
    after = Plan.objects.get()
    assert (after.at, after.asked, after.status) == (before.at, before.asked, before.status)


def test_who_may_change_a_launch(
    editor_page: Client, viewer_page: Client, outsider_page: Client, flag: Flag
) -> None:
    address = editor_page.post(f"{BASE}/new", form())["Location"]
    assert f'href="{address}/edit"' in editor_page.get(address).content.decode()
    assert f'href="{address}/edit"' not in viewer_page.get(address).content.decode()
    assert viewer_page.get(f"{address}/edit").status_code == 403
    assert outsider_page.get(f"{address}/edit").status_code == 404
    assert editor_page.get(f"{BASE}/99999/edit").status_code == 404


def test_plans_that_the_form_has_no_words_for_are_kept_and_moved(
    editor_page: Client, environment: Environment, flag: Flag
) -> None:
    at = (datetime.now(UTC) + timedelta(hours=5)).replace(microsecond=0)
    steps = [
        {"at": (at + timedelta(hours=hours)).isoformat(), "percent": hours + 5}
        for hours in (0, 1, 9)
    ]
    asked = plans.Asked(flag.key, {"variant": "on", "steps": steps, "timezone": "Asia/Tokyo"})
    launch = plans.create(environment, [asked], actor="eve", now=timezone.now(), name="Odd")
    address = f"{BASE}/{launch.pk}"
    page = editor_page.get(f"{address}/edit").content.decode()
    assert '<option value="kept" selected>' in page
    local = at.astimezone(ZoneInfo("Asia/Tokyo")) + timedelta(days=1)
    change = form(
        date=local.date().isoformat(),
        time=local.time().isoformat(),
        timezone="Asia/Tokyo",
        does_1="kept",
    )
    editor_page.post(f"{address}/edit", change)
    found = [step.at - at for step in Plan.objects.get().steps.order_by("at")]
    assert found == [timedelta(days=1, hours=hours) for hours in (0, 1, 9)]
