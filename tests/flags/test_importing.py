"""Files of flagd, Unleash and LaunchDarkly; flagd's own public cases through import and OFREP."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from flags.importing.importing import apply, translated
from flags.importing.translation import UnreadableFile
from flags.models import Flag, Segment
from flags.raw import references
from projects.models import Environment
from tests.flags.conftest import ACTOR, Asker, MakeFlag

DATA = Path(__file__).parent.parent / "data" / "flagd"
CASES = [
    *sorted((DATA / "test" / "flags" / "positive").glob("*.json")),
    *sorted((DATA / "test" / "flagd" / "positive").glob("*.json")),
    DATA / "otel_demo.flagd.json",
]
CONTEXTS: list[dict[str, Any]] = [
    {},
    {"targetingKey": "jon@company.com", "email": "jon@company.com"},
    {"targetingKey": "u1", "email": "a@faas.com", "age": 70, "id": "abc", "color": "yellow"},
    {"targetingKey": "u2", "version": "1.5.0", "tier": "premium", "country": "NZ"},
]
WHOLE = {"boolean": "boolean", "string": "string", "object": "object"}


def method_of(flag: Flag) -> str:
    if flag.type != "number":
        return WHOLE[flag.type]
    return "float" if flag.definition().is_float else "integer"


def resolved(core: FlagdCore, flag: Flag, context: dict[str, Any]) -> tuple[Any, str]:
    try:
        attributes = {name: value for name, value in context.items() if name != "targetingKey"}
        asked = EvaluationContext(context.get("targetingKey"), attributes)
        found = getattr(core, f"resolve_{method_of(flag)}_value")(flag.key, None, asked)
    except OpenFeatureError as error:
        return None, error.error_code.value
    return found, ""


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_flagds_public_cases_answer_the_same_through_import_and_ofrep(
    path: Path, environment: Environment, server: Asker
) -> None:
    document = json.loads(path.read_text())
    listed = document["flags"]
    keyed = listed if isinstance(listed, dict) else {one["key"]: one for one in listed}
    known = ("state", "variants", "defaultVariant", "targeting", "metadata")  # its evaluator's own
    keyed = {key: {name: one[name] for name in known if name in one} for key, one in keyed.items()}
    done = apply(environment, translated(path.read_bytes()), actor=ACTOR)
    left = [line for line in done.untranslated if "Flipscope sets it" not in line]
    assert len(done.created) + len({line.split(",")[0] for line in left}) >= len(keyed)
    core = FlagdCore()
    core.set_flags(document | {"flags": keyed})
    for flag in Flag.objects.all():
        for context in CONTEXTS:
            answer = server("POST", f"/ofrep/v1/evaluate/flags/{flag.key}", {"context": context})
            body = answer.json()
            wanted, failure = resolved(core, flag, context)
            assert body.get("errorCode", "") == failure, (flag.key, context)
            if wanted is None:
                continue
            assert body["variant"] == (wanted.variant or ""), (flag.key, context)
            if wanted.variant:
                assert body["value"] == wanted.value


@pytest.mark.parametrize(
    "path",
    sorted((DATA / "test" / "flags" / "negative").glob("*.json")),
    ids=lambda path: path.stem,
)
def test_what_flagd_refuses_is_told_and_never_half_saved(
    path: Path, environment: Environment, server: Asker
) -> None:
    try:
        done = apply(environment, translated(path.read_bytes()), actor=ACTOR)
    except UnreadableFile:
        assert not Flag.objects.exists()
        return
    assert done.untranslated or done.created
    for flag in Flag.objects.all():
        answer = server("POST", f"/ofrep/v1/evaluate/flags/{flag.key}", {"context": {}})
        assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    "path",
    sorted((DATA / "test" / "targeting" / "positive").glob("*.json")),
    ids=lambda path: path.stem,
)
def test_flagds_targeting_cases_are_served_as_they_came(
    path: Path, environment: Environment, server: Asker
) -> None:
    targeting = json.loads(path.read_text())
    targeting.pop("$schema", None)
    flag = {"state": "ENABLED", "variants": {"a": True, "b": False}, "defaultVariant": "a"}
    file: dict[str, Any] = {"flags": {"t": flag | {"targeting": targeting}}}
    if names := list(references(targeting)):
        file["$evaluators"] = {name: {"==": [1, 1]} for name in names}
    done = apply(environment, translated(json.dumps(file).encode()), actor=ACTOR)
    assert done.created == ["t"], done.untranslated
    assert server("GET", "/flagd/flags.json").json()["flags"]["t"]["targeting"] == targeting


def test_an_accent_in_an_evaluator_does_not_break_the_document(
    environment: Environment, server: Asker
) -> None:
    """Python's evaluator resolves $ref by a pattern, which a backslash would break."""
    flag = {"state": "ENABLED", "variants": {"a": True}, "targeting": {"if": [{"$ref": "x"}, "a"]}}
    logic = {"in": [{"var": "city"}, ["Orléans", "back\\slash"]]}
    file = {"flags": {"t": flag}, "$evaluators": {"x": logic}}
    apply(environment, translated(json.dumps(file).encode()), actor=ACTOR)
    body = server("POST", "/ofrep/v1/evaluate/flags/t", {"context": {"city": "Orléans"}}).json()
    assert body["variant"] == "a"


