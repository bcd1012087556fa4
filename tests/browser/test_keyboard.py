"""Flags and launches by Tab, Enter, Escape and arrows alone, as a person without a mouse."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from flags import editing, plans, schedule
from flags.models import Flag, Plan, Policy, Segment, Step
from projects.models import Environment
from tests.browser.conftest import Open
from tests.browser.tabs import holds_focus, press, reach
from tests.conftest import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("event_store"),
]
FLAG = "/acme/production/flags/PRICING"


@pytest.fixture
def flag(environment: Environment) -> Flag:
    given = {"key": "PRICING", "type": "boolean"}
    return editing.create(environment, given, actor="editor@acme.example").flag


def confirm(page: Page, button: Locator, words: str) -> None:
    """A dialog asks: Escape leaves everything, and the keyboard where it was; then yes."""
    press(page, button)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert holds_focus(button)
    page.keyboard.press("Enter")
    press(page, dialog.locator("[value=yes]"))


def its_time_comes() -> None:
    """As if it had been planned two days sooner; the worker writes it down."""
    for rows in (Plan.objects.all(), Step.objects.all()):
        rows.update(at=F("at") - timedelta(days=2))
    schedule.materialise(timezone.now())


def test_a_launch_is_planned_approved_seen_turned_off_and_taken_back(
    live_server: Any, environment: Environment, flag: Flag, open_page: Open, complaints: list[str]
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    page = open_page(live_server.url, "editor@acme.example", PASSWORD)
    page.goto("/acme/production/flags")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to content
    press(page, page.get_by_role("link", name="PRICING"))
    press(page, page.get_by_role("link", name="Plan a change"))
    reach(page, page.get_by_label("Name"))
    page.keyboard.type("Spring launch")
    page.keyboard.press("Enter")  # looks, and plans nothing
    expect(page.locator(".answer")).to_have_text("PRICING turns on for everyone.")
    press(page, page.get_by_role("button", name="Plan it"))
    expect(page.locator("#_launch")).to_contain_text("waits for approval")

    other = open_page(live_server.url, "admin@acme.example", PASSWORD)
    other.goto("/acme/production/launches")
    press(other, other.get_by_role("link", name="Spring launch").first)
    confirm(other, other.get_by_role("button", name="Approve"), "Approve Spring launch?")
    expect(other.locator(".lede").first).to_contain_text("Approved by admin@acme.example")

    its_time_comes()
    other.reload()
    expect(other.locator("#_live")).to_contain_text("PRICING is on for everyone")
    off = other.get_by_role("button", name="Turn PRICING off")
    confirm(other, off, "Turn it off for everyone in production, now?")
    expect(other.locator("#messages")).to_contain_text("turned off")
    assert not Flag.objects.get().enabled

    press(other, other.get_by_role("link", name="Its page"))
    press(other, other.get_by_role("link", name="Whole history, with what differed"))
    newest = other.locator(".items > li").first
    press(other, newest.locator("summary"))
    expect(newest.locator(".difference")).to_be_visible()
    press(other, other.get_by_role("link", name="Go back to version 2"))
    expect(other.locator(".answer")).to_have_text("PRICING becomes on for everyone.")
    reach(other, other.get_by_label("Or override now, with a reason"))
    other.keyboard.type("it was something else")
    press(other, other.get_by_role("button", name="Override and go back"))
    expect(other.locator("#_serving")).to_contain_text("on for everyone")
    assert complaints == []


def test_a_rule_is_written_tried_and_saved(
    live_server: Any, environment: Environment, flag: Flag, open_page: Open, complaints: list[str]
) -> None:
    page = open_page(live_server.url, "editor@acme.example", PASSWORD)
    page.goto(f"{FLAG}/edit")
    reach(page, page.get_by_label("On", exact=True))
    page.keyboard.press("Space")
    press(page, page.get_by_role("button", name="Add a rule"))
    attribute = page.get_by_label("Attribute").first
    expect(attribute).to_be_focused()  # the form came back, and the keyboard is in the new rule
    page.keyboard.type("country")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("NZ")
    press(page, page.get_by_role("button", name="And also…"))
    expect(page.get_by_label("Attribute").nth(1)).to_be_focused()
    press(page, page.get_by_role("button", name="Remove this condition").nth(1))
    reach(page, page.get_by_label("Value"))
    page.keyboard.press("Enter")  # says it in words, and saves nothing
    expect(page.locator(".answer")).to_contain_text("On for users in New Zealand")
    assert not Flag.objects.get().enabled
    press(page, page.get_by_role("button", name="Try", exact=True))
    expect(page.locator("[role=status] .answer").last).to_have_text("Gets on.")
    save = page.get_by_role("button", name="Save")
    confirm(page, save, "Change what PRICING serves in production, now?")
    expect(page.locator("#_serving")).to_contain_text("on for users in New Zealand")
    assert complaints == []


def test_what_reaches_others_asks_first(
    live_server: Any, environment: Environment, flag: Flag, open_page: Open, complaints: list[str]
) -> None:
    """Enter in a form's field does what its first button does: here it may do nothing yet."""
    condition = {"attribute": "country", "op": "=", "value": "NZ"}
    Segment.objects.create(
        environment=environment, name="near", definition={"match": "all", "if": [condition]}
    )
    rules = [{"if": [{"segment": "near"}], "variant": "on"}]
    editing.change(environment, "PRICING", {"enabled": True, "rules": rules}, actor="eve")
    page = open_page(live_server.url, "admin@acme.example", PASSWORD)
    page.goto("/acme/production/segments")
    press(page, page.get_by_role("link", name="near"))
    reach(page, page.get_by_label("Value"))
    page.keyboard.type("AU")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("It reaches PRICING")
    page.keyboard.press("Escape")
    assert Segment.objects.get().definition["if"] == [condition]

    page.goto("/acme/production/launches/policy")
    press(page, page.get_by_role("button", name="Require another person's approval"))
    expect(page.get_by_role("dialog")).to_contain_text("Require another person's approval")
    page.keyboard.press("Escape")
    assert not Policy.objects.exists()

    page.goto("/acme/production/import")
    reach(page, page.get_by_label("Or paste what it holds"))
    page.keyboard.type(
        '{"flags": {"cart": {"state": "ENABLED", "variants": {"a": "1"}, "defaultVariant": "a"}}}'
    )
    press(page, page.get_by_role("button", name="Look at what it would do"))
    reach(page, page.get_by_label("Reason"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("1 flag created, 0 changed")
    page.keyboard.press("Escape")
    assert Flag.objects.count() == 1
    assert complaints == []


def test_news_leave_the_keyboard_where_it_is(
    live_server: Any, flag: Flag, open_page: Open, complaints: list[str]
) -> None:
    page = open_page(live_server.url, "viewer@acme.example", PASSWORD)
    page.goto(FLAG)
    link = page.get_by_role("link", name="Whole history, with what differed")
    reach(page, link)
    page.evaluate("() => { document.activeElement.dataset.old = 'yes'; }")
    page.evaluate("htmx.trigger('#_flag', 'live')")
    expect(page.locator("[data-old]")).to_have_count(0)
    assert holds_focus(link)
    assert complaints == []


def test_a_month_is_looked_through_and_a_ramp_is_held_resumed_and_rolled_back(
    live_server: Any, environment: Environment, flag: Flag, open_page: Open, complaints: list[str]
) -> None:
    begun = timezone.now().replace(microsecond=0) - timedelta(minutes=1)
    ramp = {
        "from": begun.isoformat(),
        "until": (begun + timedelta(hours=3)).isoformat(),
        "timezone": "UTC",
        "variant": "on",
        "percent": {"to": 100},
    }
    asked = [plans.Asked("PRICING", ramp)]
    sooner = begun - timedelta(minutes=1)
    plans.create(environment, asked, actor="eve", now=sooner, name="Spring launch")
    schedule.materialise(timezone.now())
    page = open_page(live_server.url, "editor@acme.example", PASSWORD)
    page.goto("/acme/production/launches")
    month = page.locator(".month h2").inner_text()
    press(page, page.get_by_role("link", name="Earlier"))
    expect(page.locator(".month h2")).not_to_have_text(month)
    press(page, page.get_by_role("link", name="Later"))
    expect(page.locator(".month h2")).to_have_text(month)
    mark = page.locator(".calendar").get_by_role("link", name="Spring launch")
    expect(mark.get_by_text("Spring launch")).to_be_visible()
    press(page, mark)

    status = page.locator("#_launch .countdown")
    expect(status).to_have_text("Under way")
    for button, asks, then in (
        ("Hold", "Hold Spring launch where it is", "Paused"),
        ("Resume", "Resume Spring launch?", "Under way"),
        ("Roll back", "The newest exposed leave first", "Rolling back"),
    ):
        confirm(page, page.get_by_role("button", name=button), asks)
        expect(status).to_have_text(then)
    assert complaints == []


def test_a_flag_is_written_as_json_tidied_up_archived_and_restored(
    live_server: Any, environment: Environment, flag: Flag, open_page: Open, complaints: list[str]
) -> None:
    editing.change(environment, "PRICING", {"remove_by": "2026-01-31"}, actor="eve")
    page = open_page(live_server.url, "editor@acme.example", PASSWORD)
    page.goto("/acme/production/flags")
    press(page, page.get_by_role("link", name="To tidy up"))
    expect(page.locator("main")).to_contain_text("Its code was to be gone")
    press(page, page.get_by_role("link", name="PRICING"))
    press(page, page.get_by_role("link", name="Edit rules"))
    press(page, page.get_by_role("link", name="Raw JSON"))
    written = page.locator("textarea").first
    expect(written).to_have_value(re.compile('"enabled": false'))  # the page before has one, too
    reach(page, written)
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(written.input_value().replace('"enabled": false', '"enabled": true'))
    confirm(page, page.get_by_role("button", name="Save"), "Change what PRICING serves")
    expect(page.locator("#_serving")).to_contain_text("On")
    assert Flag.objects.get().enabled

    press(page, page.get_by_role("link", name="Archive"))
    reach(page, page.get_by_label("Reason"))
    page.keyboard.type("its code is gone")
    press(page, page.get_by_role("button", name="Archive PRICING"))
    expect(page.locator("#_archived")).to_contain_text("editor@acme.example archived it")
    press(page, page.get_by_role("button", name="Restore"))
    expect(page.locator("#_archived")).to_have_count(0)
    assert Flag.objects.get().archived_at is None
    assert complaints == []


def test_news_that_were_under_way_take_no_yes_away(
    live_server: Any, environment: Environment, flag: Flag, open_page: Open, complaints: list[str]
) -> None:
    """A fragment that comes while a dialog asks would take away the form that it asks about."""
    editing.change(environment, "PRICING", {"enabled": True}, actor="eve")
    page = open_page(live_server.url, "editor@acme.example", PASSWORD)
    page.goto(FLAG)
    held: list[Any] = []
    page.route(f"**{FLAG}", lambda route: held.append(route), times=1)
    page.evaluate("htmx.trigger('#_flag', 'live')")
    expect(page.locator("#_flag.htmx-request")).to_have_count(1)
    press(page, page.get_by_role("button", name="Turn off"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    answer = held[0].fetch()
    with page.expect_response(f"**{FLAG}"):  # as where the form itself has changed meanwhile
        held[0].fulfill(response=answer, body=answer.text().replace("hx-preserve", "data-was"))
    expect(page.locator("#_flag.htmx-request")).to_have_count(0)
    press(page, dialog.locator("[value=yes]"))
    expect(page.locator("#messages")).to_contain_text("off")
    flag.refresh_from_db()
    assert not flag.enabled
    assert complaints == []
