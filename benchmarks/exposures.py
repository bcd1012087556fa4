"""What flags cost when asked: a question by flag beside the same one by route, in one run.

    python -m benchmarks.exposures [--events 1000000] [--flags 20] [--rounds 3]

Starts the parts in a folder of its own and fills the store by its own SQL: a trace an event, each
with every flag in `exposures`. The product's own statements are asked in turn; what is printed is
the least CPU of the engine over the rounds, which a busy machine changes little. "By a flag, sets
folded" is how flags were joined before: both arrays read, and sets of texts folded by trace.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.speed import Engine, started
from benchmarks.speed_data import HOURS, START, fill

SETS = """(
    SELECT trace AS exposed, toUInt8(least(length(saw), 2)) AS many_NAME,
        substring(saw[1], length({NAME:String}) + 2) AS variant_NAME
    FROM (
        SELECT trace, groupUniqArrayArray(arrayFilter(
            pair -> startsWith(pair, concat({NAME:String}, '\\x1f')), pairs)) AS saw
        FROM exposures
        WHERE environment = {environment:UInt32} AND trace != 0
            AND hour >= toStartOfHour({since:DateTime64(6, 'UTC')}) - INTERVAL 1 HOUR
            AND hour <= {until:DateTime64(6, 'UTC')} + INTERVAL 1 HOUR
            AND has(flags, {NAME:String})
        GROUP BY trace))"""


def asked(*breakdowns: str) -> Any:
    from events.query.answer import asked_of
    from events.query.parsing import parse

    spec = {
        "calculations": [{"op": "COUNT"}, {"op": "P95", "column": "duration_ms"}],
        "breakdowns": list(breakdowns),
        "start_time": int(START.timestamp()),
        "end_time": int((START + timedelta(hours=HOURS)).timestamp()),
    }
    return asked_of(1, parse(spec, START))


def questions() -> dict[str, Any]:
    from events.query.flags import variants_of_traces
    from events.store.read import Statement

    one = asked("flags.flag-3")
    now, [name] = one.results(), one.resolved.flags
    sets = now.sql.replace(variants_of_traces([name]), SETS.replace("NAME", name))
    assert sets != now.sql
    return {
        "by route": asked("route").results(),
        "by a flag, sets folded": Statement(sets, now.parameters),
        "by a flag": now,
        "by a flag and route": asked("flags.flag-3", "route").results(),
        "by two flags": asked("flags.flag-3", "flags.flag-7").results(),
    }


def cpu_s(engine: Engine, work: Callable[[], Any]) -> tuple[float, Any]:
    before = engine.cpu_s()
    found = work()
    return engine.cpu_s() - before, found


def measured(engine: Engine, rounds: int) -> None:
    from events.store.read import run

    every = questions()
    took: dict[str, list[float]] = {name: [] for name in every}
    counts: dict[str, list[int]] = {}
    for _ in range(rounds):
        for name, one in every.items():
            seconds, found = cpu_s(engine, lambda one=one: run(one))  # type: ignore[misc]
            took[name].append(seconds)
            counts[name] = sorted(int(row["c0"]) for row in found.rows)
    assert counts["by a flag"] == counts["by a flag, sets folded"]
    for name, each in took.items():
        print(f"{name:<24} {min(each):5.2f} s of CPU   {sum(counts[name]):,} events counted")


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--flags", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="flipscope-exposures-") as name:
        process = started(Path(name))
        try:
            os.environ |= {"FLIPSCOPE_DATA": name, "DJANGO_SETTINGS_MODULE": "config.settings"}
            os.environ.setdefault("EVENTS_QUERY_SECONDS", "300")
            import django

            django.setup()
            from events.store.client import client
            from events.store.migrating import migrate

            migrate()
            for first in range(0, given.events, 100_000):
                fill(client(), first, min(100_000, given.events - first), given.flags)
            print(f"{given.events:,} events, each with {given.flags} flags", flush=True)
            measured(Engine(Path(name)), given.rounds)
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
