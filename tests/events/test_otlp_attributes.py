"""Attributes looked up by their bytes are what reading each by itself gives."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from events.event import DecodeError, Notes
from events.wire import otlp_attributes, otlp_json, otlp_protobuf
from events.wire.otlp_attributes import Known, attributes, plain
from events.wire.values import Attributes, put
from tests.events import otlp

NAME = st.sampled_from(["a", "http.route", "n" * 127, "n" * 128, "naïve", ""])
VALUE = st.one_of(
    st.builds(lambda value: {"string_value": value}, st.sampled_from(["", "x", "é", "y" * 300])),
    st.builds(lambda value: {"string_value": value}, st.text(max_size=130)),
    st.builds(lambda value: {"int_value": value}, st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda value: {"int_value": value}, st.integers(0, 300)),
    st.builds(lambda value: {"double_value": value}, st.floats()),
    st.builds(lambda value: {"bool_value": value}, st.booleans()),
    st.builds(lambda value: {"bytes_value": value}, st.binary(max_size=5)),
    st.just({}),
)


def pair(name: str, value: dict[str, Any]) -> bytes:
    data: bytes = KeyValue(key=name, value=AnyValue(**value)).SerializeToString()
    return data


def each(encoded: list[bytes]) -> tuple[Attributes, Notes]:
    """Read by protobuf's own message."""
    found, notes = Attributes(), Notes()
    for raw in encoded:
        message = KeyValue.FromString(raw)
        put(found, message.key, plain(message.value), notes)
    return found, notes


@given(st.lists(st.builds(pair, NAME, VALUE), max_size=6))
def test_what_is_known_from_an_earlier_span_is_read_as_it_was_there(encoded: list[bytes]) -> None:
    known = Known()
    for _ in range(3):
        notes = Notes()
        assert (attributes(encoded, known, notes), notes) == each(encoded)


@given(st.builds(pair, NAME, VALUE), st.data())
def test_a_broken_attribute_is_read_as_protobuf_reads_it_or_refused(
    good: bytes, data: st.DataObject
) -> None:
    known = Known()
    attributes([good], known, Notes())
    broken = bytearray(good)
    for place in data.draw(st.lists(st.integers(0, len(good)), max_size=3)):
        broken[place : place + 1] = data.draw(st.binary(max_size=2))
    try:
        wanted = each([bytes(broken)])[0]
    except Exception:  # protobuf has no name for all that it refuses
        with pytest.raises(DecodeError):
            attributes([bytes(broken)], known, Notes())
    else:
        assert attributes([bytes(broken)], known, Notes()) == wanted


@pytest.mark.parametrize(
    ("encoded", "wanted"),
    [
        pytest.param(b"\x12\x03\x18\x96\x01\x0a\x01n", Attributes(integers={"n": 150}), id="order"),
        pytest.param(b"\x0a\x01n\x12\x04\x18\x05\x18\x06", Attributes(integers={"n": 6}), id="two"),
        pytest.param(b"\x0a\x01n\x12\x03\x10\x80\x01", Attributes(booleans={"n": True}), id="true"),
        pytest.param(b"\x0a\x01n\x12\x03\x18\x85\x00", Attributes(integers={"n": 5}), id="long"),
    ],
)
def test_what_is_written_in_an_unusual_way_is_read_too(encoded: bytes, wanted: Attributes) -> None:
    usual = [pair("n", {"int_value": 150}), pair("n", {"bool_value": True})]
    known = Known()
    attributes(usual, known, Notes())
    assert attributes([encoded], known, Notes()) == wanted


def test_what_a_process_knows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_attributes, "MOST_KNOWN", 20)
    monkeypatch.setattr(otlp_attributes, "_shared", Known())
    for start in range(0, 100, 10):
        values = {f"name {n}": f"value {n}" for n in range(start, start + 10)}
        body = otlp.as_protobuf(otlp.traces(otlp.span(values)))
        for _ in range(2):
            assert otlp_protobuf.traces(body).events[0].strings == values
        known = otlp_attributes._shared
        assert 0 < len(known.whole) <= 20
        assert 0 < len(known.heads) <= 20
    long = pair("n", {"string_value": "x" * 1000})
    attributes([long], known, Notes())
    assert long not in known.whole


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-9 * 10**18, 9 * 10**18), st.text(max_size=4),
    st.floats(allow_nan=False, allow_infinity=False), st.just([]), st.just({"values": []}),
)  # fmt: skip
ANY = st.dictionaries(
    st.sampled_from(["stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "x"]),
    PLAIN,
    max_size=2,
)
PAIR = st.one_of(st.fixed_dictionaries({"key": PLAIN, "value": st.one_of(ANY, PLAIN)}), PLAIN)


@given(st.lists(PAIR, max_size=4))
def test_json_with_attributes_as_text_is_read_as_it_is_from_plain_objects(pairs: list[Any]) -> None:
    request = otlp.traces(otlp.span({}), otlp.span({"n": 1}))
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for span in spans:
        span["attributes"] = [*span["attributes"], *pairs]
    body = orjson.dumps(request)
    assert otlp_json.traces(body) == otlp_json._traces(orjson.loads(body), Notes())
