"""Time in the rule, asked of flagd's own evaluator with its clock set."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flags.acts import applied
from flags.courses import Course
from flags.definition import read
from flags.evaluate import Document, context_of, document_of, evaluate
from flags.ramps import Ramp, read_ramp
from flags.wrong import DefinitionError

START, END = 1_800_000_000, 1_800_000_600
UP = Ramp("on", "off", START, END, 0, 100)
ON: dict[str, Any] = {"type": "boolean", "enabled": True}
COUNT = 500
USERS = [f"user {i}" for i in range(COUNT)]


@contextmanager
def clock(second: float) -> Iterator[None]:
    """The evaluator's own clock, which it reads by time.time()."""
    with mock.patch("time.time", return_value=second):
        yield


def ramped(ramp: Ramp) -> Document:
    return document_of([read("a", ON | {"rules": [{"ramp": ramp.as_json()}]})], "s")


def on(document: Document, second: float, users: list[str] = USERS) -> set[str]:
    with clock(second):
        return {
            user
            for user in users
            if evaluate(document, "a", context_of({"targetingKey": user})).variant == "on"
        }


def test_a_ramp_over_ten_minutes_follows_the_line_and_nobody_goes_back() -> None:
    """At each second looked at the share lies within 4 standard errors of the line."""
    document = ramped(UP)
    before: set[str] = set()
    for second in range(START - 60, END + 61, 60):
        now = on(document, second)
        share = min(max((second - START) / 600, 0), 1)
        assert abs(len(now) / COUNT - share) <= 4 * (share * (1 - share) / COUNT) ** 0.5
        assert before <= now, "somebody had it and lost it"
        before = now
    assert len(before) == COUNT


def test_long_after_its_end_everyone_has_it() -> None:
    assert len(on(ramped(UP), END + 40_000_000)) == COUNT
    assert not on(ramped(UP), START - 40_000_000)


@settings(max_examples=40)
@given(
    st.integers(1, 400), st.integers(0, 100), st.integers(0, 100), st.data(), st.text(min_size=1)
)
def test_nobody_ever_goes_back(
    length: int, low: int, high: int, data: st.DataObject, user: str
) -> None:
    """Up: from off to on at most once; held: still; rolled back: from on to off at most once."""
    if low == high:
        low, high = 0, 100
    hold = data.draw(st.none() | st.integers(START, START + length))
    back = data.draw(st.none() | st.integers(hold, hold + 100)) if hold is not None else None
    pace = data.draw(st.integers(1, 5))
    ramp = Ramp("on", "off", START, START + length, low, high, hold, back, pace)
    document = ramped(read_ramp("ramp", ramp.as_json(), ("on", "off")))
    seconds = sorted(
        {START - 1, START, START + length, START + length + 500, hold or START, back or START}
        | set(data.draw(st.lists(st.integers(START - 5, START + length + 200), max_size=12)))
    )
    seen = [bool(on(document, second, [user])) for second in seconds]
    flips = sum(a != b for a, b in pairwise(seen))
    assert flips <= (1 if back is None else 2)
    if back is not None:
        assert seen[0] == seen[-1], "rolled back is as it was"
    turned = [second for second in seconds if hold is not None and hold <= second < (back or 2**31)]
    assert len({bool(on(document, second, [user])) for second in turned}) <= 1


def test_a_ramp_rolled_back_half_way_lets_the_newest_go_first_and_exposes_nobody_anew() -> None:
    middle = START + 300
    turned = ramped(replace(UP, hold=middle, back=middle))
    exposed = on(turned, middle)
    assert 200 < len(exposed) < 300
    previous = exposed
    for step in range(50, 301, 50):
        now = on(turned, middle + step)
        assert now <= previous, "somebody was exposed while it was rolled back"
        assert now == on(ramped(UP), middle - step), "another order than they came in"
        previous = now
    assert not on(turned, middle + 300)
    assert not on(turned, middle + 30_000_000)


def test_a_roll_back_may_be_faster_than_the_ramp() -> None:
    turned = ramped(replace(UP, hold=START + 300, back=START + 400, pace=10))
    assert on(turned, START + 350) == on(ramped(UP), START + 300)
    assert on(turned, START + 415) == on(ramped(UP), START + 150)
    assert not on(turned, START + 430)


