"""Flags over the API: the contract's shapes, who may, and what is refused."""

from typing import Any

import pytest

from flags.models import Flag, FlagVersion
from projects.keys import mint
from projects.models import AuditEntry
from releases.models import Change
from tests.flags.conftest import Asker, MakeFlag

FLAGS = "/api/v1/projects/acme/environments/production/flags"
HALF = [{"split": {"on": 50, "off": 50}}]


def test_a_flag_is_created_listed_and_read(api: Asker, db: None) -> None:
    made = api("POST", FLAGS, {"key": "web/new", "type": "boolean", "tags": ["checkout"]})
    assert made.status_code == 201
    flag = made.json()
    assert (
        flag.items()
        >= {
            "key": "web/new",
            "type": "boolean",
            "tags": ["checkout"],
            "variants": {"on": True, "off": False},
            "enabled": False,
            "default_variant": "off",
            "off_variant": "off",
            "rules": [],
            "version": 1,
            "state": "off for everyone",
        }.items()
    )
    assert api("GET", FLAGS).json() == {"flags": [flag]}
    assert api("GET", f"{FLAGS}/web/new").json() == flag
    assert api("GET", f"{FLAGS}/web%2Fnew").json() == flag


def test_creating_a_flag_that_gives_users_nothing_is_no_change(api: Asker, db: None) -> None:
    api("POST", FLAGS, {"key": "A", "type": "boolean"})
    api("POST", FLAGS, {"key": "B", "type": "boolean", "enabled": True, "rules": []})
    api("POST", FLAGS, {"key": "D", "type": "string", "variants": {"a": "A"}})
    assert not Change.objects.exists()
    api("POST", FLAGS, {"key": "C", "type": "boolean", "enabled": True, "rules": HALF})
    assert [one.title for one in Change.objects.all()] == ["C created: on for 50% of users"]
    assert AuditEntry.objects.filter(action="flag.created").count() == 4
    assert FlagVersion.objects.count() == 4


def test_a_patch_answers_the_change_it_made(api: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    answer = api("PATCH", f"{FLAGS}/USE_CACHING", {"rules": HALF, "reason": "Ada: try it"})
    assert answer.status_code == 200
    said = answer.json()
    change = Change.objects.get(id=said["id"])
    assert (said["kind"], said["flag"], said["version"]) == ("flag", "USE_CACHING", 2)
    assert said["title"] == change.title == "USE_CACHING turned on for 50% of users"
    assert change.actor == "API key “test api”"
    assert change.details["reason"] == "Ada: try it"
    assert (change.details["before"]["rules"], change.details["after"]["rules"]) == ([], HALF)
    version = FlagVersion.objects.get(version=2)
    assert (version.change_id, version.reason) == (change.id, "Ada: try it")
    entry = AuditEntry.objects.get(action="flag.changed")
    assert (entry.actor, entry.reason) == ("API key “test api”", "Ada: try it")
    assert (entry.before or {})["rules"] == []


def test_a_patch_that_changes_nothing_makes_no_change(api: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    for body in ({}, {"enabled": True}, {"rules": [], "default_variant": "off", "reason": "x"}):
        answer = api("PATCH", f"{FLAGS}/USE_CACHING", body)
        assert (answer.status_code, answer.json()["id"], answer.json()["version"]) == (200, None, 1)
    assert not Change.objects.exists()
    assert FlagVersion.objects.count() == 1


def test_notes_are_audited_and_make_no_version(api: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    answer = api("PATCH", f"{FLAGS}/USE_CACHING", {"tags": ["a"], "owner": "Ada"})
    assert (answer.json()["id"], answer.json()["version"]) == (None, 1)
    assert Flag.objects.get().tags == ["a"]
    assert AuditEntry.objects.get(action="flag.described").after == {"tags": ["a"], "owner": "Ada"}


def test_whole_and_pointed_numbers_are_different_values(api: Asker, make_flag: MakeFlag) -> None:
    make_flag("N", type="number", variants={"one": 1})
    answer = api("PATCH", f"{FLAGS}/N", {"variants": {"one": 1.0}})
    assert answer.json()["version"] == 2


def test_null_leaves_the_default_to_the_code(api: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    assert api("PATCH", f"{FLAGS}/USE_CACHING", {"default_variant": None}).status_code == 200
    assert api("GET", f"{FLAGS}/USE_CACHING").json()["default_variant"] == ""


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"type": "boolean"}, 422, "key"),
        ({"key": "a"}, 422, "type"),
        ({"key": "a b", "type": "boolean"}, 422, "key"),
        ({"key": "nul\x00", "type": "boolean"}, 422, "key"),
        ({"key": "USE_CACHING", "type": "boolean"}, 409, "key"),
        ({"key": "a", "type": "colour"}, 422, "type"),
        ({"key": "a", "type": "boolean", "default": "on"}, 422, "default"),
        ({"key": "a", "type": "boolean", "enabled": "yes"}, 422, "enabled"),
        ({"key": "a", "type": "boolean", "enabled": None}, 422, "enabled"),
        ({"key": "a", "type": "string", "variants": {"a": "\x00"}}, 422, "variants.a"),
        ({"key": "a", "type": "number", "variants": {"a": float("nan")}}, 422, "variants.a"),
        ({"key": "a", "type": "boolean", "rules": [{"split": {"on": 3}}]}, 422, "rules[0].split"),
        ({"key": "a", "type": "boolean", "tags": [""]}, 422, "tags"),
        ({"key": "a", "type": "boolean", "owner": "x" * 255}, 422, "owner"),
        ({"key": "a", "type": "boolean", "reason": "x" * 1001}, 422, "reason"),
        ("{", 400, None),
        ("[]", 422, None),
    ],
    ids=lambda value: str(value)[:50].replace("\x00", "0"),
)
def test_a_bad_flag_is_refused_by_field(
    api: Asker, make_flag: MakeFlag, body: Any, status: int, field: str | None
) -> None:
    make_flag()
    answer = api("POST", FLAGS, body)
    assert answer.status_code == status, answer.content
    assert answer.json()["error"]["message"]
    if field:
        assert answer.json()["error"]["field"] == field
    assert Flag.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"type": "string"}, 422, "type"),
        ({"default_variant": "red"}, 422, "default_variant"),
        ({"variants": {"on": True}}, 422, "off_variant"),
        ({"rules": None}, 422, "rules"),
        ({"rules": [{"variant": "red"}]}, 422, "rules[0].variant"),
        ({"version": 7, "enabled": False}, 409, "version"),
        ({"version": "1"}, 422, "version"),
        ({"reason": "\ud800", "enabled": False}, 422, "reason"),
    ],
    ids=lambda value: str(value)[:50].encode("ascii", "replace").decode(),
)
def test_a_bad_patch_is_refused_by_field_and_saves_nothing(
    api: Asker, make_flag: MakeFlag, body: Any, status: int, field: str
) -> None:
    make_flag()
    answer = api("PATCH", f"{FLAGS}/USE_CACHING", body)
    assert (answer.status_code, answer.json()["error"].get("field")) == (status, field)
    flag = Flag.objects.get()
    assert (flag.version, flag.enabled) == (1, True)
    assert not Change.objects.exists()


