"""The events that benchmarks.explore asks about, made inside the engine by SQL alone."""

from typing import Any

CHUNK = 10_000_000  # attributes in one insert
USERS = 1_000_000
ROUTES = 40
COLUMNS = (
    "environment, time, received, service, name, kind, entry, trace, span, parent, duration_ms,"
    " error, status_code, method, route, build_id, instance, user_id, sample_rate, strings,"
    " integers, floats, booleans, lists"
)


def span(client: Any, environment: int) -> tuple[int, tuple[int, int]]:
    """How many of them are there, and from when to when, in seconds since 1970."""
    (row,) = client.query(
        "SELECT count(), toUnixTimestamp(min(time)), toUnixTimestamp(max(time)) + 1 FROM events"
        " WHERE environment = {e:UInt32} AND entry AND startsWith(service, 'service')",
        parameters={"e": environment},
    ).result_rows
    return int(row[0]), (int(row[1]), int(row[2]))


def fill(client: Any, environment: int, events: int, attributes: int, there: int) -> None:
    """Events of the last day, made inside the engine."""
    texts, rest = attributes // 2, attributes - attributes // 2
    integers, floats = rest // 2, rest // 4
    booleans = rest - integers - floats

    def made(name: str, count: int, value: str) -> str:
        return (
            f"mapFromArrays(arrayMap(i -> concat('{name}_', toString(i)), range({count})),"
            f" arrayMap(i -> {value}, range({count})))"
        )

    chunk = max(CHUNK // attributes, 1000)
    for start in range(there, events, chunk):
        client.command(
            f"""INSERT INTO events ({COLUMNS}) SELECT {environment},
                now64(6) - toIntervalMicrosecond(cityHash64(number, 1) % 86000000000) AS time,
                now64(3), concat('service', toString(number % 5)), 'GET /thing', 'server', true,
                cityHash64(number, 2), cityHash64(number, 3), 0,
                round(exp(3 + 0.8 * randNormal(0, 1)), 3), cityHash64(number, 4) % 50 = 0,
                [200, 200, 200, 402, 500][cityHash64(number, 5) % 5 + 1],
                ['GET', 'POST'][number % 2 + 1], concat('/route/', toString(number % {ROUTES})),
                concat('b', toString(number % 8)), '', concat('u', toString(
                    toUInt64({USERS} * pow(cityHash64(number, 6) % 1000000 / 1e6, 2)))),
                [1, 1, 1, 10][cityHash64(number, 7) % 4 + 1],
                {made("text", texts, "concat('v', toString(cityHash64(number, i) % 50))")},
                {made("count", integers, "toInt64(cityHash64(number, i) % 1000)")},
                {made("share", floats, "(cityHash64(number, i) % 1000) / 1000.")},
                {made("is", booleans, "cityHash64(number, i) % 2 = 0")},
                map()
            FROM numbers({start}, {min(chunk, events - start)})""",
            settings={"max_insert_threads": 1, "max_execution_time": 600},
        )
        print(f"\r{min(start + chunk, events):,} of {events:,} events made", end="", flush=True)
    print()
    kinds = (("text", "string", texts), ("count", "integer", integers), ("share", "float", floats))
    for name, kind, count in (*kinds, ("is", "boolean", booleans)):
        client.command(
            f"""INSERT INTO fields SELECT {environment}, 'service0',
                concat('{name}_', toString(number)), '{kind}', today(), 'x' FROM numbers({count})"""
        )
