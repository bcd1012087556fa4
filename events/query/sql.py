"""Query → statements: every name and value of the asker is a bound parameter.

Each calculation is one slot of the row: its SQL and its decoding are in calculations.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from events.query.calculations import ADDING, ROLLING, slot, totals
from events.query.columns import Column, Resolved
from events.query.flags import variants_of_traces
from events.query.spec import Filter, Query, QueryError, Scalar
from events.store.read import Statement, moment

TEXT_FUNCTIONS = {
    "starts-with": "startsWith({0}, {1})",
    "ends-with": "endsWith({0}, {1})",
    "contains": "position({0}, {1}) > 0",
    "matches": "match({0}, {1})",
}
POSITIVE = {
    "!=": "=",
    "not-in": "in",
    "does-not-start-with": "starts-with",
    "does-not-end-with": "ends-with",
    "does-not-contain": "contains",
    "does-not-match": "matches",
}
BUCKET = "intDiv(toUnixTimestamp(time), {granularity:UInt32}) * {granularity:UInt32}"
ID_TYPES = {"trace": "UInt128", "span": "UInt64", "parent": "UInt64"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with its columns; builds the three statements that answer it."""

    environment_id: int
    query: Query
    resolved: Resolved
    rounded: bool = False  # percentiles to four digits, where there are many events
    apart: frozenset[int] = frozenset()  # filters that only `all_of` knows, none of `either`

    def results(self, keys: list[int] | None = None) -> Statement:
        """One row per group, `limit` + 1 of them: b0…, c0…, raw, key; or those of `keys`."""
        if keys is not None and self.query.breakdowns:
            only = f"AND {self._key()} IN {{keys:Array(UInt64)}}"
            return self.statement(self._select(self._groups(), only=only), keys=keys)
        first = totals(self.query, self.resolved.columns) if self.counted else ""
        groups = f"{self._select(self._groups(), first)} {self._having()}"
        sql = f"{groups} {self._order()} LIMIT {{limit:UInt32}}"
        if first:  # only the rows that are given need a key
            key = self._key(self._groups())
            sql = f"SELECT *, {key} AS key FROM ({sql}) {self._order()}"  # noqa: S608  # ours
        return self.statement(sql, limit=self.query.limit + 1)

    @property
    def counted(self) -> bool:
        """Whether `results` also tells what all groups together have: groups, t0…."""
        return bool(self.query.breakdowns) and all(
            one.op in ADDING for one in self.query.calculations
        )

    @property
    def rolled(self) -> bool:
        """Whether one statement gives results and series; percentiles would be merged, slower."""
        query = self.query
        many = query.breakdowns or query.granularity_s is None or query.havings
        return not many and all(one.op in ROLLING for one in query.calculations)

    def series(self, keys: list[int] | None) -> Statement:
        """One row per bucket and group of `keys`, or of every group: bucket, b0…, c0….

        Where it is `rolled`, there is one row more, `whole`: that of `results`.
        """
        bucket = f"{BUCKET} AS bucket, "
        only = self._only(keys)
        if self.rolled:
            # A step that begins at the epoch is bucket 0 as well, so the whole names itself.
            first = f"{bucket}grouping(bucket) = 1 AS whole, "
            sql = f"{self._select(['ROLLUP(bucket)'], first, only)} ORDER BY bucket"
        else:
            groups = ["bucket", *self._groups()]
            sql = f"{self._select(groups, bucket, only)} ORDER BY bucket"
        return self.statement(sql, granularity=self.query.granularity_s, keys=keys or [])

    def _only(self, keys: list[int] | None) -> str:
        if keys is None or not self.query.breakdowns:
            return ""
        return f"AND {self._key()} IN {{keys:Array(UInt64)}}"

    def other(self, keys: list[int]) -> Statement:
        """One row over all events of the groups that are not in `keys`: c0…, groups."""
        only = f"AND {self._key()} NOT IN {{keys:Array(UInt64)}}"
        if self.query.havings:
            passed = f"{self._select(self._groups())} {self._having()}"
            only += f" AND {self._key()} IN (SELECT key FROM ({passed}))"  # noqa: S608  # ours
        calculations = ", ".join(self._calculations())
        sql = f"SELECT {calculations}, uniqExact({self._key()}) AS groups {self.source(only)}"
        return self.statement(sql, keys=keys)

    def concurrency(self, keys: list[int] | None) -> Statement:
        """One row per bucket and group of `keys`: bucket, b0…, and c of CONCURRENCY.

        An event counts in every step that it reaches into, by the part of the step it fills.
        """
        step = "toInt64({granularity:UInt32}) * 1000000"
        start = "toUnixTimestamp64Micro(time)"
        # What lasts on beyond the window counts to its end.
        end = f"least({start} + toInt64(duration_ms * 1000), {{until_us:Int64}} - 1)"
        only = self._only(keys)
        broken = "".join(f"{sql} AS b{place}, " for place, sql in enumerate(self._breakdowns()))
        covered = f"least(ended, (at + 1) * {step}) - greatest(started, at * {step})"
        names = "".join(f"{name}, " for name in self._groups())
        inner = (
            f"SELECT {broken}sample_rate AS w, {start} AS started, {end} AS ended, arrayJoin("
            f"range(intDiv(started, {step}), intDiv(greatest(ended, started), {step}) + 1)) AS at "
            f"{self.source(only)}"
        )
        sql = (
            f"SELECT {names}at * {{granularity:UInt32}} AS bucket, "  # noqa: S608  # ours
            f"sum(greatest({covered}, 0) * w) / ({step}) AS c FROM ({inner}) "
            f"GROUP BY {names}bucket ORDER BY bucket"
        )
        until_us = int(self.query.until.timestamp()) * 1_000_000 + self.query.until.microsecond
        return self.statement(
            sql, granularity=self.query.granularity_s, keys=keys or [], until_us=until_us
        )

    def estimate(self) -> Statement:
        """Rows that the engine expects to read, without reading them: the answer's `rows`."""
        sql = f"EXPLAIN ESTIMATE SELECT count() {self.source()}"
        return self.statement(sql)

    def statement(self, sql: str, **more: object) -> Statement:
        """A statement over `source()`, with the parameters that it names and `more`."""
        parameters: dict[str, Any] = {
            "environment": self.environment_id,
            "since": moment(self.query.since),
            "until": moment(self.query.until),
            **self.resolved.parameters,
            **more,
        }
        for place, one in enumerate(self.query.filters):
            column = self.resolved.columns[one.column]
            if one.value is not None:
                field = f"{self.query.filter_field(place)}.value"
                parameters[f"value_{place}"] = _operand(one, column, field)
        for place, having in enumerate(self.query.havings):
            parameters[f"having_{place}"] = having.value
        return Statement(sql, parameters)

    def _groups(self) -> list[str]:
        return [f"b{place}" for place in range(len(self.query.breakdowns))]

    def _breakdowns(self) -> list[str]:
        return [self.resolved.columns[name].sql for name in self.query.breakdowns]

    def _key(self, groups: list[str] | None = None) -> str:
        found = self._breakdowns() if groups is None else groups
        parts = [f"isNull({sql}), ifNull(toString({sql}), '')" for sql in found] or ["0"]
        return f"sipHash64(tuple({', '.join(parts)}))"

    def _select(self, groups: list[str], first: str = "", only: str = "") -> str:
        broken = "".join(f"{sql} AS b{place}, " for place, sql in enumerate(self._breakdowns()))
        calculations = ", ".join(self._calculations())
        key = f", {self._key(groups)} AS key" if not first else ""
        by = f"GROUP BY {', '.join(groups)}" if groups else ""
        return f"SELECT {first}{broken}{calculations}, count() AS raw{key} {self.source(only)} {by}"

    def all_of(self, places: Iterable[int]) -> str:
        """A condition: every filter of these places holds."""
        return " AND ".join(["true", *map(self._filter, places)])

    def _filter(self, place: int) -> str:
        one = self.query.filters[place]
        return _condition(one, self.resolved.columns[one.column], f"value_{place}")

    def source(self, only: str = "", *, joined: str = "") -> str:
        """FROM and WHERE: the events that the question is about, and `only` these of them."""
        conditions = [
            "environment = {environment:UInt32}",
            "time >= {since:DateTime64(6, 'UTC')}",
            "time < {until:DateTime64(6, 'UTC')}",
        ]
        if self.query.entry_only:
            conditions.append("entry")
        if self.resolved.flags:
            variants = variants_of_traces(self.resolved.flags)
            joined = f"LEFT JOIN {variants} AS x ON trace = exposed {joined}"
            # A trace that saw two variants of a flag belongs to no cohort of it.
            conditions += [f"many_{parameter} < 2" for parameter in self.resolved.flags]
        either = [self._filter(place) for place in range(self.query.either)]
        if either:
            conditions.append(f"({' OR '.join(either)})")
        places = range(self.query.either, len(self.query.filters))
        conditions += [self._filter(place) for place in places if place not in self.apart]
        return f"FROM events {joined} WHERE {' AND '.join(conditions)} {only}"

    def _calculations(self) -> list[str]:
        query, columns = self.query, self.resolved.columns
        return [
            f"{slot(one, place, query, columns, rounded=self.rounded)} AS c{place}"
            for place, one in enumerate(query.calculations)
        ]

    def _having(self) -> str:
        conditions = [
            f"c{one.calculation} {one.op} {{having_{place}:Float64}}"
            for place, one in enumerate(self.query.havings)
        ]
        return f"HAVING {' AND '.join(conditions)}" if conditions else ""

    def _first(self) -> str:
        """What groups are ordered by where nobody says: the first calculation that is a number."""
        found = [place for place, one in enumerate(self.query.calculations) if one.op != "HEATMAP"]
        return f"c{found[0]}" if found else "raw"

    def _order(self) -> str:
        orders = [
            (
                f"c{one.calculation}" if one.calculation is not None else f"b{one.breakdown}",
                one.descending,
            )
            for one in self.query.orders
        ] or [(self._first(), True)]
        orders += [(group, False) for group in self._groups()]
        parts = [f"{name} {'DESC' if down else 'ASC'} NULLS LAST" for name, down in orders]
        return f"ORDER BY {', '.join(parts)}"


