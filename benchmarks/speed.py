"""All deltas of N events × 20 flags × 30 routes, beside the same SQL run bare.

    python -m benchmarks.speed --events 500000 1000000 2000000 [--flags 20]

Starts the parts in a folder of its own and fills the store by its own SQL: a trace an event, twenty
flags a trace, a hundred thousand users. Prints for each size the bare statements (run by the same
client, their rows thrown away by the engine), the whole of it (statements, decoding, statistics,
verdicts of every flag), their ratio by the clock and by processor time (engine and Python, which a
busy machine does not distort), and the engine's resident memory at its highest. With `duckdb`
installed, the first size is aggregated there too, from rows of the same make.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START = datetime(2026, 11, 20, tzinfo=UTC)
HOURS = 6


def started(folder: Path) -> subprocess.Popen[bytes]:
    log = (folder / "up.log").open("w")
    command = [sys.executable, "manage.py", "up", "--parts", "--data", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    while "ready parts" not in (folder / "up.log").read_text():
        if process.poll() is not None:
            raise SystemExit((folder / "up.log").read_text()[-2000:])
        time.sleep(0.2)
    return process


def fill(client: Any, first: int, count: int, flags: int) -> None:
    """Rows `first` to `first + count`, spread over the hours whatever their number."""
    numbers = f"numbers({first}, {count})"
    at = (
        f"toDateTime64('2026-11-20 00:00:00', 6, 'UTC') + toIntervalMicrosecond("
        f"cityHash64(number, 'at') % {HOURS * 3600 * 10**6})"
    )
    user = "cityHash64(number, 'user') % 100000"
    client.command(
        f"""INSERT INTO events (environment, time, received, service, name, kind, entry, trace,
            span, duration_ms, error, status_code, method, route, build_id, user_id, sample_rate)
        SELECT 1, {at}, now64(3), 'shop', 'request', 'server', true, toUInt128(number) + 1, number,
            exp(4 + 0.8 * randNormal(0, 1) + 0.3 * ((cityHash64({user}) % 100) / 50 - 1)),
            cityHash64(number, 'e') % 250 = 0, if(cityHash64(number, 'e') % 250 = 0, 500, 200),
            'GET', concat('/route/', toString(cityHash64(number, 'r') % 30)), 'b1',
            concat('user-', toString({user})), 1
        FROM {numbers}"""
    )
    pair = f"concat('flag-', toString(f), '\\x1f', if(cityHash64({user}, f) % 2 = 0, 'on', 'off'))"
    client.command(
        f"""INSERT INTO exposures (environment, hour, trace, pairs, flags, details)
        SELECT 1, toStartOfHour({at}), toUInt128(number) + 1,
            arrayMap(f -> {pair}, range({flags})),
            arrayMap(f -> concat('flag-', toString(f)), range({flags})), []
        FROM {numbers}"""
    )


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine's process: what it has cost so far."""

    folder: Path

    def _text(self, name: str) -> str:
        for found in Path("/proc").glob("[0-9]*"):
            try:
                line = (found / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if "stack.engine" in line and str(self.folder) in line:
                    return (found / name).read_text()
            except OSError:
                continue
        raise SystemExit("the engine is not running")

    def memory_mib(self) -> int:
        """Its highest resident memory."""
        return int(self._text("status").partition("VmHWM:")[2].split()[0]) // 1024

    def cpu_s(self) -> float:
        fields = self._text("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the clock and of the processors; `deltas` that it yielded."""

    wall_s: float
    cpu_s: float
    deltas: int = 0


def measure(flags: int, engine: Engine) -> tuple[Cost, Cost]:
    """The bare statements, and all of it."""
    from events.store import read
    from events.store.client import client as store
    from insights import comparison
    from insights.cohorts import Comparison, Variants
    from insights.deltas import deltas
    from insights.totals import Totals
    from insights.verdicts import judge

    asked = [
        Comparison(1, Variants(f"flag-{n}", "off", "on"), START, START + timedelta(hours=HOURS))
        for n in range(flags)
    ]
    statements: list[read.Statement] = []
    real = read.columns

    def noted(statement: read.Statement) -> read.Columns:
        statements.append(statement)
        return real(statement)

    setattr(comparison, "columns", noted)  # noqa: B010  # to see which statements there are
    began, cpu = time.monotonic(), engine.cpu_s() + time.process_time()
    found = comparison.totals_of_many(asked)
    judged = [
        judge(deltas(one), "randomised", elapsed_s=3600.0)
        for one in found
        if isinstance(one, Totals)
    ]
    cost = engine.cpu_s() + time.process_time() - cpu
    whole = Cost(time.monotonic() - began, cost, sum(map(len, judged)))
    setattr(comparison, "columns", real)  # noqa: B010
    began, cpu = time.monotonic(), engine.cpu_s()
    for one in statements:
        store().command(f"{one.sql} FORMAT Null", parameters=one.parameters)
    return Cost(time.monotonic() - began, engine.cpu_s() - cpu), whole


def duckdb_seconds(count: int, flags: int) -> float | None:
    """The sums by flag, variant, route and bucket alone, over as many rows made by DuckDB."""
    try:
        import duckdb  # type: ignore[import-not-found,unused-ignore]  # not a dependency
    except ImportError:
        return None
    base = duckdb.connect()
    base.execute(
        f"""CREATE TABLE events AS SELECT range AS trace, 'user-' || (hash(range) % 100000) AS u,
            '/route/' || (hash(range, 1) % 30) AS route, exp(4 + 0.8 * random()) AS ms,
            hash(range, 2) % 250 = 0 AS error FROM range({count})"""
    )
    base.execute(
        f"""CREATE TABLE seen AS SELECT trace, list_transform(range({flags}), f ->
            'flag-' || f || CASE WHEN hash(u, f) % 2 = 0 THEN '=on' ELSE '=off' END) AS pairs
            FROM events"""
    )
    began = time.monotonic()
    base.execute(
        """SELECT pair, route, hash(u) % 100 AS bucket, count(*), sum(ms), sum(error::INT),
            sum((ms > 60)::INT), sum((ms > 100)::INT), sum((ms > 200)::INT)
        FROM (SELECT trace, unnest(pairs) AS pair FROM seen) JOIN events USING (trace)
        GROUP BY ALL"""
    ).fetchall()
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[500_000, 1_000_000])
    parser.add_argument("--flags", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flipscope-speed-") as name:
        folder = Path(name)
        process = started(folder)
        try:
            os.environ["FLIPSCOPE_DATA"] = name
            os.environ.setdefault("EVENTS_QUERY_SECONDS", "300")
            os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
            import django

            django.setup()
            from events.store.client import client
            from events.store.migrating import migrate

            migrate()
            there = 0
            engine = Engine(folder)
            heads = (
                "events",
                "bare",
                "all",
                "ratio",
                "bare CPU",
                "all CPU",
                "ratio",
                "deltas",
                "MiB",
            )
            print("".join(f"{head:>10}" for head in heads))
            for size in sorted(given.events):
                while there < size:
                    step = min(250_000, size - there)
                    fill(client(), there, step, given.flags)
                    there += step
                bare, whole = measure(given.flags, engine)
                cells = (
                    *(f"{size:,}", f"{bare.wall_s:.2f} s", f"{whole.wall_s:.2f} s"),
                    *(f"{whole.wall_s / bare.wall_s:.2f}", f"{bare.cpu_s:.2f} s"),
                    *(f"{whole.cpu_s:.2f} s", f"{whole.cpu_s / bare.cpu_s:.2f}"),
                    *(f"{whole.deltas:,}", f"{engine.memory_mib():,}"),
                )
                print("".join(f"{cell:>10}" for cell in cells), flush=True)
            other = duckdb_seconds(min(given.events), given.flags)
            print(
                f"DuckDB, sums alone, {min(given.events):,} events: "
                + (f"{other:.2f} s" if other is not None else "not installed")
            )
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