@pytest.mark.parametrize("low", [0, 10, 12.5, 33.333])
def test_whoever_has_it_in_a_split_keeps_it_when_a_ramp_begins(low: float) -> None:
    split = {"split": {"on": low, "off": round(100 - low, 3)}}
    fixed = document_of([read("a", ON | {"rules": [split]})], "s")
    ramp = ramped(Ramp("on", "off", START, END, low, 60))
    with clock(START):
        assert on(fixed, START) == on(ramp, START)
    assert on(fixed, START) <= on(ramp, START + 1)
    after = {"split": {"on": 60, "off": 40}}
    assert on(ramp, END) == on(document_of([read("a", ON | {"rules": [after]})], "s"), END)


def test_a_ramp_down_takes_it_away_in_the_reverse_order() -> None:
    down = ramped(Ramp("on", "off", START, END, 100, 0))
    assert on(down, START + 150) == on(ramped(UP), END - 150)


def test_a_course_flips_at_its_second_and_serves_the_version_in_force() -> None:
    now = read("a", ON | {"enabled": False, "off_variant": ""}, 3)
    then = replace(read("a", ON | {"default_variant": "on"}), version=4)
    document = document_of([Course(now, ((START, then),))], "s")
    for second, variant, version, reason in (
        (START - 0.001, "", "3", "DISABLED"),
        (START, "on", "4", "TARGETING_MATCH"),
        (START + 9_999_999, "on", "4", "TARGETING_MATCH"),
    ):
        with clock(second):
            found = evaluate(document, "a", context_of({}))
        assert (found.variant, found.metadata["version"], found.reason) == (
            variant,
            version,
            reason,
        )


def test_flagds_document_names_the_next_version_and_its_second_and_ofrep_does_not() -> None:
    """Whoever may evaluate need not know what is planned; in-process evaluators, which go on
    naming the version that was compiled, are told when it ends."""
    now = read("a", ON | {"enabled": False}, 3)
    then = replace(read("a", ON | {"default_variant": "on"}), version=4)
    same = replace(now, version=3)
    document = document_of([Course(now, ((START - 60, same), (START, then))), read("b", ON)], "s")
    flags = json.loads(document.text)["flags"]
    told = {"flagSetId": "s", "version": "3", "nextVersion": "4", "nextVersionAt": START}
    assert flags["a"]["metadata"] == told
    assert flags["b"]["metadata"].keys() == {"flagSetId", "version"}
    with clock(START - 1):
        found = evaluate(document, "a", context_of({}))
    assert found.metadata == {"flagSetId": "s", "version": "3"}


def test_each_part_of_a_course_keeps_its_own_rules_and_default() -> None:
    nz = {"if": [{"attribute": "country", "op": "=", "value": "NZ"}], "variant": "off"}
    first = read("a", ON | {"rules": [{"split": {"on": 50, "off": 50}}], "default_variant": "on"})
    second = read("a", ON | {"rules": [nz], "default_variant": "on"}, 2)
    third = read("a", ON | {"enabled": False}, 3)
    document = document_of([Course(first, ((START, second), (END, third)))], "s")

    def variant(at: int, **context: Any) -> str:
        with clock(at):
            return evaluate(document, "a", context_of(context)).variant

    assert variant(START - 1) == "on"  # no unit to place: the first one's default
    assert 190 < len(on(document, START - 1)) < 310
    assert (variant(START, country="NZ"), variant(START, country="AU")) == ("off", "on")
    assert variant(END, country="AU") == "off"


def test_a_holdback_keeps_a_share_as_it_was() -> None:
    before = read("a", ON)
    after = applied(before, {"patch": {"default_variant": "on"}, "holdback": 2})
    assert after.as_json()["rules"] == [{"split": {"off": 2, "on": 98}}]
    kept = COUNT - len(on(document_of([after], "s"), START))
    assert 2 < kept < 25
    final = applied(after, {"serve": {"variant": "on", "instead": "off", "percent": 100}})
    assert (final.rules, final.default_variant) == ((), "on")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"variant": "red"}, "r.variant"),
        ({"variant": "off"}, "r.instead"),
        ({"until": {"time": START, "percent": 100}}, "r.until"),
        ({"until": {"time": END, "percent": 0}}, "r.until.percent"),
        ({"until": {"time": END, "percent": 101}}, "r.until.percent"),
        ({"until": {"time": START + 2**31 - 1, "percent": 12.345}}, "r.until"),
        ({"hold": START - 1}, "r.hold"),
        ({"back": END}, "r.back"),
        ({"hold": END, "back": END - 1}, "r.back"),
        ({"pace": 0}, "r.pace"),
        ({"from": START}, "r.from"),
        ({"colour": 1}, "r"),
    ],
)
def test_a_ramp_that_cannot_be_evaluated_is_refused(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        read_ramp("r", UP.as_json() | changed, ("on", "off"))
    assert refused.value.field == field
