"""OTLP's protobuf in slices, so that parsing takes little memory whatever the body holds.

Two bytes can be a whole message, which takes a hundred once parsed: a body within its limit could
ask for gigabytes. So the spans (or records) are cut apart without parsing them, and parsed a few
at a time; one with more fields than an event may have is not parsed at all.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from events.event import DecodeError

SLICE_BYTES = 256 * 1024
MOST_ITEMS = 200_000
LARGE_BYTES = 64 * 1024  # of one span: only then are its fields counted
RESOURCE, SCOPES = 1, 2  # fields of ResourceSpans and ResourceLogs
SCOPE, ITEMS = 1, 2  # fields of ScopeSpans and ScopeLogs
SHORT = 128


class Slice(NamedTuple):
    """Some items of one scope; `scoped` is a whole ScopeSpans or ScopeLogs, `resource` encoded."""

    resource: bytes
    scoped: bytes


class TooWide(NamedTuple):
    """An item with more than `most` fields, left out."""

    most: int


def slices(body: bytes, most_fields: int) -> Iterator[Slice | TooWide]:
    """The body's items in order. Raises DecodeError where it is no protobuf or holds too many."""
    view = memoryview(body)
    items = 0
    for within in _messages(view, 0, len(view), 1):
        resource = b"".join(bytes(view[a:b]) for a, b in _messages(view, *within, RESOURCE))
        for start, end in _messages(view, *within, SCOPES):
            head = b"".join(_again(view[a:b]) for a, b in _messages(view, start, end, SCOPE))
            parts, size = [head], 0
            for a, b in _messages(view, start, end, ITEMS):
                items += 1
                if items > MOST_ITEMS:
                    raise DecodeError(f"The body holds more than {MOST_ITEMS:,} items.")
                if b - a > LARGE_BYTES and _wider(view, a, b, most_fields):
                    yield TooWide(most_fields)
                    continue
                parts.append(_again(view[a:b], ITEMS))
                size += b - a
                if size > SLICE_BYTES:
                    yield Slice(resource, b"".join(parts))
                    parts, size = [head], 0
            if len(parts) > 1:
                yield Slice(resource, b"".join(parts))


def _again(data: memoryview, number: int = SCOPE) -> bytes:
    """A message as the field that it was."""
    size, length = len(data), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes([number << 3 | 2]) + bytes(length) + bytes(data)


def _wider(view: memoryview, start: int, end: int, most: int) -> bool:
    return next(islice(_fields(view, start, end), most, None), None) is not None


def _messages(view: memoryview, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    wanted = number << 3 | 2
    for tag, a, b in _fields(view, start, end):
        if tag == wanted:
            yield a, b


def _fields(view: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(tag, start, end) of each field; of other than length-delimited ones start is end."""
    while at < end:
        tag = view[at]
        at += 1
        if tag >= SHORT:
            tag, at = _varint(view, at - 1, end)
        kind = tag & 7
        if tag < 8:
            raise DecodeError("The body is not protobuf: a field has the number 0.")
        if kind == 2:
            if at < end and view[at] < SHORT:
                size, at = view[at], at + 1
            else:
                size, at = _varint(view, at, end)
            if size > end - at:
                raise DecodeError("The body is not protobuf: it is cut.")
            yield tag, at, at + size
            at += size
            continue
        if kind == 0:
            _, at = _varint(view, at, end)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise DecodeError(f"The body is not protobuf: wire type {kind}.")
        if at > end:
            raise DecodeError("The body is not protobuf: it is cut.")
        yield tag, at, at


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < SHORT:
            return value, at
        shift += 7
    raise DecodeError("The body is not protobuf: it is cut.")