@pytest.mark.parametrize("key", ["NOPE", "%00", "%F0%9F%9A%80", "a%20b"])
def test_an_unknown_flag_is_404(api: Asker, db: None, key: str) -> None:
    assert api("GET", f"{FLAGS}/{key}").status_code == 404
    assert api("PATCH", f"{FLAGS}/{key}", {"enabled": True}).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_token_is_401(method: str, server_key: str) -> None:
    for key in ("", "fs_api_wrong", server_key):
        assert Asker(key)(method, FLAGS, {"key": "a", "type": "boolean"}).status_code == 401


def test_a_wrong_method_is_405(api: Asker) -> None:
    assert api("DELETE", FLAGS).status_code == 405


def test_a_viewers_token_reads_and_changes_nothing(cast: Any, make_flag: MakeFlag) -> None:
    make_flag()
    viewer = Asker(mint(cast.project, "api", name="v", created_by="a@b.c", role="viewer")[1])
    assert viewer("GET", FLAGS).status_code == 200
    assert viewer("POST", FLAGS, {"key": "a", "type": "boolean"}).status_code == 403
    assert viewer("PATCH", f"{FLAGS}/USE_CACHING", {"enabled": False}).status_code == 403
    assert Flag.objects.get().enabled


def test_another_projects_token_finds_nothing(cast: Any, make_flag: MakeFlag) -> None:
    make_flag()
    other = Asker(mint(cast.foreign.project, "api", name="o", created_by="a@b.c", role="admin")[1])
    for method, path, body in (
        ("GET", FLAGS, None),
        ("POST", FLAGS, {"key": "a", "type": "boolean"}),
        ("GET", f"{FLAGS}/USE_CACHING", None),
        ("PATCH", f"{FLAGS}/USE_CACHING", {"enabled": False}),
    ):
        assert other(method, path, body).status_code == 404


def test_a_list_costs_few_queries(
    api: Asker, make_flag: MakeFlag, django_assert_max_num_queries: Any
) -> None:
    for i in range(20):
        make_flag(f"F{i}")
    with django_assert_max_num_queries(5):
        assert len(api("GET", FLAGS).json()["flags"]) == 20
