"""The same sums over the same rows in other databases: by flag, variant, route and bucket of users.

Rows are copied out of the event store; what is timed is the question alone, answered three times,
its rows read by the client. PostgreSQL is the one that comes with Flipscope, flags as a jsonb
object; DuckDB comes from `benchmarks/requirements.txt`, flags as a list of pairs.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "benchmarks"
ASKED = 3
SUMS = """count(*) AS n, sum(ms) AS total, sum(error) AS failed,
    sum(CASE WHEN ms > 60 THEN 1 ELSE 0 END) AS above_p50,
    sum(CASE WHEN ms > 200 THEN 1 ELSE 0 END) AS above_p95,
    sum(CASE WHEN ms > 350 THEN 1 ELSE 0 END) AS above_p99"""
Key = tuple[str, str, int]
Found = dict[Key, tuple[float, ...]]


def compared(count: int, flags: int) -> list[str]:
    """A line for each database, the same sums found in all. Before any other rows are there."""
    columns = _rows()
    assert len(columns["trace"]) == count
    asked: dict[str, tuple[float, Found]] = {"ClickHouse's engine (chDB)": _engine()}
    asked["PostgreSQL, jsonb"] = _postgres(columns)
    beside = _duckdb(columns)
    lines = [f"Sums by flag and variant, route and bucket alone, {count:,} events x {flags} flags:"]
    if beside is None:
        lines.append("  DuckDB: not installed, see benchmarks/requirements.txt")
    else:
        asked["DuckDB"] = beside
    (_, first), *others = asked.values()
    for _, found in others:
        _same(first, found)
    lines += [f"  {name}: {seconds:.2f} s" for name, (seconds, _) in asked.items()]
    return [*lines, f"  {len(first):,} rows each, the same sums"]


def _same(one: Found, other: Found) -> None:
    assert one.keys() == other.keys()
    for key, sums in one.items():
        for mine, theirs in zip(sums, other[key], strict=True):
            assert abs(mine - theirs) <= 1e-6 * max(abs(mine), 1.0), (key, sums, other[key])


def _timed(ask: Callable[[], Sequence[Sequence[Any]]]) -> tuple[float, Found]:
    took = []
    for _ in range(ASKED):
        began = time.monotonic()
        rows = ask()
        took.append(time.monotonic() - began)
    found = {
        (str(pair), str(route), int(bucket)): tuple(map(float, sums))
        for pair, route, bucket, *sums in rows
    }
    return statistics.median(took), found


def _rows() -> dict[str, Sequence[Any]]:
    """Events with the pairs that their trace saw."""
    from events.store.client import client

    found = client().query(
        """SELECT toString(hit.trace) AS trace, toUInt8(cityHash64(user_id) % 100) AS bucket,
            route, duration_ms AS ms, toUInt8(error) AS error,
            arrayMap(pair -> replaceOne(pair, '\\x1f', '='), seen.pairs) AS pairs
        FROM events AS hit INNER JOIN exposures AS seen ON hit.trace = seen.trace""",
        column_oriented=True,
        settings={"max_execution_time": 300},
    )
    return dict(zip(found.column_names, found.result_columns, strict=True))


def _engine() -> tuple[float, Found]:
    from events.store.client import client

    sql = f"""SELECT replaceOne(pair, '\\x1f', '=') AS saw, route, bucket, {SUMS}
        FROM (
            SELECT trace, arrayJoin(pairs) AS pair FROM exposures
        ) AS seen INNER JOIN (
            SELECT trace, route, toUInt8(cityHash64(user_id) % 100) AS bucket, duration_ms AS ms,
                toUInt8(error) AS error
            FROM events
        ) AS hit ON seen.trace = hit.trace
        GROUP BY saw, route, bucket"""  # constants only
    return _timed(lambda: client().query(sql, settings={"max_execution_time": 300}).result_rows)


def _postgres(columns: dict[str, Sequence[Any]]) -> tuple[float, Found]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE hits (trace numeric, bucket int, route text, ms float8, error int)"
        )
        cursor.execute("CREATE TEMP TABLE seen (trace numeric, flags jsonb)")
        with cursor.copy("COPY hits FROM STDIN") as copy:
            for row in zip(
                *(columns[name] for name in ("trace", "bucket", "route", "ms", "error")),
                strict=True,
            ):
                copy.write_row(row)
        with cursor.copy("COPY seen FROM STDIN") as copy:
            for trace, pairs in zip(columns["trace"], columns["pairs"], strict=True):
                listed = ", ".join('"{}": "{}"'.format(*pair.split("=")) for pair in pairs)
                copy.write_row((trace, "{" + listed + "}"))
        cursor.execute("ANALYZE hits")
        cursor.execute("ANALYZE seen")
        sql = f"""SELECT one.key || '=' || one.value, route, bucket, {SUMS}
            FROM hits JOIN seen USING (trace), jsonb_each_text(flags) AS one
            GROUP BY 1, 2, 3"""  # constants only

        def ask() -> Sequence[Sequence[Any]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        return _timed(ask)


def _duckdb(columns: dict[str, Sequence[Any]]) -> tuple[float, Found] | None:
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    try:
        import duckdb  # type: ignore[import-not-found,unused-ignore]  # not a dependency
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    rows = pa.table(columns)  # noqa: F841  # DuckDB finds it by its name
    base = duckdb.connect()
    base.execute(
        """CREATE TABLE hits AS
        SELECT trace::HUGEINT AS trace, bucket, route, ms, error::INT AS error FROM rows"""
    )
    base.execute("CREATE TABLE seen AS SELECT trace::HUGEINT AS trace, pairs FROM rows")
    sql = f"""SELECT pair, route, bucket, {SUMS}
        FROM (SELECT trace, unnest(pairs) AS pair FROM seen) JOIN hits USING (trace)
        GROUP BY ALL"""  # constants only
    return _timed(lambda: base.execute(sql).fetchall())