def _condition(one: Filter, column: Column, parameter: str) -> str:
    if one.op == "exists":
        return f"isNotNull({column.sql})"
    if one.op == "does-not-exist":
        return f"isNull({column.sql})"
    value = f"{{{parameter}:{_value_type(one, column)}}}"
    left = column.sql
    if column.type == "id" and one.op in ("=", "!=", "in", "not-in"):
        left = _id_column(column)
    negated, positive = one.op in POSITIVE, POSITIVE.get(one.op, one.op)
    values = one.value if isinstance(one.value, tuple) else (one.value,)
    if column.raw and positive in ("=", "in") and "" not in values:
        condition = f"{column.raw} {'IN' if positive == 'in' else '='} {value}"
        return f"NOT ({condition})" if negated else condition
    if positive in TEXT_FUNCTIONS:
        condition = TEXT_FUNCTIONS[positive].format(left, value)
    elif positive == "in":
        condition = f"has({value}, assumeNotNull({left})) AND isNotNull({left})"
    else:
        condition = f"{left} {positive} {value}"
    # What an event does not have, it has not with this value either.
    return f"NOT ifNull({condition}, false)" if negated else f"ifNull({condition}, false)"


def _id_column(column: Column) -> str:
    return next(name for name in ID_TYPES if f"hex({name})" in column.sql)


