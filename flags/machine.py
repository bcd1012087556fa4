"""JsonLogic → functions, once a version, so that an evaluation walks no tree (pure).

flagd's evaluator interprets a flag's targeting anew each time, which took most of an answer. Here
its tree becomes nested functions that call the evaluator's own operators, so that only the
walking is ours: `if`, `and`, `or`, and what can be known beforehand of `var`, `cat` and
`fractional`. Whatever else (`map`, `reduce`, an unknown operator) is left to the evaluator whole.
tests/flags/test_machine.py holds the two against each other.
"""

from collections.abc import Callable
from typing import Any

import mmh3
from json_logic import jsonLogic
from json_logic.builtins import not_, to_bool, to_string
from openfeature.contrib.tools.flagd.core.targeting.custom_ops import MAX_WEIGHT_SUM
from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS

Data = dict[str, Any]
Machine = Callable[[Data], Any]
WHOLE = frozenset({"filter", "reduce", "map", "all", "some", "none"})  # change what `var` means


def machine(logic: Any) -> Machine:
    """The function of a whole targeting; its argument holds the attributes, `targetingKey` and
    `$flagd`. It raises what the evaluator raises."""
    return _of(logic)


def _of(logic: Any) -> Machine:
    if isinstance(logic, list):
        parts = [_of(part) for part in logic]
        return _constant(logic) if _fixed(logic) else lambda data: [part(data) for part in parts]
    if not isinstance(logic, dict) or len(logic) != 1:
        return _constant(logic)
    op, given = next(iter(logic.items()))
    args = given if isinstance(given, list) else [given]
    if op in ("if", "?:"):
        return _if(args)
    if op in ("and", "or"):
        return _until([_of(arg) for arg in args], not_ if op == "and" else to_bool)
    if op in WHOLE or op not in OPERATORS:
        return lambda data: jsonLogic(logic, data, OPERATORS)
    if op in SPECIAL and (made := SPECIAL[op](args)):
        return made
    return _strict(OPERATORS[op], [_of(arg) for arg in args])


def _constant(value: Any) -> Machine:
    return lambda _data: value


def _fixed(logic: Any) -> bool:
    """Whether nothing in it is evaluated."""
    if isinstance(logic, list):
        return all(_fixed(part) for part in logic)
    return not isinstance(logic, dict) or len(logic) != 1


def _strict(function: Callable[..., Any], args: list[Machine]) -> Machine:
    if len(args) == 1:
        [only] = args
        return lambda data: function(data, only(data))
    if len(args) == 2:
        first, second = args
        return lambda data: function(data, first(data), second(data))
    return lambda data: function(data, *[arg(data) for arg in args])


def _if(args: list[Any]) -> Machine:
    pairs = [(_of(args[i]), _of(args[i + 1])) for i in range(0, len(args) - 1, 2)]
    last = _of(args[-1]) if len(args) % 2 else _constant(None)
    if len(pairs) == 1:
        [(condition, outcome)] = pairs
        return lambda data: outcome(data) if to_bool(condition(data)) else last(data)

    def chosen(data: Data) -> Any:
        for condition, outcome in pairs:
            if to_bool(condition(data)):
                return outcome(data)
        return last(data)

    return chosen


def _until(args: list[Machine], ends: Callable[[Any], bool]) -> Machine:
    def found(data: Data) -> Any:
        current = None
        for arg in args:
            current = arg(data)
            if ends(current):
                break
        return current

    return found


def _var(args: list[Any]) -> Machine | None:
    """An attribute by a plain name, with a plain default."""
    if not args or len(args) > 2 or not all(_fixed(arg) for arg in args):
        return None
    name, default = args[0], args[1] if len(args) == 2 else None
    if not isinstance(name, str) or not name:
        return None
    if "." not in name:

        def plain(data: Data) -> Any:
            value = data.get(name)
            return default if value is None else value

        return plain
    if name == "$flagd.timestamp":
        return lambda data: data["$flagd"]["timestamp"]
    return None


def _cat(args: list[Any]) -> Machine:
    parts = [_of(arg) for arg in args]
    return lambda data: "".join([to_string(part(data)) for part in parts])


def _fractional(args: list[Any]) -> Machine | None:
    """A unit that is worked out, among parts that are known."""
    if len(args) < 2 or _fixed(args[0]) or isinstance(args[0], list):
        return None
    shares, total = [], 0
    for part in args[1:]:
        if not isinstance(part, list) or not 1 <= len(part) <= 2 or not _fixed(part):
            return None
        weight = part[1] if len(part) == 2 else 1
        if isinstance(weight, bool) or not isinstance(weight, int):
            return None
        total += max(0, weight)
        shares.append((total, part[0]))
    if not 0 < total <= MAX_WEIGHT_SUM:
        return None
    unit_of, slow = _of(args[0]), OPERATORS["fractional"]

    def placed(data: Data) -> Any:
        unit = unit_of(data)
        if type(unit) is not str:
            return slow(data, unit, *args[1:])
        try:
            hashed = mmh3.hash(_cbor(unit), signed=False)
        except UnicodeEncodeError:
            return None
        bucket = (hashed * total) >> 32
        for end, variant in shares:
            if bucket < end:
                return variant
        return None

    return placed


def _cbor(text: str) -> bytes:
    """A text in deterministic CBOR (RFC 8949): its length, then its bytes."""
    encoded = text.encode()
    size = len(encoded)
    if size < 24:
        return bytes((0x60 + size,)) + encoded
    if size < 2**8:
        return bytes((0x78, size)) + encoded
    head = b"\x79" + size.to_bytes(2) if size < 2**16 else b"\x7a" + size.to_bytes(4)
    return head + encoded


SPECIAL: dict[str, Callable[[list[Any]], Machine | None]] = {
    "var": _var,
    "cat": _cat,
    "fractional": _fractional,
}
