"""Targeting as functions gives what flagd's evaluator gives, whatever is written and asked."""

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_logic import jsonLogic
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from flags.definition import read
from flags.evaluate import context_of, document_of, evaluate
from flags.machine import _cbor, machine
from flags.wrong import DefinitionError

DATA = Path(__file__).parent.parent / "data" / "flagd"
NAMES = ("email", "age", "user.name", "tags.1", "tags", "$flagd.timestamp", "$flagd.flagKey", "")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([0.5, 1.0, -0.0, 1e300, 2**63]),
    st.sampled_from(["", "a", "on", "off", "1", "1.2.3", "a@b.c", "é" * 30, "x" * 300]),
)
OPS = (
    *("if", "?:", "and", "or", "!", "!!", "==", "===", "!=", "!==", "<", ">", "<=", ">=", "in"),
    *("cat", "substr", "+", "-", "*", "min", "merge", "missing", "starts_with", "ends_with"),
    *("sem_ver", "fractional", "var", "map", "filter", "all", "none", "some", "reduce"),
    *("no_such_operator", "a.b"),
)
WEIGHTED = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["on", "off", "c"]), st.integers(-3, 60)).map(list),
        st.sampled_from([["on"], ["off", 0], ["on", 1.5], ["on", True], "on", [], ["a", 2**31]]),
    ),
    max_size=4,
)


def branch(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    args = st.one_of(st.lists(inner, max_size=5), inner)
    named = st.sampled_from(NAMES).map(lambda name: {"var": name})
    with_default = st.tuples(st.sampled_from(NAMES), SCALARS).map(lambda pair: {"var": list(pair)})
    split = st.tuples(inner, WEIGHTED).map(lambda pair: {"fractional": [pair[0], *pair[1]]})
    shorthand = WEIGHTED.map(lambda parts: {"fractional": parts})
    one = st.tuples(st.sampled_from(OPS), args).map(lambda pair: {pair[0]: pair[1]})
    return st.one_of(one, named, with_default, split, shorthand, st.lists(inner, max_size=3))


LOGIC = st.recursive(SCALARS, branch, max_leaves=14)
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "targetingKey": st.one_of(st.none(), st.sampled_from(["", "u1", "u2", "ü" * 12])),
        "email": SCALARS,
        "age": SCALARS,
        "user": st.one_of(SCALARS, st.just({"name": "a"}), st.just([1])),
        "tags": st.lists(SCALARS, max_size=2),
    },
)


def outcome(act: Any) -> Any:
    """What comes back, or the name of what is raised; NaN is itself here."""
    try:
        return repr(act())
    except Exception as error:
        return type(error).__name__


@settings(max_examples=600)
@given(LOGIC, CONTEXTS)
@example({"if": []}, {})
@example({"if": [True]}, {})
@example({"if": [False, 1, {"if": [0, 2]}]}, {})
@example({"and": []}, {})
@example({"var": [["email"]]}, {"email": 1})
@example({"==": [{"var": "tags"}, {"var": "tags"}]}, {"tags": [1]})
@example({"fractional": [{"var": "email"}, ["on", 50], ["off", 50]]}, {"email": [1, 2]})
@example({"fractional": [{"cat": ["a/", {"var": "targetingKey"}]}, ["on"]]}, {})
def test_every_logic_gives_what_the_evaluator_gives(logic: Any, context: dict[str, Any]) -> None:
    data = {**context, "$flagd": {"flagKey": "f", "timestamp": 1_800_000_000}}
    data.setdefault("targetingKey", None)
    made = machine(logic)
    for _ in range(2):  # nothing of the first answer is left in the function
        assert outcome(lambda: made(data)) == outcome(lambda: jsonLogic(logic, data, OPERATORS))


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
@example("x" * 70_000)
def test_a_unit_is_written_as_cbor_writes_it(text: str) -> None:
    assert _cbor(text) == cbor2.dumps(text, canonical=True)


CASES = [
    *sorted((DATA / "test" / "flags" / "positive").glob("*.json")),
    *sorted((DATA / "test" / "targeting" / "positive").glob("*.json")),
    DATA / "otel_demo.flagd.json",
]


def theirs(core: FlagdCore, kind: str, context: dict[str, Any]) -> tuple[Any, ...]:
    attributes = {name: value for name, value in context.items() if name != "targetingKey"}
    asked = EvaluationContext(context["targetingKey"], attributes)
    try:
        found = getattr(core, f"resolve_{kind}_value")("a", None, asked)
    except OpenFeatureError as error:
        return (error.error_code.value,)
    return found.variant or "", found.value, str(found.reason)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_flags_of_flagds_own_cases_are_answered_as_flagds_evaluator_does(path: Path) -> None:
    document: dict[str, Any] = json.loads(path.read_text())
    flags: Any = document.get("flags") or {"a": document}
    for flag in flags.values() if isinstance(flags, dict) else flags:
        variants = flag.get("variants") or {"on": "1", "off": "2"}
        kind = "boolean" if isinstance(next(iter(variants.values())), bool) else "string"
        given: dict[str, Any] = {"type": kind, "variants": variants, "enabled": True}
        given |= {"targeting": flag.get("targeting"), "default_variant": next(iter(variants))}
        try:
            ours = document_of([read("a", given)], "s")
        except DefinitionError:
            continue  # what is refused is not served
        core = FlagdCore()
        core.set_flags(json.loads(ours.text))
        for unit in (None, "u1", "jon@company.com"):
            attributes = {"email": "a@faas.com", "id": "abc", "version": "1.5.0", "age": 70}
            context = {"targetingKey": unit, **attributes}
            found = evaluate(ours, "a", context_of(context))
            got: tuple[Any, ...] = (found.variant, found.value, found.reason)
            assert ((found.error_code,) if found.error_code else got) == theirs(core, kind, context)
