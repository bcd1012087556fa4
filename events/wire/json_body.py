"""JSON as clients really send it: strict where it is, kept where it is not.

Some clients write NaN, Infinity, halves of surrogate pairs and integers of any length. A strict
reader would lose their whole batch; here the value is set aside later and the batch is kept.
"""

import json
import re
from typing import Any

import orjson

from events.event import DecodeError, Notes

# orjson reads an integer beyond 64 bits as a float, so that it could not be told from one.
BEYOND_64_BITS = re.compile(rb"[:\[,]\s*-?(?:\d{20}|9[2-9]\d{17})")
# A search that costs a tenth of the expression's: nineteen digits after what may stand before a
# number. Only a body that has them is looked at closely.
_SHAPE = bytes(
    48 if 48 <= byte < 58 else 58 if byte in b":[,- \t\r\n" else 0 for byte in range(256)
)
_LONG_NUMBER = b":" + b"0" * 19
MOST_DIGITS = 400
# A value takes up to a hundred bytes once it is read; a body of commas would take gigabytes.
MOST_VALUES = 5_000_000


def bounded(body: bytes) -> None:
    """Raises DecodeError where reading a body would take too much memory."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise DecodeError(f"The body holds more than {MOST_VALUES:,} values. Send smaller batches.")


def beyond_64_bits(body: bytes) -> bool:
    return _LONG_NUMBER in body.translate(_SHAPE) and bool(BEYOND_64_BITS.search(body))


def parsed(body: bytes, notes: Notes) -> tuple[Any, bool]:
    """The value, and whether it was strict JSON. Raises DecodeError."""
    bounded(body)
    problem = "it holds an integer beyond 64 bits"
    try:
        value = orjson.loads(body)
        if not beyond_64_bits(body):
            return value, True
    except orjson.JSONDecodeError as error:
        problem = str(error)
    try:
        value = json.loads(body.decode("utf-8", "replace"), parse_int=_integer)
    except (ValueError, RecursionError):
        raise DecodeError(f"The body is not JSON: {problem}.") from None
    notes.add("value", "json_not_strict", problem)
    try:
        return _whole_text(value), False
    except RecursionError:
        raise DecodeError("The body is nested too deeply.") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else float("inf")


def _whole_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_text(item) for item in value]
    if isinstance(value, dict):
        return {_whole_text(key): _whole_text(item) for key, item in value.items()}
    return value
