"""All deltas of N events × 20 flags × 30 routes, beside the same SQL run bare.

    python -m benchmarks.speed [--events 500000 1000000 2000000 4000000] [--rounds 2] [--flags 20]

Starts the parts in a folder of its own and fills the store by its own SQL: a trace an event, twenty
flags a trace, a hundred thousand users. At each size the whole of it (statements, decoding,
statistics, verdicts of every flag) and the bare statements (run by the same client, their rows
thrown away by the engine) take turns; what is printed is the median over the rounds of each, and of
their ratio by the clock and by processor time (engine and Python, which a busy machine does not
distort), and the engine's resident memory at its highest while at it and before.

Then the sums by flag, variant, route and bucket alone, over the same rows, in this store, in
PostgreSQL (flags as jsonb) and in DuckDB (`benchmarks/requirements.txt`; `--beside` events,
none with 0). All three must find the same sums.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import speed_beside
from benchmarks.speed_data import HOURS, START, fill

ROOT = Path(__file__).resolve().parent.parent


def started(folder: Path) -> subprocess.Popen[bytes]:
    log = (folder / "up.log").open("w")
    command = [sys.executable, "manage.py", "up", "--parts", "--data", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    while "ready parts" not in (folder / "up.log").read_text():
        if process.poll() is not None:
            raise SystemExit((folder / "up.log").read_text()[-2000:])
        time.sleep(0.2)
    return process


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine's process: what it has cost so far."""

    folder: Path

    def _file(self, name: str) -> Path:
        for found in Path("/proc").glob("[0-9]*"):
            try:
                line = (found / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if "stack.engine" in line and str(self.folder) in line:
                    return found / name
            except OSError:
                continue
        raise SystemExit("the engine is not running")

    def forget_memory(self) -> None:
        """Begin anew to look for its highest resident memory."""
        self._file("clear_refs").write_text("5")

    def memory_mib(self) -> int:
        """Its highest resident memory."""
        text = self._file("status").read_text()
        return int(text.partition("VmHWM:")[2].split()[0]) // 1024

    def cpu_s(self) -> float:
        fields = self._file("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the clock and of the processors."""

    wall_s: float
    cpu_s: float


def cost(work: Callable[[], object], engine: Engine) -> Cost:
    began, cpu = time.monotonic(), engine.cpu_s() + time.process_time()
    work()
    return Cost(time.monotonic() - began, engine.cpu_s() + time.process_time() - cpu)


def deltas_of_all(flags: int) -> int:
    """All of it: every flag's deltas, judged. Answers how many."""
    from insights.cohorts import Comparison, Variants
    from insights.comparison import totals_of_many
    from insights.deltas import deltas
    from insights.totals import Totals
    from insights.verdicts import judge

    window = (START, START + timedelta(hours=HOURS))
    asked = [Comparison(1, Variants(f"flag-{n}", "off", "on"), *window) for n in range(flags)]
    judged = [
        judge(deltas(one), "randomised", elapsed_s=3600.0)
        for one in totals_of_many(asked)
        if isinstance(one, Totals)
    ]
    return sum(map(len, judged))


def statements_of(work: Callable[[], object]) -> list[Any]:
    """The statements that a piece of work puts to the store."""
    from events.store import read
    from insights import pieces

    found: list[Any] = []
    real = read.columns

    def noted(statement: Any) -> Any:
        found.append(statement)
        return real(statement)

    setattr(pieces, "columns", noted)  # noqa: B010  # to see which statements there are
    try:
        work()
    finally:
        setattr(pieces, "columns", real)  # noqa: B010
    return found


def bare(statements: list[Any]) -> None:
    from events.store.client import client
    from events.store.layout import READING

    for one in statements:
        client().command(f"{one.sql} FORMAT Null", parameters=one.parameters, settings=READING)


HEADS = (
    "events",
    "bare",
    "all",
    "ratio",
    "bare CPU",
    "all CPU",
    "ratio",
    "deltas",
    "MiB",
    "at rest",
)


def row(size: int, flags: int, rounds: int, engine: Engine) -> tuple[str, ...]:
    """One size: a first round to warm up, then `rounds` of both in turn."""
    deltas = 0

    def everything() -> None:
        nonlocal deltas
        deltas = deltas_of_all(flags)

    engine.forget_memory()
    at_rest = engine.memory_mib()
    statements = statements_of(everything)
    pairs = []
    for number in range(rounds):
        works: list[Callable[[], object]] = [everything, lambda: bare(statements)]
        costs = [cost(work, engine) for work in (works if number % 2 else works[::-1])]
        pairs.append(costs if number % 2 else costs[::-1])

    def middle(value: Callable[[Cost, Cost], float]) -> float:
        return statistics.median(value(whole, alone) for whole, alone in pairs)

    return (
        f"{size:,}",
        f"{middle(lambda _, alone: alone.wall_s):.2f} s",
        f"{middle(lambda whole, _: whole.wall_s):.2f} s",
        f"{middle(lambda whole, alone: whole.wall_s / alone.wall_s):.2f}",
        f"{middle(lambda _, alone: alone.cpu_s):.2f} s",
        f"{middle(lambda whole, _: whole.cpu_s):.2f} s",
        f"{middle(lambda whole, alone: whole.cpu_s / alone.cpu_s):.2f}",
        f"{deltas:,}",
        f"{engine.memory_mib():,}",
        f"{at_rest:,}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--events", type=int, nargs="+", default=[500_000, 1_000_000, 2_000_000, 4_000_000]
    )
    parser.add_argument("--flags", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--beside", type=int, default=100_000)
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
            sizes = sorted({*given.events, given.beside} - {0})
            lines = []
            for size in sizes:
                while there < size:
                    step = min(250_000, size - there)
                    fill(client(), there, step, given.flags)
                    there += step
                if size == given.beside:
                    lines = speed_beside.compared(size, given.flags)
                if size in given.events:
                    if size == min(given.events):
                        print("".join(f"{head:>10}" for head in HEADS))
                    cells = row(size, given.flags, given.rounds, engine)
                    print("".join(f"{cell:>10}" for cell in cells), flush=True)
            print(*lines, sep="\n")
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