def _value_type(one: Filter, column: Column) -> str:
    many = one.op in ("in", "not-in")
    if column.type == "id" and (many or one.op in ("=", "!=")):
        kind = ID_TYPES[_id_column(column)]
    elif column.type in ("text", "id"):
        kind = "String"
    elif column.type == "boolean":
        kind = "Bool"
    else:
        values = one.value if isinstance(one.value, tuple) else (one.value,)
        kind = "Int64" if all(type(value) is int for value in values) else "Float64"
    return f"Array({kind})" if many else kind


def _operand(one: Filter, column: Column, field: str) -> object:
    """The value as its parameter; raises QueryError where it does not suit the column."""
    if one.op in ("in", "not-in"):
        assert isinstance(one.value, tuple)  # noqa: S101  # as parsed
        return [_suited(value, one.op, column, field) for value in one.value]
    assert not isinstance(one.value, tuple)  # noqa: S101  # as parsed
    return _suited(one.value, one.op, column, field)


def _suited(value: Scalar | None, op: str, column: Column, field: str) -> object:
    wanted = "text"
    if POSITIVE.get(op, op) in TEXT_FUNCTIONS:
        if column.type not in ("text", "id"):
            raise QueryError(
                field.replace("value", "op"), f"{op} wants text; this is {column.type}."
            )
        good = type(value) is str
    elif column.type == "id":
        good = type(value) is str and _is_hex(value)
        wanted = "an id in hex"
        if good and op in ("=", "!=", "in", "not-in"):
            return int(str(value), 16)
    elif column.type == "text":
        good = type(value) is str
    elif column.type == "boolean":
        wanted, good = "true or false", type(value) is bool and op in ("=", "!=", "in", "not-in")
    else:
        wanted, good = "a number", type(value) in (int, float)
    if not good:
        raise QueryError(field, f"{column.name[:100]} is {column.type}: {op} wants {wanted}.")
    return value


def _is_hex(text: str) -> bool:
    return 0 < len(text) <= 32 and all(digit in "0123456789abcdefABCDEF" for digit in text)
