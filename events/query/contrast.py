"""Two sides of a question's events, counted by every value of every field they have.

A side is an SQL expression: 1 for the selected events, 0 for those they are compared with, NULL
for neither. Counts are exact and weighted. Of each come Σw, Σw², and Σw by bucket of units (users,
else traces), for intervals: requests of one user are not independent. Values are found in the
selected events first, so that a field with a million values costs no more than one with ten; then
the same values are counted in the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from events.query.calculations import bin_of, bounds
from events.query.flags import SEPARATOR
from events.query.sql import Asked
from events.store.read import Result, Statement

Ask = Callable[[Statement], Result]
MOST_VALUES = 40  # of one field
MOST_PAIRS = 20_000
ENOUGH = 2_000_000  # more events than this on the other side are sampled by trace
OWN = ("service", "name", "kind", "method", "route", "build_id", "instance", "user_id")
BETWEEN = "\\x1f"


BUCKETS = 100
UNIT = "if(user_id = '', cityHash64(trace), cityHash64(user_id)) AS unit"
NO_BUCKETS = np.zeros(BUCKETS)
# Of rows by bucket of units: their sums, and the buckets' own as an array.
SUMS = (
    f"sum(s) AS n, sum(s2) AS squares, groupArrayInsertAt(0., {BUCKETS})(toFloat64(s), bucket) AS b"
)


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """Σw and Σw² of some events, and Σw of each bucket of units."""

    n: float = 0.0
    squares: float = 0.0
    buckets: npt.NDArray[np.float64] = field(default_factory=lambda: NO_BUCKETS)

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.n + other.n, self.squares + other.squares, self.buckets + other.buckets)

    def __sub__(self, other: "Weight") -> "Weight":
        """Of events that hold the others'."""
        return Weight(
            max(self.n - other.n, 0.0),
            max(self.squares - other.squares, 0.0),
            np.maximum(self.buckets - other.buckets, 0.0),
        )


@dataclass(slots=True)
class Counted:
    """What both sides have: [others, selected] of each value; numbers by bin with its bounds."""

    totals: list[Weight] = field(default_factory=lambda: [Weight(), Weight()])
    units: list[float] = field(default_factory=lambda: [0.0, 0.0])  # effective number of users
    present: dict[str, list[Weight]] = field(default_factory=dict)
    values: dict[tuple[str, str], list[Weight]] = field(default_factory=dict)
    bins: dict[str, dict[int, list[Weight]]] = field(default_factory=dict)
    extents: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    flags: dict[tuple[str, str], list[Weight]] = field(default_factory=dict)
    read: int = 0
    one_in: int = 1


@dataclass(frozen=True, slots=True)
class Contrast:
    """The question, its side, and how many of the others are looked at: one in so many."""

    asked: Asked
    side: str
    parameters: dict[str, Any]
    one_in: int = 1
    many: bool = False  # more events than percentiles are exact of

    def statement(self, sql: str, **more: Any) -> Statement:
        return self.asked.statement(sql, **self.parameters, **more)

    def events(self, columns: str, only: str = "") -> str:
        """A subquery: w, side, unit and `columns` of every event of either side."""
        weight = "sample_rate"
        if self.one_in > 1:
            among = f"AND ({self.side} = 1 OR cityHash64(trace) % {self.one_in} = 0) {only}"
            weight = f"if({self.side} = 1, sample_rate, sample_rate * {self.one_in})"
        else:
            among = only
        return (
            f"(SELECT {weight} AS w, {self.side} AS side, {UNIT}, {columns} "  # ours
            f"{self.asked.source(f'AND isNotNull({self.side}) {among}')})"
        )


def counted(contrast: Contrast, ask: Ask) -> Counted:
    """Raises QueryTooLarge, QueryStopped, StoreUnavailable."""
    found = Counted(one_in=contrast.one_in)
    _totals(contrast, ask, found)
    if found.totals[1].n and found.totals[0].n:
        _texts(contrast, ask, found)
        _numbers(contrast, ask, found)
        _flags(contrast, ask, found)
    return found


def _totals(contrast: Contrast, ask: Ask, found: Counted) -> None:
    sql = f"""SELECT side, sum(u2) AS unit_squares, {SUMS} FROM (
            SELECT side, bucket, sum(of_unit) AS s, sum(of_unit2) AS s2,
                sum(of_unit * of_unit) AS u2
            FROM (SELECT side, unit % {BUCKETS} AS bucket, sum(w) AS of_unit, sum(w * w) AS of_unit2
                FROM {contrast.events("1")} GROUP BY side, unit)
            GROUP BY side, bucket
        ) GROUP BY side"""  # noqa: S608
    result = ask(contrast.statement(sql))
    found.read = result.read_rows
    for row in result.rows:
        side = int(row["side"])
        found.totals[side] = _weight(row)
        found.units[side] = float(row["n"]) ** 2 / (float(row["unit_squares"]) or 1.0)


