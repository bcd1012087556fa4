"""OFREP 0.3 as real providers need it: section 9's traps 1 to 7, keys, CORS, errors."""

from typing import Any

import pytest
from django.db import OperationalError

from flags import documents, editing
from projects.models import Environment
from tests.flags.conftest import ACTOR, Asker, MakeFlag

ONE, ALL = "/ofrep/v1/evaluate/flags/", "/ofrep/v1/evaluate/flags"
USER = {"context": {"targetingKey": "u1", "email": "a@acme.com"}}
ACME = [{"attribute": "email", "op": "ends-with", "value": "@acme.com"}]


def test_one_flag_is_evaluated(server: Asker, make_flag: MakeFlag) -> None:
    make_flag(default_variant="on")
    answer = server("POST", f"{ONE}USE_CACHING", USER)
    assert answer.status_code == 200
    assert answer.json() == {
        "key": "USE_CACHING",
        "reason": "STATIC",
        "variant": "on",
        "value": True,
        "metadata": {"flagSetId": "acme/production", "version": "1"},
    }


def test_all_flags_are_evaluated(server: Asker, make_flag: MakeFlag) -> None:
    make_flag("A", default_variant="on")
    make_flag("B", rules=[{"if": ACME, "variant": "on"}])
    answer = server("POST", ALL, USER)
    found = {item["key"]: (item["value"], item["reason"]) for item in answer.json()["flags"]}
    assert found == {"A": (True, "STATIC"), "B": (True, "TARGETING_MATCH")}
    assert answer["ETag"].startswith('"')


@pytest.mark.parametrize("header", ["Authorization", "X_API_Key", "bare"])
def test_both_ways_of_sending_a_key_work(server_key: str, make_flag: MakeFlag, header: str) -> None:
    make_flag()
    named = {
        "Authorization": {"Authorization": f"Bearer {server_key}"},
        "X_API_Key": {"X_API_Key": server_key},
        "bare": {"Authorization": server_key},
    }[header]
    assert Asker("")("POST", f"{ONE}USE_CACHING", USER, **named).status_code == 200


@pytest.mark.parametrize("path", [f"{ONE}USE_CACHING", ALL])
@pytest.mark.parametrize("key", ["", "fs_server_wrong", "ingest"])
def test_a_wrong_key_is_401(path: str, key: str, ingest_key: str, make_flag: MakeFlag) -> None:
    make_flag()
    answer = Asker(ingest_key if key == "ingest" else key)("POST", path, USER)
    assert answer.status_code == 401
    assert {"errorCode", "errorDetails"} <= answer.json().keys()
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [f"{ONE}USE_CACHING", ALL])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_wrong_method_is_405(server: Asker, path: str, method: str) -> None:
    assert server(method, path).status_code == 405


def test_another_environments_flags_are_not_there(
    server: Asker, make_flag: MakeFlag, cast: Any
) -> None:
    editing.create(cast.staging, {"key": "STAGED", "type": "boolean"}, actor=ACTOR)
    make_flag()
    assert server("POST", f"{ONE}STAGED", USER).status_code == 404
    assert [one["key"] for one in server("POST", ALL, USER).json()["flags"]] == ["USE_CACHING"]


# Trap 1: keys


@pytest.mark.parametrize(
    ("key", "path"),
    [("web/a", "web/a"), ("web/a", "web%2Fa"), ("x", "x"), ("a.b~c:d", "a.b~c%3Ad")],
)
def test_keys_arrive_however_clients_write_them(
    server: Asker, make_flag: MakeFlag, key: str, path: str
) -> None:
    make_flag(key)
    answer = server("POST", ONE + path, USER)
    assert (answer.status_code, answer.json()["key"]) == (200, key)


@pytest.mark.parametrize("path", ["no%2Fsuch", "%C3%BCber", "a%20b", "%00", "%F0%9F%9A%80"])
def test_an_unknown_key_is_404_with_both_texts(server: Asker, db: None, path: str) -> None:
    answer = server("POST", ONE + path, USER)
    assert answer.status_code == 404
    assert answer.json()["errorCode"] == "FLAG_NOT_FOUND"
    assert answer.json()["errorDetails"]


# Trap 2: contexts


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"context":null}', '{"context":{}}', '{"context":{"targetingKey":null}}'],
)
def test_a_request_without_a_context_is_answered(
    server: Asker, make_flag: MakeFlag, body: str
) -> None:
    make_flag(rules=[{"split": {"on": 50, "off": 50}}])
    answer = server("POST", f"{ONE}USE_CACHING", body)
    assert answer.status_code == 200
    assert (answer.json()["variant"], answer.json()["reason"]) == ("off", "DEFAULT")
    assert server("POST", ALL, body).status_code == 200