def test_an_import_again_changes_only_what_changed(
    environment: Environment,
    make_flag: MakeFlag,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "flags.json"
    file: dict[str, Any] = {
        "flags": {
            "a": {
                "state": "ENABLED",
                "variants": {"on": True, "off": False},
                "defaultVariant": "on",
            },
            "bad key": {"state": "ENABLED", "variants": {"on": True}},
        }
    }
    arguments = ["import_flags", str(path), "--project", "acme", "--environment", "production"]
    path.write_text(json.dumps(file))
    with pytest.raises(SystemExit) as ended:
        call_command(*arguments)
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "created: a\n" in said
    assert "not translated: flag bad key: key must have" in said
    del file["flags"]["bad key"]
    path.write_text(json.dumps(file))
    call_command(*arguments)
    assert "as before: a\n" in capsys.readouterr().out
    file["flags"]["a"]["defaultVariant"] = "off"
    path.write_text(json.dumps(file))
    call_command(*arguments)
    assert "changed: a\n" in capsys.readouterr().out
    assert Flag.objects.get().version == 2


UNLEASH = {
    "version": 1,
    "features": [
        {"name": "checkout", "type": "release", "description": "New checkout"},
        {"name": "odd", "type": "experiment", "impressionData": True},
    ],
    "featureEnvironments": [
        {"featureName": "checkout", "environment": "production", "enabled": True},
        {"featureName": "odd", "environment": "production", "enabled": True},
    ],
    "segments": [
        {
            "id": 7,
            "name": "staff",
            "constraints": [
                {"contextName": "email", "operator": "STR_ENDS_WITH", "values": ["@acme.com"]}
            ],
        }
    ],
    "featureStrategies": [
        {
            "featureName": "checkout",
            "environment": "production",
            "name": "default",
            "segments": [7],
        },
        {
            "featureName": "checkout",
            "environment": "production",
            "name": "userWithId",
            "parameters": {"userIds": "u1, u2"},
        },
        {
            "featureName": "checkout",
            "environment": "production",
            "name": "flexibleRollout",
            "parameters": {"rollout": "25", "stickiness": "default", "groupId": "x"},
            "constraints": [{"contextName": "country", "operator": "IN", "values": ["NZ"]}],
        },
        {"featureName": "checkout", "environment": "staging", "name": "default"},
        {"featureName": "odd", "environment": "production", "name": "remoteAddress"},
    ],
}


OF_AN_SDK = {
    "id": 7,
    "constraints": [{"contextName": "country", "operator": "IN", "values": ["NZ"]}],
}


def test_unleashs_strategies_become_rules_and_what_does_not_is_told(
    environment: Environment, server: Asker
) -> None:
    done = apply(environment, translated(json.dumps(UNLEASH).encode()), actor=ACTOR)
    assert done.created == ["checkout", "odd"]
    assert Segment.objects.get().name == "staff"

    def asked(**context: Any) -> str:
        body = server("POST", "/ofrep/v1/evaluate/flags/checkout", {"context": context}).json()
        return str(body["variant"])

    assert asked(targetingKey="x", email="a@acme.com") == "on"
    assert asked(targetingKey="u2") == "on"
    assert asked(targetingKey="x", country="AU") == "off"
    nz = [asked(targetingKey=f"user {i}", country="NZ") for i in range(60)]
    assert 5 < nz.count("on") < 27
    told = "\n".join(done.untranslated)
    assert "hashes other users" in told
    assert "no strategy like remoteAddress" in told
    assert "impressionData" in told


def test_strategies_that_stand_in_unleashs_features_decide_as_well() -> None:
    """Older exports, and what its SDKs fetch: taken for none, they would mean on for everyone."""
    half = {"name": "flexibleRollout", "parameters": {"rollout": "50"}, "segments": [7]}
    feature = {"name": "menu", "enabled": True, "strategies": [half, {"name": "byMoon"}]}
    found = translated(json.dumps({"features": [feature], "segments": [OF_AN_SDK]}).encode())
    flag = found.flags["menu"]
    assert (flag["enabled"], flag["default_variant"]) == (True, "off")
    rule = {"split": {"on": 50, "off": 50}, "if": [{"segment": "segment-7"}]}
    assert flag["rules"] == [rule]
    assert any("no strategy like byMoon" in text for text in found.untranslated)
    other = translated(json.dumps(UNLEASH).encode(), environment="elsewhere")
    assert not any(one["enabled"] for one in other.flags.values())
    assert any("does not say it for elsewhere" in text for text in other.untranslated)


def test_what_asked_for_other_flags_comes_turned_off() -> None:
    """Without them it would reach whom they kept it from."""
    needs = {"feature": "child", "dependencies": [{"feature": "parent"}]}
    features = [{"name": "child", "enabled": True}, {"name": "parent", "enabled": True}]
    unleash = translated(json.dumps({"features": features, "dependencies": [needs]}).encode())
    assert {key: one["enabled"] for key, one in unleash.flags.items()} == {
        "child": False,
        "parent": True,
    }
    here = {
        "on": True,
        "offVariation": 1,
        "fallthrough": {"variation": 0},
        "prerequisites": [{"key": "parent", "variation": 0}],
    }
    flag = {
        "key": "child",
        "kind": "boolean",
        "variations": [{"value": True}, {"value": False}],
        "environments": {"production": here},
    }
    dark = translated(json.dumps({"items": [flag]}).encode())
    assert not dark.flags["child"]["enabled"]
    for found in (unleash, dark):
        assert any("it comes turned off" in text for text in found.untranslated)


LAUNCHDARKLY = {
    "items": [
        {
            "key": "dark.mode",
            "name": "Dark mode",
            "kind": "boolean",
            "tags": ["ui"],
            "variations": [{"value": True}, {"value": False}],
            "environments": {
                "production": {
                    "on": True,
                    "offVariation": 1,
                    "targets": [{"values": ["u1"], "variation": 0}],
                    "rules": [
                        {
                            "variation": 0,
                            "clauses": [
                                {"attribute": "email", "op": "endsWith", "values": ["@acme.com"]}
                            ],
                        },
                        {
                            "variation": 0,
                            "clauses": [
                                {"attribute": "", "op": "segmentMatch", "values": ["beta"]}
                            ],
                        },
                    ],
                    "fallthrough": {
                        "rollout": {
                            "variations": [
                                {"variation": 0, "weight": 30000},
                                {"variation": 1, "weight": 70000},
                            ]
                        }
                    },
                }
            },
        },
        {"key": "elsewhere", "variations": [{"value": "a"}], "environments": {"test": {}}},
    ]
}


def test_launchdarklys_rules_become_rules_and_what_does_not_is_told(
    environment: Environment, server: Asker
) -> None:
    done = apply(environment, translated(json.dumps(LAUNCHDARKLY).encode()), actor=ACTOR)
    assert done.created == ["dark.mode"]
    flag = Flag.objects.get()
    assert (flag.tags, flag.off_variant) == (["ui"], "off")
    assert flag.rules[-1] == {"split": {"off": 70, "on": 30}}
    for context, variant in (({"targetingKey": "u1"}, "on"), ({"email": "x@acme.com"}, "on")):
        body = server("POST", "/ofrep/v1/evaluate/flags/dark.mode", {"context": context}).json()
        assert body["variant"] == variant
    told = "\n".join(done.untranslated)
    assert "names a segment" in told
    assert "no environment production" in told


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"flags": 3}', b"\xff", b'{"items": 3}'])
def test_a_file_of_no_known_form_says_so(data: bytes) -> None:
    try:
        found = translated(data)
    except UnreadableFile:
        return
    assert not found.flags
