"""Traffic from real clients while processes are killed, the store hangs and its disk fills.

    python -m tests.faults.endurance --minutes 30 --seed 1

Acknowledged = stored, nothing twice, no 500: prints one JSON object with the figures, exit 1 if
one of these does not hold. As root the data folder is a small file system of its own, so that the
disk can be filled; otherwise that fault is left out, and the report says so.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import clickhouse_connect

from tests.faults.traffic import Heard, Reader, traffic
from tests.stack.processes import Up, free_port, ingest_key, until

EMAIL, PASSWORD = "ada@acme.example", "correct-horse-battery"
PAGES = ["/acme/production/", "/acme/production/data", "/acme/production/timeline"]
KILLED = ("postgres", "valkey", "engine", "web", "worker", "beat")
DISK_BYTES = 3 * 1024**3
LEAST_FREE = 200 * 1024**2
HANG_S = 4.0
CALM_S = (1.0, 4.0)
BACK_S = 180.0  # a machine that is shared may need so long to start a process again


@dataclass(slots=True)
class Report:
    seed: int
    minutes: float
    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    slowest_return_s: dict[str, float] = field(default_factory=dict)
    never_back: list[str] = field(default_factory=list)
    web_memory_mib: list[int] = field(default_factory=list)

    @property
    def good(self) -> bool:
        broken_pages = [name for name in self.pages if name.endswith(" 500")]
        return not (self.lost or self.twice or self.broken or broken_pages or self.never_back)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own for the folder, where that may be made."""
    folder.mkdir(parents=True, exist_ok=True)
    made = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=False)


class Faults:
    """One fault at a time, each until events are acknowledged again."""

    def __init__(self, up: Up, heard: Heard, report: Report, chance: random.Random) -> None:
        self._up, self._heard, self._report, self._chance = up, heard, report, chance

    def one(self, *, disk: bool) -> None:
        kinds = [*(f"kill {name}" for name in KILLED), "hang engine", "kill web worker"]
        if disk:
            kinds.append("fill disk")
        kind = self._chance.choice(kinds)
        self._report.faults[kind] = self._report.faults.get(kind, 0) + 1
        began = time.monotonic()
        if kind == "fill disk":
            self._fill()
        elif kind == "hang engine":
            self._hang()
        elif kind == "kill web worker":
            self._kill(_children(self._up.pids().get("web", 0)))
        else:
            self._kill([self._up.pids().get(kind.split()[1], 0)])
        back = self._acknowledged_again()
        took = round(time.monotonic() - began, 1)
        slowest = self._report.slowest_return_s
        slowest[kind] = max(slowest.get(kind, 0.0), took)
        if not back:
            self._report.never_back.append(f"{kind}: {dict(self._heard.statuses)}")
        print(f"{kind}: {took} s", file=sys.stderr, flush=True)  # noqa: T201  # progress

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                if pid:
                    os.kill(pid, signal.SIGKILL)

    def _hang(self) -> None:
        pid = self._up.pids().get("engine", 0)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(HANG_S)
            os.kill(pid, signal.SIGCONT)

    def _fill(self) -> None:
        """Until less is free than must stay free; the rest is left, so that pages go on."""
        ballast = self._up.data / "ballast"
        found = os.statvfs(self._up.data)
        size = found.f_bavail * found.f_frsize - LEAST_FREE // 2
        if size > 0:
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        before = self._heard.statuses.copy()
        with suppress(AssertionError):  # the store may be asked a moment later
            until(lambda: _refused(self._heard.statuses - before) > 0, 15)
        time.sleep(2)
        ballast.unlink(missing_ok=True)

    def _acknowledged_again(self) -> bool:
        mark = len(self._heard.acknowledged)
        with suppress(AssertionError):
            until(lambda: len(self._heard.acknowledged) > mark + 50, BACK_S)
            return True
        return False


def _refused(statuses: Counter[str]) -> int:
    return sum(count for name, count in statuses.items() if name.endswith(" 503"))


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _memory_mib(up: Up) -> int:
    total = 0
    for pid in (web := up.pids().get("web", 0), *_children(web)):
        with suppress(OSError, IndexError, ValueError):
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(status.split("VmRSS:")[1].split()[0]) // 1024
    return total


def run(data: Path, minutes: float, seed: int, *, disk: bool) -> Report:
    report, heard, chance = Report(seed, minutes), Heard(), random.Random(seed)
    os.environ["EVENTS_MIN_FREE_BYTES"] = str(LEAST_FREE)
    up = Up(data, "--port", str(free_port())).ready()
    try:
        url = up.addresses()["WEB_URL"]
        key = ingest_key(data, EMAIL, PASSWORD)
        with Reader(url, EMAIL, PASSWORD, PAGES) as reader:
            with traffic(url, key, heard):
                until(lambda: len(heard.acknowledged) > 100, BACK_S)
                end = time.monotonic() + minutes * 60
                while time.monotonic() < end:
                    Faults(up, heard, report, chance).one(disk=disk)
                    time.sleep(chance.uniform(*CALM_S))
                    report.web_memory_mib.append(_memory_mib(up))
            report.pages = dict(reader.statuses)
        _count(up, heard, report)
    finally:
        os.environ.pop("EVENTS_MIN_FREE_BYTES", None)
        status = up.stop()
    assert status == 0
    return report


def _count(up: Up, heard: Heard, report: Report) -> None:
    client = clickhouse_connect.get_client(dsn=up.addresses()["EVENTS_URL"], compress=False)
    rows = client.query("SELECT user_id, count() FROM events GROUP BY user_id").result_rows
    stored = {str(row[0]): int(row[1]) for row in rows}
    report.sent, report.acknowledged = heard.sent, len(heard.acknowledged)
    report.stored = len(stored)
    report.lost = len(heard.acknowledged - stored.keys())
    report.twice = sum(count > 1 for count in stored.values())
    report.broken, report.statuses = heard.broken, dict(sorted(heard.statuses.items()))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    asked.add_argument("--minutes", type=float, default=30)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="fs-faults-") as folder:
        data = Path(folder) / "data"
        with small_disk(data) as disk:
            report = run(data, options.minutes, options.seed, disk=disk)
    memory = report.web_memory_mib
    report.web_memory_mib = memory[:: max(len(memory) // 20, 1)]
    print(json.dumps(asdict(report) | {"disk_filled": disk, "good": report.good}, indent=1))  # noqa: T201  # the report
    sys.exit(not report.good)


if __name__ == "__main__":
    main()
