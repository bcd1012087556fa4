"""Plain JSON events: each item taken or refused by itself, with the field named."""

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.event import Decoded, DecodeError, Event
from events.wire import plain
from tests.events.test_otlp import JSON

NOW_US = 1_764_000_000_000_000
SEED = b"seed"


def decode(body: Any) -> Decoded:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return plain.decode(data, now_us=NOW_US, seed=SEED)


def event_of(**item: Any) -> Event:
    decoded = decode([{"service": "shop", **item}])
    assert not decoded.rejected
    return decoded.events[0]


def test_an_item_becomes_an_event() -> None:
    event = event_of(
        time="2025-11-24T16:00:00.5Z", name="job", duration_ms=3.5, status_code=200, error=True,
        route="/j", method="GET", build_id="b1", user_id="u1", trace_id="ab" * 16,
        sample_rate=10, cart={"size": 3, "gift": True}, tags=[1, "a"], note="x", share=0.5,
        nothing=None,
    )  # fmt: skip
    expected = (1_764_000_000_500_000, "shop", "job", "server", True, int("ab" * 16, 16))
    assert event[:6] == expected
    assert event[8:17] == (3.5, True, 200, "GET", "/j", "b1", "", "u1", 10.0)
    assert event.strings == {"note": "x"}
    assert event.integers == {"cart.size": 3}
    assert event.floats == {"share": 0.5}
    assert event.booleans == {"cart.gift": True}
    assert event.lists == {"tags": '[1,"a"]'}


@pytest.mark.parametrize(
    "time",
    [
        1_764_000_000, 1_764_000_000.0, 1_764_000_000_000, NOW_US, NOW_US * 1000,
        "2025-11-24T16:00:00Z", "2025-11-24T17:00:00+01:00", "2025-11-24 16:00:00", None,
    ],
)  # fmt: skip
def test_times_in_every_form(time: Any) -> None:
    assert event_of(time=time).time_us == NOW_US


def test_missing_ids_are_the_same_when_sent_again() -> None:
    body = [{"service": "shop"}, {"service": "shop"}]
    first, second = decode(body).events
    assert first.trace not in (0, second.trace)
    assert [one.trace for one in decode(body).events] == [first.trace, second.trace]
    assert first.entry


def test_any_text_is_a_trace_id() -> None:
    assert event_of(trace_id="order 7").trace == event_of(trace_id="order 7").trace
    assert event_of(trace_id="5b8efff7-9803-8103-d269-b633813fc60c").trace == int(
        "5b8efff798038103d269b633813fc60c", 16
    )


def test_flags_become_exposures_of_the_events_trace() -> None:
    decoded = decode(
        [
            {
                "service": "shop",
                "user_id": "ada",
                "flags": {"A": "on", "B": False, "C": {"variant": "x", "reason": "SPLIT"}},
                "flags.D": "y",
            }
        ]
    )
    found = {(one.flag, one.variant, one.reason) for one in decoded.exposures}
    assert found == {("A", "on", ""), ("B", "off", ""), ("C", "x", "split"), ("D", "y", "")}
    assert {one.trace for one in decoded.exposures} == {decoded.events[0].trace}
    assert {one.unit for one in decoded.exposures} == {"ada"}


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"service": "shop", "time": "yesterday"}, "time"),
        ({"service": "shop", "time": -5}, "time"),
        ({"service": "shop", "time": True}, "time"),
        ({"service": "shop", "time": [1]}, "time"),
        ({}, "service"),
        ({"service": ""}, "service"),
        ({"service": ["shop"]}, "service"),
        ({"service": "shop", "duration_ms": -1}, "duration_ms"),
        ({"service": "shop", "duration_ms": "5"}, "duration_ms"),
        ({"service": "shop", "status_code": 20}, "status_code"),
        ({"service": "shop", "status_code": "OK"}, "status_code"),
        ({"service": "shop", "error": "no"}, "error"),
        ({"service": "shop", "kind": "worker"}, "kind"),
        ({"service": "shop", "flags": ["A"]}, "flags"),
        ({"service": "shop", "flags": {"A": [1]}}, "flags.A"),
        ({"service": "shop", "sample_rate": "ten"}, "sample_rate"),
        (5, "item"),
        (None, "item"),
    ],
)
def test_a_bad_item_is_refused_alone_and_its_field_named(item: Any, field: str) -> None:
    decoded = decode([{"service": "shop"}, item, {"service": "shop"}])
    assert len(decoded.events) == 2
    assert decoded.places == [0, 2]
    assert [one.index for one in decoded.rejected] == [1]
    assert field in decoded.rejected[0].error


def test_lines_and_single_objects_are_read() -> None:
    assert len(decode(b'{"service":"a"}\n\n{"service":"b"}\n').events) == 2
    assert len(decode(b'{\n"service":\n"a"}').events) == 1
    broken = decode(b'{"service":"a"}\n{"service":\n{"service":"b"}')
    assert len(broken.events) == 2
    assert [one.index for one in broken.rejected] == [1]


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"[]", b"5", b"null", b'[{"service":"a"}', b"{", b"\xff\xfe", b"[" * 9999]
)  # fmt: skip
def test_what_holds_no_events_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body)


def test_values_that_json_does_not_know_are_set_aside_and_their_event_kept() -> None:
    decoded = decode(
        b'[{"service":"shop","a":NaN,"b":-Infinity,"c":"\\ud800x","d":1,"e":1e999,"f":'
        + str(2**70).encode()
        + b"}]"
    )
    event = decoded.events[0]
    assert (event.integers, event.floats) == ({"d": 1}, {})
    assert event.strings["c"].endswith("x")
    assert decoded.notes.found["value", "not_a_finite_number"].count == 3
    assert decoded.notes.found["value", "integer_beyond_64_bits"].count == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    for start in (b"", b"[", b'{"service":'):
        with suppress(DecodeError):
            decode(start + body)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(plain.OWN)) | st.text(max_size=8), JSON, max_size=6))
def test_an_item_with_anything_anywhere_is_taken_or_refused(item: dict[str, Any]) -> None:
    decoded = decode(json.dumps([{"service": "shop"} | item]).encode())
    assert len(decoded.events) + len(decoded.rejected) == 1
    for event in decoded.events:
        orjson.dumps((*event[:5], str(event.trace), *event[6:]))
