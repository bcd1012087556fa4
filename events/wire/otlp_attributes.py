"""Attributes of OTLP's protobuf from their bytes: what sets the pace of intake.

Names repeat from span to span and batch to batch, and most texts and booleans too. So an attribute
is looked up whole; else by its head, which is all but its value. What is not written as every
client writes it, and what is neither text nor number nor boolean, is read by protobuf's own
message.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, NamedTuple

from events.event import DecodeError, Notes
from events.wire.otlp_messages import KeyValue, parsed
from events.wire.values import Attributes, put

# KEY length name VALUE length KIND value; a length below 128 is one byte.
KEY, VALUE, SHORT = 0x0A, 0x12, 128
TEXT, BOOLEAN, INTEGER, DOUBLE = 0x0A, 0x10, 0x18, 0x21
HEAD = 5  # bytes of a head that are not the name
LONGEST_INTEGER = 8  # bytes; a negative one takes ten
MOST_KNOWN, LONGEST_KNOWN = 30_000, 256  # some 35 MB of a process, if all are so long
_double = Struct("<d").unpack_from


class Head(NamedTuple):
    """An attribute but for its value; `size` is of the whole."""

    name: str
    kind: int
    size: int


@dataclass(slots=True)
class Known:
    """What attributes were read as so far; these bytes always mean the same, whoever sends them.

    The name, the value, and for other than texts the map that it belongs to.
    """

    whole: dict[bytes, tuple[str, Any, str]] = field(default_factory=dict)
    heads: dict[bytes, Head] = field(default_factory=dict)


_shared = Known()


def known_so_far() -> Known:
    """What this process knows; once that is full, nothing: most of it may be of no use."""
    global _shared
    if len(_shared.whole) >= MOST_KNOWN or len(_shared.heads) >= MOST_KNOWN:
        _shared = Known()
    return _shared


def attributes(encoded: Iterable[bytes], known: Known, notes: Notes) -> Attributes:
    """KeyValue messages by type. Raises DecodeError where one is none."""
    found = Attributes()
    strings, integers, floats = found.strings, found.integers, found.floats
    whole_of, head_of = known.whole.get, known.heads.get
    for raw in encoded:
        there = whole_of(raw)
        if there is not None:
            name, value, other = there
            if other:
                getattr(found, other)[name] = value
            else:
                strings[name] = value
            continue
        size = len(raw)
        at = raw[1] + HEAD if size > HEAD else 0
        name, kind, whole = head_of(raw[:at]) or _head(raw, at, known)
        if whole != size:
            _any(raw, found, known, notes)
        elif kind == INTEGER:
            value = shift = byte = 0
            for byte in raw[at:]:
                if byte < SHORT:
                    break
                value |= (byte & 127) << shift
                shift += 7
            if at + shift // 7 + 1 == size:
                integers[name] = value | byte << shift
            else:
                _any(raw, found, known, notes)
        elif kind == DOUBLE:
            number = _double(raw, at)[0]
            if number - number == 0:  # neither infinite nor no number
                floats[name] = number
            else:
                _any(raw, found, known, notes)
        elif kind == TEXT and raw[at] + at + 1 == size:
            strings[name] = text = _text(raw[at + 1 :])
            _learn(raw, name, text, "", known)
        elif kind == BOOLEAN and raw[at] < 2:
            found.booleans[name] = raw[at] == 1
            _learn(raw, name, raw[at] == 1, "booleans", known)
        else:
            _any(raw, found, known, notes)
    return found


def _head(raw: bytes, at: int, known: Known) -> Head:
    """The head that ends at `at`, where it is one; else one that fits nothing."""
    name, kind, size = "", 0, -1
    if HEAD <= at < len(raw) and raw[0] == KEY and raw[1] < SHORT and raw[at - 3] == VALUE:
        kind, rest = raw[at - 1], raw[at - 2] - 1
        most = {TEXT: SHORT, BOOLEAN: 1, INTEGER: LONGEST_INTEGER, DOUBLE: 8}.get(kind, 0)
        if 0 < rest <= most and (kind != DOUBLE or rest == most):
            name, size = _text(raw[2 : at - 3]), at + rest
    head = Head(name, kind, size)
    if len(known.heads) < MOST_KNOWN and at <= LONGEST_KNOWN:
        known.heads[raw[:at]] = head
    return head


def _any(raw: bytes, found: Attributes, known: Known, notes: Notes) -> None:
    pair = parsed(KeyValue, raw)
    value = plain(pair.value)
    if type(value) is str:
        found.strings[pair.key] = value
        _learn(raw, pair.key, value, "", known)
    else:
        put(found, pair.key, value, notes)


def _learn(raw: bytes, name: str, value: Any, other: str, known: Known) -> None:
    if len(known.whole) < MOST_KNOWN and len(raw) <= LONGEST_KNOWN:
        known.whole[raw] = name, value, other


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DecodeError("The body is not OTLP: a text is not UTF-8.") from None


def plain(value: Any) -> Any:
    """An AnyValue as plain Python."""
    which = value.WhichOneof("value")
    if which == "array_value":
        return [plain(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    return getattr(value, which) if which is not None else None
