"""flagd's own conformance cases for evaluators (open-feature/flagd-testbed), through our import and
OFREP: the answers that its Gherkin wants, asked of our address.

The testbed has no licence, so it is not kept here: `FLAGD_TESTBED=DIR make testbed` names a
checkout. What Flipscope means otherwise is listed in OURS, each with its reason.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from flags.importing.importing import apply, translated
from projects.models import Environment
from tests.flags.conftest import ACTOR, Asker
from tests.flags.gherkin import Case, cases

TESTBED = Path(os.environ.get("FLAGD_TESTBED", "/nowhere")) / "evaluator"
OTHER_HASHES = {"@fractional-v1", "@fractional-v2"}
FOUND = [
    case
    for path in sorted(TESTBED.glob("gherkin/*.feature"))
    for case in cases(path)
    if not case.tags & OTHER_HASHES
]
OURS = {
    "Type mismatch": "OFREP's question has no type: the client's SDK judges it",
    "Returns no metadata": "each answer names its flag set and version, as DESIGN asks",
    "Ref to nonexistent evaluator": "refused at import with the name, never served",
}
FLAG = re.compile(r'an? (\w+)-flag with key "([^"]*)" and a fallback value "(.*)"')
VALUE = re.compile(r'a context containing a key "([^"]*)", with type "(\w+)" and with value "(.*)"')
UNIT = re.compile(r'a context containing a targeting key with value "(.*)"')
NESTED = re.compile(
    r'a context containing a nested property with outer key "(\w+)" and inner key "(\w+)", '
    r'with value "(.*)"'
)
WANTED = re.compile(r'the (resolved details value|reason|error-code) should be "(.*)"')

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not FOUND, reason="FLAGD_TESTBED names no checkout of flagd-testbed"),
]


def typed(kind: str, text: str) -> Any:
    if kind == "Boolean":
        return text == "true"
    if kind in ("Integer", "Long"):
        return int(text)
    if kind in ("Float", "Double"):
        return float(text)
    return json.loads(text.replace('\\"', '"')) if kind == "Object" else text


@pytest.mark.parametrize("case", FOUND or [Case("none", frozenset(), ())], ids=str)
def test_flagds_testbed_gets_its_answers_over_ofrep(
    case: Case, environment: Environment, server: Asker
) -> None:
    if why := next((why for part, why in OURS.items() if part in case.name), ""):
        pytest.skip(why)
    document = (TESTBED / "flags" / "testkit-flags.json").read_bytes()
    apply(environment, translated(document), actor=ACTOR)
    kind, key, fallback = "", "", ""
    context: dict[str, Any] = {}
    found: dict[str, Any] = {}
    checked = 0
    for step, rows in case.steps:
        if flag := FLAG.fullmatch(step):
            kind, key, fallback = flag.groups()
        elif value := VALUE.fullmatch(step):
            context[value[1]] = typed(value[2], value[3])
        elif unit := UNIT.fullmatch(step):
            context["targetingKey"] = unit[1]
        elif nested := NESTED.fullmatch(step):
            context[nested[1]] = {nested[2]: nested[3]}
        elif step == "the flag was evaluated with details":
            path = f"/ofrep/v1/evaluate/flags/{key}"
            found = server("POST", path, {"context": context}).json()
        elif wanted := WANTED.fullmatch(step):
            checked += 1
            if wanted[1] == "reason":
                assert found["reason"] == wanted[2]
            elif wanted[1] == "error-code":
                assert found["errorCode"] == wanted[2]
            else:
                assert found.get("value", typed(kind, fallback)) == typed(kind, wanted[2])
        elif step == "the resolved metadata should contain":
            checked += 1
            given = {row["key"]: typed(row["metadata_type"], row["value"]) for row in rows}
            assert given
            assert found["metadata"] | given == found["metadata"]
        else:
            assert step == "an evaluator", f"a step that this reader does not know: {step}"
    assert checked