def test_a_numeric_targeting_key_is_its_text(server: Asker, make_flag: MakeFlag) -> None:
    make_flag(rules=[{"split": {"on": 50, "off": 50}}])
    for i in range(20):
        as_number, as_text = (
            server("POST", f"{ONE}USE_CACHING", {"context": {"targetingKey": unit}}).json()
            for unit in (i, str(i))
        )
        assert as_number == as_text
        assert as_text["reason"] == "TARGETING_MATCH"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "PARSE_ERROR"),
        ("[]", "PARSE_ERROR"),
        ("3", "PARSE_ERROR"),
        (b"\xff\xfe", "PARSE_ERROR"),
        ('{"context":NaN}', "PARSE_ERROR"),
        ('{"context":' + "[" * 5000, "PARSE_ERROR"),
        ('{"context":[]}', "INVALID_CONTEXT"),
        ('{"context":"u1"}', "INVALID_CONTEXT"),
        ('{"context":{"targetingKey":true}}', "INVALID_CONTEXT"),
        ('{"context":{"targetingKey":["u1"]}}', "INVALID_CONTEXT"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_context_is_400_with_both_texts(
    server: Asker, make_flag: MakeFlag, body: Any, code: str
) -> None:
    make_flag()
    for path in (f"{ONE}USE_CACHING", ALL):
        answer = server("POST", path, body)
        assert (answer.status_code, answer.json()["errorCode"]) == (400, code)
        assert answer.json()["errorDetails"]


def test_a_huge_context_is_413(server: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    answer = server("POST", f"{ONE}USE_CACHING", {"context": {"x": "y" * 1_100_000}})
    assert answer.status_code == 413
    assert answer.json()["errorDetails"]


@pytest.mark.parametrize(
    "value", [None, True, 3, -1.5, 10**18, "x", [], [1, "a"], {}, {"a": {"b": []}}, "9" * 5000]
)
def test_attributes_of_any_kind_get_an_answer(
    server: Asker, make_flag: MakeFlag, value: Any
) -> None:
    conditions = [
        *(("=", one) for one in ("x", 3, True)),
        *(("in", ["x", 3]), ("not-in", ["x"]), ("starts-with", "x"), (">", 3), ("<=", 3)),
        ("sem-ver >", "1.2"),
    ]
    rules: list[Any] = [
        {"if": [{"attribute": "x", "op": op, "value": wanted}], "variant": "on"}
        for op, wanted in conditions
    ]
    make_flag(rules=[*rules, {"split": {"on": 50, "off": 50}, "by": "x"}])
    answer = server("POST", f"{ONE}USE_CACHING", {"context": {"targetingKey": "u", "x": value}})
    assert answer.status_code == 200, answer.content
    assert answer.json()["variant"] in ("on", "off")


# Trap 3: variant and reason are always there


def test_a_flag_that_is_off_serves_its_off_variant_as_disabled(
    server: Asker, make_flag: MakeFlag
) -> None:
    make_flag(enabled=False, default_variant="on")
    found = server("POST", f"{ONE}USE_CACHING", USER).json()
    assert (found["value"], found["variant"], found["reason"]) == (False, "off", "DISABLED")


@pytest.mark.parametrize(("enabled", "reason"), [(False, "DISABLED"), (True, "DEFAULT")])
def test_without_a_variant_the_codes_default_holds(
    server: Asker, make_flag: MakeFlag, enabled: bool, reason: str
) -> None:
    make_flag(enabled=enabled, default_variant="", off_variant="")
    for found in (
        server("POST", f"{ONE}USE_CACHING", USER).json(),
        server("POST", ALL, USER).json()["flags"][0],
    ):
        assert "value" not in found
        assert (found["variant"], found["reason"]) == ("", reason)
        assert found["metadata"]["version"] == "1"


# Trap 4: numbers


def test_whole_floats_keep_their_point_and_whole_numbers_have_none(
    server: Asker, make_flag: MakeFlag
) -> None:
    make_flag("FLOAT", type="number", variants={"one": 1, "half": 0.5}, default_variant="one")
    make_flag("PLAIN", type="number", variants={"one": 1.0}, default_variant="one")
    make_flag("WHOLE", type="number", variants={"one": 1}, default_variant="one")
    for key, value in (("FLOAT", b"1.0"), ("PLAIN", b"1.0"), ("WHOLE", b"1")):
        content = server("POST", ONE + key, USER).content
        assert b'"value":' + value + b"}" in content
    assert server("POST", ALL, USER).content.count(b'"value":1.0}') == 2


# Traps 6 and 7: ETag and 304


def test_the_etag_changes_with_every_attribute_that_matters(
    server: Asker, make_flag: MakeFlag
) -> None:
    make_flag(rules=[{"if": ACME, "variant": "on"}])
    mine = server("POST", ALL, USER)["ETag"]
    theirs = {"context": {"targetingKey": "u1", "email": "a@other.com"}}
    answer = server("POST", ALL, theirs, If_None_Match=mine)
    assert answer.status_code == 200
    assert answer["ETag"] != mine


def test_the_etag_changes_with_the_flag_and_with_time(
    server: Asker,
    make_flag: MakeFlag,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = [{"attribute": "$flagd.timestamp", "op": ">=", "value": 2_000_000_000}]
    make_flag(rules=[{"if": later, "variant": "on"}])
    first = server("POST", ALL, USER)["ETag"]
    assert server("POST", ALL, USER, If_None_Match=first).status_code == 304
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    after = server("POST", ALL, USER, If_None_Match=first)
    assert (after.status_code, after.json()["flags"][0]["variant"]) == (200, "on")
    editing.change(environment, "USE_CACHING", {"enabled": False}, actor=ACTOR)
    assert server("POST", ALL, USER, If_None_Match=after["ETag"]).status_code == 200


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*", "bare"])
def test_every_form_of_if_none_match_is_understood(
    server: Asker, make_flag: MakeFlag, form: str
) -> None:
    make_flag()
    etag = server("POST", ALL, USER)["ETag"]
    sent = etag.strip('"') if form == "bare" else form.format(etag)
    answer = server("POST", ALL, USER, If_None_Match=sent)
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert "Content-Type" not in answer


def test_another_etag_is_200(server: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    assert server("POST", ALL, USER, If_None_Match='"other"').status_code == 200


# Browsers


def test_a_browser_elsewhere_may_ask_with_a_client_key(browser: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    asked = Asker("")("OPTIONS", ALL, Origin="https://shop.example")
    assert asked.status_code == 204
    assert {"Authorization", "Content-Type", "If-None-Match", "X-API-Key"} <= set(
        asked["Access-Control-Allow-Headers"].split(", ")
    )
    answer = browser("POST", ALL, USER, Origin="https://shop.example")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in answer["Access-Control-Expose-Headers"]
    refused = Asker("fs_client_no")("POST", ALL, USER)
    assert refused["Access-Control-Allow-Origin"] == "*"


def test_a_server_key_is_not_for_browsers(server: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    assert "Access-Control-Allow-Origin" not in server("POST", ALL, USER)


# flagd's document


def test_flagds_document_is_served_with_an_etag(server: Asker, make_flag: MakeFlag) -> None:
    make_flag(rules=[{"split": {"on": 10, "off": 90}}])
    answer = server("GET", "/flagd/flags.json")
    assert answer.status_code == 200
    split = answer.json()["flags"]["USE_CACHING"]["targeting"]["if"][1]
    assert split["fractional"][1:] == [["off", 90], ["on", 10]]
    again = server("GET", "/flagd/flags.json", If_None_Match=answer["ETag"])
    assert (again.status_code, again.content) == (304, b"")


def test_flagds_document_is_for_server_keys_alone(browser: Asker, make_flag: MakeFlag) -> None:
    make_flag()
    assert browser("GET", "/flagd/flags.json").status_code == 403
    assert Asker("")("GET", "/flagd/flags.json").status_code == 401
    assert browser("POST", "/flagd/flags.json").status_code == 405


# What is kept in the process


def test_an_edit_is_served_at_the_next_check(
    server: Asker, make_flag: MakeFlag, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag()
    monkeypatch.setattr(documents, "FRESH_S", 1000.0)
    assert server("POST", f"{ONE}USE_CACHING", USER).json()["value"] is False
    editing.change(environment, "USE_CACHING", {"default_variant": "on"}, actor=ACTOR)
    assert server("POST", f"{ONE}USE_CACHING", USER).json()["value"] is False
    monkeypatch.setattr(documents, "FRESH_S", 0.0)
    assert server("POST", f"{ONE}USE_CACHING", USER).json()["value"] is True


def test_evaluation_goes_on_while_the_database_is_away(
    server: Asker, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag(default_variant="on")
    assert server("POST", f"{ONE}USE_CACHING", USER).status_code == 200

    def away(*_: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(documents, "_checked", away)
    assert server("POST", f"{ONE}USE_CACHING", USER).json()["value"] is True


def test_one_unreadable_row_does_not_take_the_others_away(
    server: Asker, make_flag: MakeFlag
) -> None:
    make_flag("GOOD", default_variant="on")
    bad = make_flag("BAD")
    type(bad).objects.filter(id=bad.id).update(variants={})
    assert server("POST", f"{ONE}GOOD", USER).json()["value"] is True
    assert server("POST", f"{ONE}BAD", USER).status_code == 404


def test_evaluation_asks_the_database_nothing_while_fresh(
    server: Asker,
    make_flag: MakeFlag,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Any,
) -> None:
    make_flag()
    server("POST", ALL, USER)
    monkeypatch.setattr(documents, "FRESH_S", 1000.0)
    with django_assert_num_queries(0):
        assert server("POST", ALL, USER).status_code == 200