def _pairs() -> str:
    """Every text of an event as (field, value)."""
    own = [f"('{name}', toString({name}))" for name in OWN]
    own += ["('status_code', if(status_code = 0, '', toString(status_code)))"]
    own += ["('error', if(error, 'true', 'false'))"]
    maps = [
        "arrayMap((k, v) -> (toString(k), v), mapKeys(strings), mapValues(strings))",
        "arrayMap((k, v) -> (toString(k), if(v, 'true', 'false')),"
        " mapKeys(booleans), mapValues(booleans))",
    ]
    return f"arrayFilter(p -> p.2 != '', arrayConcat([{', '.join(own)}], {', '.join(maps)}))"


def _texts(contrast: Contrast, ask: Ask, found: Counted) -> None:
    pairs = f"{_pairs()} AS pairs"
    chosen = f"AND ifNull({contrast.side}, 0) = 1"
    first = f"""SELECT p.1 AS field, p.2 AS value, sum(w) AS n
        FROM {contrast.events(pairs, chosen)} ARRAY JOIN pairs AS p
        GROUP BY field, value ORDER BY n DESC LIMIT {MOST_VALUES} BY field
        LIMIT {MOST_PAIRS}"""  # noqa: S608
    wanted = [(row["field"], row["value"]) for row in ask(contrast.statement(first)).rows]
    keys = [f"{name}\x1f{value}" for name, value in wanted]
    second = f"""SELECT chosen, field, value, {SUMS} FROM (
            SELECT ifNull(side, 0) AS chosen, p.1 AS field, unit % {BUCKETS} AS bucket,
                if(concat(p.1, '{BETWEEN}', p.2) IN {{wanted:Array(String)}}, p.2, '') AS value,
                sum(w) AS s, sum(w * w) AS s2
            FROM {contrast.events(pairs)} ARRAY JOIN pairs AS p
            GROUP BY chosen, field, value, bucket
        ) GROUP BY chosen, field, value"""  # noqa: S608
    for row in ask(contrast.statement(second, wanted=keys)).rows:
        name, place, weight = row["field"], int(row["chosen"]), _weight(row)
        present = found.present.setdefault(name, [Weight(), Weight()])
        present[place] += weight
        if row["value"]:
            pair = found.values.setdefault((name, row["value"]), [Weight(), Weight()])
            pair[place] += weight


def _numbers(contrast: Contrast, ask: Ask, found: Counted) -> None:
    pairs = (
        "arrayConcat([('duration_ms', duration_ms)],"
        " arrayMap((k, v) -> (toString(k), toFloat64(v)), mapKeys(integers), mapValues(integers)),"
        " arrayMap((k, v) -> (toString(k), v), mapKeys(floats), mapValues(floats))) AS pairs"
    )
    sql = f"""SELECT chosen, field, bin, min(least) AS low, max(most) AS high, {SUMS} FROM (
            SELECT ifNull(side, 0) AS chosen, p.1 AS field, {bin_of("p.2")} AS bin,
                unit % {BUCKETS} AS bucket, sum(w) AS s, sum(w * w) AS s2,
                min(p.2) AS least, max(p.2) AS most
            FROM {contrast.events(pairs)} ARRAY JOIN pairs AS p
            WHERE isFinite(p.2) GROUP BY chosen, field, bin, bucket
        ) GROUP BY chosen, field, bin LIMIT {MOST_PAIRS}"""  # noqa: S608
    for row in ask(contrast.statement(sql)).rows:
        name, place = row["field"], int(row["chosen"])
        both = found.bins.setdefault(name, {}).setdefault(row["bin"], [Weight(), Weight()])
        both[place] += _weight(row)
        low, high = found.extents.get((name, row["bin"]), (row["low"], row["high"]))
        found.extents[name, row["bin"]] = (min(low, row["low"]), max(high, row["high"]))


def _flags(contrast: Contrast, ask: Ask, found: Counted) -> None:
    sql = f"""SELECT chosen, pair, {SUMS} FROM (
        SELECT ifNull(side, 0) AS chosen, pair, unit % {BUCKETS} AS bucket,
            sum(w) AS s, sum(w * w) AS s2
        FROM (SELECT trace AS exposed, arrayJoin(groupUniqArrayArray(pairs)) AS pair FROM exposures
            WHERE environment = {{environment:UInt32}} AND trace != 0
                AND hour >= toStartOfHour({{since:DateTime64(6, 'UTC')}}) - INTERVAL 1 HOUR
                AND hour <= {{until:DateTime64(6, 'UTC')}} + INTERVAL 1 HOUR
            GROUP BY trace) AS x
        INNER JOIN {contrast.events("trace")} AS e ON e.trace = x.exposed
        GROUP BY chosen, pair, bucket
        ) GROUP BY chosen, pair ORDER BY n DESC LIMIT {MOST_PAIRS}"""  # noqa: S608
    for row in ask(contrast.statement(sql)).rows:
        flag, _, variant = row["pair"].partition("\x1f")
        both = found.flags.setdefault((flag, variant), [Weight(), Weight()])
        both[int(row["chosen"])] += _weight(row)


