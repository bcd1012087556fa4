"""The rule editor, segments and policy as people use them."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from flags import editing
from flags.editor import rows_of, rules_of
from flags.models import Flag, Freeze, Policy, Segment
from flags.tryout import read_attributes
from flags.wrong import DefinitionError
from tests.flags.conftest import MakeFlag

EDIT = "/acme/production/flags/USE_CACHING/edit"
SEGMENTS = "/acme/production/segments"
POLICY = "/acme/production/launches/policy"


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def form(action: str, **more: str) -> dict[str, str]:
    found = {"version": "1", "action": action, "enabled": "on", "default_variant": "off"}
    found |= {"off_variant": "off", "view": "rules"}
    return found | {name.replace("__", "-"): value for name, value in more.items()}


NZ = {
    "rule-0-if-0-attribute": "country",
    "rule-0-if-0-op": "=",
    "rule-0-if-0-value": "NZ",
    "rule-0-does": "split",
    "rule-0-share-on": "10",
    "rule-0-share-off": "90 %",
    "rule-1-if-0-attribute": "email",
    "rule-1-if-0-op": "ends-with",
    "rule-1-if-0-value": "@acme.com",
    "rule-1-does": "on",
}


def test_a_rule_is_looked_at_in_words_tried_and_saved(
    editor_page: Client, make_flag: MakeFlag
) -> None:
    make_flag()
    page = editor_page.get(EDIT)
    assert page.status_code == 200
    page = editor_page.post(EDIT, form("preview") | NZ)
    words = "On for 10% of users in New Zealand, on for users at acme.com, off for"
    assert words in page.content.decode()
    assert Flag.objects.get().version == 1
    page = editor_page.post(
        EDIT, form("try", attributes="targetingKey = u1\nemail = a@acme.com") | NZ
    )
    text = page.content.decode()
    assert "Gets <b>on</b>" in text
    assert "Rule 2 holds: on for users at acme.com." in text
    answer = editor_page.post(EDIT, form("save", reason="try", tags="a, b", owner="me") | NZ)
    assert answer["Location"] == "/acme/production/flags/USE_CACHING", answer.content
    flag = Flag.objects.get()
    assert flag.rules[0]["split"] == {"off": 90, "on": 10}
    assert (flag.version, flag.tags, flag.owner) == (2, ["a", "b"], "me")


def test_two_people_saving_at_once_keep_both_forms(
    editor_page: Client, make_flag: MakeFlag
) -> None:
    make_flag()
    editor_page.post(EDIT, form("save", default_variant="on"))
    page = editor_page.post(EDIT, form("save") | NZ)
    assert page.status_code == 422
    text = page.content.decode()
    assert "somebody changed USE_CACHING to version 2" in text
    assert 'value="@acme.com"' in text, "the form of the second person is lost"
    again = form("save") | NZ | {"version": "2"}
    assert editor_page.post(EDIT, again).status_code == 302


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rule-0-does": "split", "rule-0-share-on": "40"}, "adds up to 40%"),
        ({"rule-0-does": "red"}, "there is no variant red"),
        (NZ | {"rule-0-if-0-op": "segment", "rule-0-if-0-value": "ghosts"}, "no segment ghosts"),
        (
            NZ | {"rule-0-if-0-op": "flag-is", "rule-0-if-0-attribute": "USE_CACHING"},
            "has no variant NZ",
        ),
        (
            NZ
            | {
                "rule-0-if-0-op": "flag-is",
                "rule-0-if-0-attribute": "USE_CACHING",
                "rule-0-if-0-value": "on",
            },
            "ask for each other",
        ),
        ({"view": "raw", "json": "{"}, "can&#x27;t be read"),
        ({"view": "raw", "json": '{"targeting": {"explode": [1]}}'}, "no operator explode"),
        ({"view": "raw", "json": '{"type": "string", "variants": {"a": "b"}}'}, "keeps its type"),
    ],
)
def test_a_bad_form_stays_and_says_what_is_wrong(
    editor_page: Client, make_flag: MakeFlag, more: dict[str, str], words: str
) -> None:
    make_flag()
    page = editor_page.post(EDIT, form("save") | more)
    assert page.status_code == 422
    assert words in page.content.decode()
    assert Flag.objects.get().version == 1


def test_buttons_that_change_the_form_alone_save_nothing(
    editor_page: Client, make_flag: MakeFlag
) -> None:
    make_flag()
    for action, count in (("add-rule", 3), ("drop-0", 1), ("up-1", 2), ("add-rest", 3), ("x", 2)):
        page = editor_page.post(EDIT, form(action) | NZ)
        assert page.status_code == 200
        assert page.content.decode().count("-does") >= count
    assert Flag.objects.get().version == 1


def test_raw_targeting_is_edited_as_json(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag()
    text = '{"variants": {"on": true, "off": false}, "enabled": true, "default_variant": "off",'
    text += '"targeting": {"if": [{"==": [{"var": "x"}, 1]}, "on", null]}}'
    answer = editor_page.post(EDIT, form("save", view="raw", json=text))
    assert answer.status_code == 302
    assert Flag.objects.get().targeting
    assert "Raw JSON" in editor_page.get(EDIT).content.decode()


@pytest.mark.parametrize(
    "rule",
    [
        {"if": [{"attribute": "a", "op": "in", "value": ["x", "y, z", "3", ""]}], "variant": "on"},
        {"if": [{"attribute": "a", "op": "=", "value": "true"}], "variant": "on"},
        {"if": [{"attribute": "a", "op": ">", "value": 3.5}], "split": {"off": 99.5, "on": 0.5}},
        {"if": [{"segment": "x"}, {"not-segment": "y"}], "variant": "off"},
        {"if": [{"flag": "B", "is-not": "on"}], "variant": "off", "name": "n"},
        {"split": {"off": 50, "on": 50}, "by": "company"},
        {"ramp": {"variant": "on", "instead": "off", "from": {}, "until": {}}},
    ],
)
def test_a_rule_comes_back_from_the_form_as_it_was(rule: dict[str, Any]) -> None:
    assert rules_of(rows_of([rule])) == [rule]


def test_attributes_are_lines_or_json() -> None:
    assert read_attributes('a = 3\nb = "3"\n\ntargetingKey = 7') == {
        "a": 3,
        "b": "3",
        "targetingKey": "7",
    }
    assert read_attributes('{"a": {"b": 1}}') == {"a": {"b": 1}}
    for text in ("a", "{", "= 3"):
        with pytest.raises(DefinitionError):
            read_attributes(text)


STAFF = {
    "name": "staff",
    "match": "any",
    "rule-0-if-0-attribute": "email",
    "rule-0-if-0-op": "ends-with",
    "rule-0-if-0-value": "@acme.com",
    "rule-0-if-1-attribute": "targetingKey",
    "rule-0-if-1-op": "in",
    "rule-0-if-1-value": "u1, u2",
    "action": "save",
}


def test_a_segment_is_made_used_kept_and_removed(
    editor_page: Client, viewer_page: Client, outsider_page: Client, make_flag: MakeFlag
) -> None:
    assert editor_page.post(SEGMENTS, STAFF).status_code == 302
    assert Segment.objects.get().definition["match"] == "any"
    flag = make_flag(rules=[{"if": [{"segment": "staff"}], "variant": "on"}])
    page = editor_page.get(f"{SEGMENTS}?name=staff").content.decode()
    assert "at acme.com or whose key is u1 or u2" in page
    assert flag.key in page
    used = editor_page.post(SEGMENTS, {"name": "staff", "action": "remove"})
    assert used.status_code == 422
    assert "is used by USE_CACHING" in used.content.decode()
    stale = editor_page.post(SEGMENTS, STAFF | {"match": "all", "version": "7"})
    assert "since you looked" in stale.content.decode()
    editing.change(flag.environment, flag.key, {"rules": []}, actor="eve")
    assert editor_page.post(SEGMENTS, {"name": "staff", "action": "remove"}).status_code == 302
    assert not Segment.objects.exists()
    assert editor_page.post(SEGMENTS, {"name": "x", "action": "save"}).status_code == 422
    assert viewer_page.get(SEGMENTS).status_code == 200
    assert viewer_page.post(SEGMENTS, STAFF).status_code == 403
    assert outsider_page.get(SEGMENTS).status_code == 404


def test_admins_ask_for_approval_and_freeze(
    admin_page: Client, editor_page: Client, outsider_page: Client
) -> None:
    assert admin_page.get(POLICY).status_code == 200
    admin_page.post(POLICY, {"action": "approval", "approval": "on"})
    assert Policy.objects.get().approval
    freeze = {"action": "freeze", "name": "Sale", "begins": "2030-01-01T00:00"}
    answer = admin_page.post(POLICY, freeze | {"ends": "2030-02-01T00:00"})
    assert "is frozen" in said(answer)[-1]
    assert (
        "must end after" in said(admin_page.post(POLICY, freeze | {"ends": "2029-01-01T00:00"}))[-1]
    )
    assert "Sale" in admin_page.get(POLICY).content.decode()
    number = str(Freeze.objects.get().pk)
    admin_page.post(POLICY, {"action": "thaw", "freeze": number})
    assert not Freeze.objects.exists()
    assert editor_page.post(POLICY, freeze).status_code == 403
    assert outsider_page.get(POLICY).status_code == 404


def test_the_editor_is_for_editors(
    viewer_page: Client, outsider_page: Client, editor_page: Client, make_flag: MakeFlag
) -> None:
    make_flag()
    assert viewer_page.get(EDIT).status_code == 403
    assert outsider_page.get(EDIT).status_code == 404
    assert editor_page.get("/acme/production/flags/NOPE/edit").status_code == 404
    assert editor_page.put(EDIT).status_code == 405
