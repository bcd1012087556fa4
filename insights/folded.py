"""Which cohorts each trace belongs to, as the bits of one number.

A trace's exposures come in pieces and name flags that nobody asked for. Each compared variant is a
bit, and so is "any other variant" of each asked flag: folding the pieces is then an OR of numbers
of fixed size, and what is joined to the events is one number a trace instead of texts. A trace that
saw two variants of a flag has two of its bits, and is in none of the flag's cohorts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.query.flags import SEPARATOR
from insights.cohorts import Comparison, Variants

MOST = 80  # comparisons: two cohorts each, and a bit for its flag's other variants, in 256 bits
FEW_FLAGS = 4
WIDTHS = (64, 128, 256)


@dataclass(frozen=True, slots=True)
class Folded:
    """A sub-select of `trace` and `mine`, whose bit n is cohort n; `within` is an expression of
    the bits that an event's `time` allows, "" where all comparisons have one window."""

    sql: str
    within: str
    parameters: dict[str, Any]


def folded(comparisons: Sequence[Comparison], traces: str) -> Folded:
    """`traces` is a condition on the exposures. Binds all but environment, since and until."""
    if len(comparisons) > MOST:
        raise ValueError(f"at most {MOST} comparisons are scanned at once")
    cohorts: dict[tuple[str, str], list[int]] = {}  # a baseline may serve several comparisons
    for place, one in enumerate(comparisons):
        of = one.cohorts
        if not isinstance(of, Variants):
            raise TypeError("only variants are scanned together")
        for arm, variant in enumerate((of.baseline, of.candidate)):
            cohorts.setdefault((of.flag, variant), []).append(2 * place + arm + 1)
    flags = sorted({flag for flag, _ in cohorts})
    others = {flag: 2 * len(comparisons) + 1 + place for place, flag in enumerate(flags)}
    width = next(bits for bits in WIDTHS if max(others.values()) < bits)
    number = f"UInt{width}"
    of_flags = {flag: 1 << other for flag, other in others.items()}
    for (flag, _), numbers in cohorts.items():
        of_flags[flag] |= 1 << numbers[0]
    parameters: dict[str, Any] = {
        "pairs": [f"{flag}\x1f{variant}" for flag, variant in cohorts],
        "pair_bits": [numbers[0] for numbers in cohorts.values()],
        "flags": flags,
        "other_bits": list(others.values()),
        "of_flags": list(of_flags.values()),
        "compared": sum(1 << numbers[0] for numbers in cohorts.values()),
    }
    mine = f"bitAnd(once, {{compared:{number}}})"
    if shared := [(own[0], more) for own in cohorts.values() for more in own[1:]]:
        parameters["shared"] = [1 << first for first, _ in shared]
        parameters["shared_by"] = [1 << more for _, more in shared]
        mine = f"""bitOr({mine}, arrayReduce('groupBitOr', arrayMap(
            (bit, also) -> if(bitAnd(once, bit) = 0, to{number}(0), also),
            {{shared:Array({number})}}, {{shared_by:Array({number})}})))"""
    within = _within(comparisons, number, parameters)
    sql = f"""SELECT trace, {mine} AS mine FROM (
            SELECT trace, arrayReduce('groupBitOr', arrayMap(
                flag -> if(bitCount(bitAnd(every, flag)) = 1, bitAnd(every, flag), to{number}(0)),
                {{of_flags:Array({number})}})) AS once
            FROM (
                SELECT trace, groupBitOr(arrayReduce('groupBitOr', arrayMap(
                    bit -> bitShiftLeft(to{number}(1), bit), {_bits(flags, parameters)}))) AS every
                FROM exposures
                WHERE environment = {{environment:UInt32}} AND trace != 0 AND {traces}
                    AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}}) - INTERVAL 1 HOUR
                    AND hour <= {{until:DateTime64(6, 'UTC')}} + INTERVAL 1 HOUR
                    AND hasAny(flags, {{flags:Array(String)}})
                GROUP BY trace))
        WHERE mine != 0"""  # noqa: S608  # constant fragments only
    return Folded(sql, within, parameters)


def _bits(flags: Sequence[str], parameters: dict[str, Any]) -> str:
    """The bit of each of a row's `pairs`, 0 where nobody asked for its flag."""
    pairs = "pairs"
    if len(flags) <= FEW_FLAGS:  # the others' pairs are dearer to look up than to leave out
        parameters |= {f"flag_{place}": f"{flag}\x1f" for place, flag in enumerate(flags)}
        own = [f"startsWith(pair, {{flag_{place}:String}})" for place in range(len(flags))]
        pairs = f"arrayFilter(pair -> {' OR '.join(own)}, pairs)"
    known = "transform(pair, {pairs:Array(String)}, {pair_bits:Array(UInt16)}, toUInt16(0))"
    flag = f"substring(pair, 1, position(pair, '{SEPARATOR}') - 1)"
    other = f"transform({flag}, {{flags:Array(String)}}, {{other_bits:Array(UInt16)}}, toUInt16(0))"
    return f"arrayMap(pair -> if({known} = 0, {other}, {known}), {pairs})"


def _within(comparisons: Sequence[Comparison], number: str, parameters: dict[str, Any]) -> str:
    if len({(one.since, one.until) for one in comparisons}) == 1:
        return ""
    edges = sorted({edge for one in comparisons for edge in (one.since, one.until)})
    parameters["edges"] = [micros(edge) for edge in edges]
    parameters["between"] = [0, *(_open_at(edge, comparisons) for edge in edges)]
    passed = "arrayCount(edge -> toUnixTimestamp64Micro(time) >= edge, {edges:Array(Int64)})"
    return f"{{between:Array({number})}}[{passed} + 1]"


def _open_at(edge: datetime, comparisons: Sequence[Comparison]) -> int:
    """The cohorts' bits of the comparisons whose window holds this time."""
    return sum(
        0b110 << 2 * place for place, one in enumerate(comparisons) if one.since <= edge < one.until
    )


def micros(time: datetime) -> int:
    """Microseconds since 1970, as the engine counts them."""
    return round(time.timestamp() * 1e6)