@dataclass(frozen=True, slots=True)
class Test:
    """One thing that is true of an event or not: a field's value, or a number from a bound on."""

    kind: str  # text, absent, number, above, below, flag
    field: str
    value: str = ""
    bound: float = 0.0


def together(contrast: Contrast, tests: Sequence[Test], ask: Ask) -> dict[int, tuple[float, float]]:
    """How often each combination of tests holds: bits → (others, selected). 60 tests at most."""
    parameters: dict[str, Any] = {}
    flags = [f"{one.field}\x1f{one.value}" for one in tests if one.kind == "flag"]
    bits = []
    for place, one in enumerate(tests[:60]):
        parameters |= {f"f{place}": one.field, f"v{place}": one.value, f"t{place}": one.bound}
        bits.append(f"bitShiftLeft(toUInt64({_holds(one, place)}), {place})")
    joined = ""
    columns = f"{' + '.join(bits)} AS bits"
    if flags:
        parameters["pairs"] = flags
        joined = """LEFT JOIN (SELECT trace AS told, groupUniqArrayArray(
                arrayFilter(pair -> has({pairs:Array(String)}, pair), pairs)) AS saw
            FROM exposures WHERE environment = {environment:UInt32} AND trace != 0
                AND hour >= toStartOfHour({since:DateTime64(6, 'UTC')}) - INTERVAL 1 HOUR
                AND hour <= {until:DateTime64(6, 'UTC')} + INTERVAL 1 HOUR
            GROUP BY trace) AS saw_flags ON trace = told"""
    source = contrast.asked.source(f"AND isNotNull({contrast.side})", joined=joined)
    among = (
        f"AND ({contrast.side} = 1 OR cityHash64(trace) % {contrast.one_in} = 0)"
        if contrast.one_in > 1
        else ""
    )
    sql = f"""SELECT bits, side, sum(w) AS n FROM
        (SELECT sample_rate AS w, {contrast.side} AS side, {columns} {source} {among})
        GROUP BY bits, side LIMIT 100000"""  # noqa: S608
    found: dict[int, tuple[float, float]] = {}
    for row in ask(contrast.statement(sql, **parameters)).rows:
        others, chosen = found.get(row["bits"], (0.0, 0.0))
        if row["side"]:
            chosen += float(row["n"])
        else:
            others += float(row["n"])
        found[row["bits"]] = (others, chosen)
    return found


def _holds(one: Test, place: int) -> str:
    """A test as SQL that is never NULL."""
    value, bound = f"{{v{place}:String}}", f"{{t{place}:Float64}}"
    name = f"{{f{place}:String}}"
    if one.kind == "flag":
        return f"has(saw, concat({name}, '{SEPARATOR}', {value}))"
    if one.kind in ("number", "above", "below"):
        number = (
            "duration_ms"
            if one.field == "duration_ms"
            else f"multiIf(mapContains(integers, {name}), toFloat64(integers[{name}]),"
            f" mapContains(floats, {name}), floats[{name}], NULL)"
        )
        sign = {"number": "=", "above": ">=", "below": "<"}[one.kind]
        return f"ifNull({number} {sign} {bound}, false)"
    own = _own_text(one.field)
    if own:
        return f"{own} = ''" if one.kind == "absent" else f"{own} = {value}"
    if one.kind == "absent":
        return f"NOT mapContains(strings, {name}) AND NOT mapContains(booleans, {name})"
    text = f"strings[{name}] = {value}"
    if one.value not in ("true", "false"):
        return text
    boolean = f"mapContains(booleans, {name}) AND booleans[{name}] = ({value} = 'true')"
    return f"({text} OR ({boolean}))"


def _own_text(field: str) -> str:
    if field in OWN:
        return f"toString({field})"
    if field == "status_code":
        return "if(status_code = 0, '', toString(status_code))"
    return "if(error, 'true', 'false')" if field == "error" else ""


def _weight(row: dict[str, Any]) -> Weight:
    return Weight(float(row["n"]), float(row["squares"]), np.asarray(row["b"], dtype=np.float64))


__all__ = ["Contrast", "Counted", "Test", "Weight", "bounds", "counted", "together"]
