"""Flipping a flag from its page."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from flags import plans
from flags.models import Flag
from flags.plans import Asked
from projects.models import Environment
from releases.models import Change
from tests.flags.conftest import MakeFlag

PAGE = "/acme/production/flags/USE_CACHING"
CHANGE = f"{PAGE}/change"
NEW = "/acme/production/flags/new"
OFF = {"action": "off", "version": "1", "reason": "too slow"}


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_an_editor_turns_a_flag_off(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag(default_variant="on")
    answer = editor_page.post(CHANGE, OFF)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert said(answer) == ["USE_CACHING turned off for everyone."]
    change = Change.objects.get(title="USE_CACHING turned off for everyone")
    assert (change.actor, change.details["reason"]) == ("editor@acme.example", "too slow")
    assert not Flag.objects.get().enabled


def test_on_default_and_split(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag(enabled=False)
    steps = [
        ({"action": "on", "default_variant": "on"}, "USE_CACHING turned on for everyone."),
        ({"action": "default", "default_variant": "off"}, "USE_CACHING turned off for everyone."),
        ({"action": "split", "percent": "12.5"}, "USE_CACHING turned on for 12.5% of users."),
    ]
    for version, (form, message) in enumerate(steps, start=1):
        answer = editor_page.post(CHANGE, form | {"version": str(version)})
        assert said(answer)[-1:] == [message]
    flag = Flag.objects.get()
    assert (flag.version, flag.rules) == (4, [{"split": {"off": 87.5, "on": 12.5}}])


def test_a_flag_that_moved_on_is_left_alone(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag(default_variant="on")
    editor_page.post(CHANGE, OFF)
    answer = editor_page.post(CHANGE, {"action": "on", "version": "1"})
    assert "by now" in said(answer)[-1]
    assert not Flag.objects.get().enabled


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "Action"),
        ({"action": "explode", "version": "1"}, "Action"),
        ({"action": "off"}, "Version"),
        ({"action": "split", "version": "1"}, "Percent"),
        ({"action": "split", "version": "1", "percent": "101"}, "Percent"),
        ({"action": "split", "version": "1", "percent": "NaN"}, "Percent"),
        ({"action": "on", "version": "1", "default_variant": "red"}, "default_variant"),
        ({"action": "off", "version": "1", "reason": "x" * 1001}, "Reason"),
    ],
)
def test_a_bad_form_says_what_is_wrong(
    editor_page: Client, make_flag: MakeFlag, form: dict[str, str], message: str
) -> None:
    make_flag()
    answer = editor_page.post(CHANGE, form)
    assert answer.status_code == 302
    assert said(answer)[0].startswith(message)
    assert Flag.objects.get().version == 1


def test_a_split_needs_a_plain_on_and_off(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag(type="string", variants={"a": "A"})
    answer = editor_page.post(CHANGE, {"action": "split", "percent": "5", "version": "1"})
    assert "Set its rules instead" in said(answer)[0]


def test_htmx_is_sent_to_the_page(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag()
    answer = editor_page.post(CHANGE, OFF, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, PAGE)


def test_a_viewer_is_refused_and_an_outsider_sees_nothing(
    viewer_page: Client, outsider_page: Client, client: Client, make_flag: MakeFlag
) -> None:
    make_flag()
    for path in (CHANGE, "/acme/production/flags/new"):
        assert viewer_page.post(path, OFF).status_code == 403
        assert outsider_page.post(path, OFF).status_code == 404
        assert client.post(path, OFF)["Location"].startswith("/sign-in")
    assert Flag.objects.get().version == 1


def test_a_wrong_method_is_405(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag()
    assert editor_page.get(CHANGE).status_code == 405


@pytest.mark.parametrize("key", ["NOPE", "%00", "web/nope"])
def test_an_unknown_flag_is_404(editor_page: Client, make_flag: MakeFlag, key: str) -> None:
    make_flag()
    assert editor_page.post(f"/acme/production/flags/{key}/change", OFF).status_code == 404


def test_a_key_with_a_slash_is_flipped(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag("web/new-search", default_variant="on")
    answer = editor_page.post("/acme/production/flags/web/new-search/change", OFF)
    assert answer["Location"] == "/acme/production/flags/web/new-search"
    assert not Flag.objects.get().enabled


def test_a_new_flag_begins_off(editor_page: Client, db: None) -> None:
    answer = editor_page.post("/acme/production/flags/new", {"key": "A", "description": "Why"})
    assert answer["Location"] == "/acme/production/flags/A"
    flag = Flag.objects.get()
    assert (flag.enabled, flag.description, flag.type) == (False, "Why", "boolean")


@pytest.mark.usefixtures("event_store")
@pytest.mark.parametrize(
    ("kind", "lines", "variants"),
    [
        ("string", "blue = #00f\ngreen", {"blue": "#00f", "green": "green"}),
        ("number", "10\r\nmany = 50.5\n\n", {"10": 10, "many": 50.5}),
        ("object", 'wide = {"columns": 3, "a": "b=c"}', {"wide": {"columns": 3, "a": "b=c"}}),
        ("boolean", "", {"on": True, "off": False}),
    ],
)
def test_a_new_flag_answers_what_its_lines_say(
    editor_page: Client, environment: Environment, kind: str, lines: str, variants: dict[str, Any]
) -> None:
    assert "New flag" in editor_page.get("/acme/production/flags").content.decode()
    assert "It begins off" in editor_page.get(NEW).content.decode()
    sent = {"key": "A", "type": kind, "variants": lines, "tags": "ui, web", "owner": "ann"}
    assert editor_page.post(NEW, sent)["Location"] == "/acme/production/flags/A"
    flag = Flag.objects.get()
    assert (flag.type, flag.variants) == (kind, variants)
    assert (flag.tags, flag.owner, flag.enabled) == (["ui", "web"], "ann", False)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"key": ""}, "key must have 1"),
        ({"key": "a b"}, "key must have 1"),
        ({"key": "USE_CACHING"}, "There is a flag USE_CACHING already."),
        ({"key": "A", "type": "number", "variants": "few = ten"}, "The value of few is no number"),
        ({"key": "A", "type": "number", "variants": "few = true"}, "variants.few must be a number"),
        ({"key": "A", "type": "string", "variants": "a\na = b"}, "There are two variants a."),
        ({"key": "A", "type": "string"}, "variants of a string flag"),
        ({"key": "A", "type": "colour"}, "type must be one of"),
        ({"key": "A", "remove_by": "soon"}, "remove_by must be a date"),
    ],
)
def test_a_bad_new_flag_is_refused_and_what_was_typed_is_kept(
    editor_page: Client, make_flag: MakeFlag, sent: dict[str, str], message: str
) -> None:
    make_flag()
    answer = editor_page.post(NEW, sent | {"description": "Typed & kept"})
    text = unescape(answer.content.decode())
    assert (answer.status_code, message in text, "Typed & kept" in text) == (422, True, True)
    assert Flag.objects.count() == 1


def test_the_line_that_open_pages_ask_for_says_what_is_served_at_this_second(
    viewer_page: Client, outsider_page: Client, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = make_flag(enabled=False)
    address = f"{PAGE}/state"
    assert "off for everyone" in viewer_page.get(address).content.decode()
    now = timezone.now()
    asked = Asked(
        flag.key,
        {
            "at": (now + timedelta(minutes=1)).isoformat(),
            "patch": {"enabled": True, "default_variant": "on"},
        },
    )
    plans.create(flag.environment, [asked], actor="eve", now=now)
    assert "off for everyone" in viewer_page.get(address).content.decode()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=2))
    line = viewer_page.get(address).content.decode()
    assert "on for everyone" in line, "though no worker has written it down"
    assert ">On<" in line
    assert not Flag.objects.get().enabled
    assert outsider_page.get(address).status_code == 404
    assert viewer_page.get("/acme/production/flags/NOPE/state").status_code == 404
    assert viewer_page.post(address).status_code == 405
