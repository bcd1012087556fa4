"""Ten questions over many wide events: page and API beside the same SQL run bare on the engine.

    python -m benchmarks.explore --data DIR --events 10000000 --attributes 40

starts a stack of its own on that folder, makes the events inside the engine where they are not
there yet, asks, and stops the stack; `--url` asks one that runs already (with
EVENTS_QUERY_SECONDS=120). All ten questions are asked in every round, each in four ways that take
turns in another order and with other constants each time, so that neither a cache nor a busy
machine speaks for one of them. Then comes the first paint in a real Chromium, the API once more
while events arrive, and a question that is too large.

Bare is the sum of the times that the very statements take through the engine's own client. A ratio
is the median of the ratios within each round, with the least and the most of them. CPU is that of
engine and web together, which a busy machine leaves alone.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.explore_around import engine_memory, first_paint, ingesting
from benchmarks.explore_data import USERS, fill, span
from benchmarks.explore_ways import EMAIL, PASSWORD, Asked, Work
from benchmarks.stack import Stack

WAYS = ("bare", "api", "bare_page", "page")
PAIRS = (("api", "bare"), ("page", "bare_page"))
Taken = dict[str, dict[str, list[float]]]


def questions(round_: int, way: int, attributes: int) -> dict[str, dict[str, Any]]:
    """The ten, with fields of this round and constants of this way of asking."""
    text = random.Random(round_).randrange(attributes // 2)
    some = random.Random(round_ * 10 + way)
    count = {"op": "COUNT"}
    p95 = {"op": "P95", "column": "duration_ms"}
    return {
        "count over time": {"calculations": [count], "granularity": 600},
        "p95 by route": {"calculations": [p95, count], "breakdowns": ["route"]},
        "top of 1M users": {"calculations": [count], "breakdowns": ["user_id"], "limit": 50},
        "one user": {
            "calculations": [count, p95],
            "filters": [{"column": "user_id", "op": "=", "value": f"u{some.randrange(USERS)}"}],
        },
        "by an attribute": {"calculations": [count], "breakdowns": [f"text_{text}"]},
        "filtered by an attribute": {
            "calculations": [p95],
            "filters": [
                {"column": f"text_{text}", "op": "=", "value": f"v{some.randrange(50)}"},
                {"column": "status_code", "op": ">=", "value": 400},
            ],
            "breakdowns": ["build_id"],
        },
        "distinct users by service": {
            "calculations": [{"op": "COUNT_DISTINCT", "column": "user_id"}],
            "breakdowns": ["service"],
        },
        "heatmap": {
            "calculations": [{"op": "HEATMAP", "column": "duration_ms"}],
            "granularity": 600,
        },
        "mean of a number by two": {
            "calculations": [{"op": "AVG", "column": "count_1"}, count],
            "breakdowns": ["method", f"text_{text}"],
            "havings": [{"calculate_op": "COUNT", "op": ">", "value": some.randrange(10)}],
        },
        "errors over time by build": {
            "calculations": [count],
            "filters": [{"column": "error", "op": "=", "value": True}],
            "breakdowns": ["build_id"],
            "granularity": 600,
        },
    }


class Measured:
    """Seconds and CPU seconds of every question and way, round by round."""

    def __init__(self, asked: Asked, options: argparse.Namespace) -> None:
        self.asked, self.options = asked, options
        self.took: Taken = {}
        self.cpu: Taken = {}
        self.read: dict[str, int] = {}
        self.work = Work(options.data)

    def rounds(self) -> None:
        """As many as wanted; fewer where the time is up, but always one."""
        began = time.monotonic()
        for round_ in range(self.options.rounds):
            took = time.monotonic() - began
            if round_ and took * (round_ + 1) / round_ > self.options.minutes * 60:
                print(f"{round_} rounds only, of {took / round_:.0f} s each: the time is up")
                break
            for name in self.options.only or questions(0, 0, self.options.attributes):
                self._ask(name, round_)

    def _ask(self, name: str, round_: int) -> None:
        seed = self.options.seed + round_
        ways = list(WAYS)
        random.Random(f"{seed} {name}").shuffle(ways)
        took, cpu = self.took.setdefault(name, {}), self.cpu.setdefault(name, {})
        for number, way in enumerate(ways):
            spec = questions(seed, number, self.options.attributes)[name]
            spec |= self.asked.window
            before = self.work.seconds()
            if way == "page":
                first, rows, whole = self.asked.by_page(spec)
                took.setdefault("first", []).append(first)
                took.setdefault("rows", []).append(rows)
                seconds = whole
            elif way == "api":
                seconds = self.asked.by_api(spec)
            elif way == "bare":
                seconds = self.asked.bare(spec)
                self.read[name] = self.asked.read
            else:
                seconds = self.asked.bare_page(spec)
            took.setdefault(way, []).append(seconds)
            cpu.setdefault(way, []).append(self.work.seconds() - before)
        said = ", ".join(f"{way.replace('_', ' ')} {took[way][-1]:.3f} s" for way in WAYS)
        print(f"round {round_ + 1}, {name}: {said}", flush=True)

    def show(self) -> None:
        print(
            f"{'question':26}{'bare':>7}{'API':>7}{'ratio (spread)':>18}{'CPU':>6}"
            f"{'bare page':>10}{'rows':>7}{'page':>7}{'ratio (spread)':>18}{'CPU':>6}{'read':>12}"
        )
        for name, took in self.took.items():
            middle = {way: statistics.median(each) for way, each in took.items()}
            cells = []
            for ours, bare in PAIRS:
                ratios = _ratios(took[ours], took[bare])
                cells.append(
                    f"{statistics.median(ratios):5.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
                )
                cells.append(f"{_cpu(self.cpu[name], ours, bare):.2f}")
            print(
                f"{name:26}{middle['bare']:6.3f}s{middle['api']:6.3f}s{cells[0]:>18}{cells[1]:>6}"
                f"{middle['bare_page']:9.3f}s{middle['rows']:6.3f}s{middle['page']:6.3f}s"
                f"{cells[2]:>18}{cells[3]:>6}{self.read[name]:12,}"
            )
        for ours, bare in PAIRS:
            middles = [
                statistics.median(_ratios(one[ours], one[bare])) for one in self.took.values()
            ]
            cpu = [_cpu(one, ours, bare) for one in self.cpu.values()]
            print(
                f"{ours} over {bare.replace('_', ' ')}: median {statistics.median(middles):.2f},"
                f" worst {max(middles):.2f}; by CPU median {statistics.median(cpu):.2f}, worst"
                f" {max(cpu):.2f}"
            )
        api = [one for took in self.took.values() for one in took["api"]]
        first = [one for took in self.took.values() for one in took["first"]]
        print(
            f"API: median {statistics.median(api):.3f} s, p95 {_p95(api):.3f} s; the page itself:"
            f" median {statistics.median(first) * 1000:.0f} ms, p95 {_p95(first) * 1000:.0f} ms"
        )


def _ratios(ours: list[float], bare: list[float]) -> list[float]:
    return [one / max(other, 0.01) for one, other in zip(ours, bare, strict=True)]


def _cpu(cpu: dict[str, list[float]], ours: str, bare: str) -> float:
    """Of sums over all rounds: the clock counts in hundredths of a second."""
    return sum(cpu[ours]) / max(sum(cpu[bare]), 0.01)


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def while_events_arrive(asked: Asked, options: argparse.Namespace, key: str) -> None:
    """The API alone, while so many events a second come in."""
    stop = threading.Event()
    sent = ingesting(asked.url, key, options.ingest, stop)
    began = time.monotonic()
    took = [
        asked.by_api(spec | asked.window)
        for round_ in range(min(options.rounds, 3))
        for spec in questions(options.seed + 100 + round_, 0, options.attributes).values()
    ]
    stop.set()
    print(
        f"API while {sent() / (time.monotonic() - began):,.0f} events a second arrive: median"
        f" {statistics.median(took):.3f} s, p95 {_p95(took):.3f} s"
    )


def too_large(asked: Asked) -> None:
    """A question that no store could answer at once, and whether others still are."""
    spec: dict[str, Any] = {
        "calculations": [
            {"op": "COUNT_DISTINCT", "column": "user_id"},
            {"op": "P99", "column": "duration_ms"},
        ],
        "breakdowns": ["trace.trace_id", "trace.span_id", "user_id"],
        **asked.window,
    }
    began = time.perf_counter()
    status, text = asked.query(spec)
    took = time.perf_counter() - began
    said = json.loads(text)["error"]["message"] if status != 200 else "answered"
    print(f"a group for each event: {status} after {took:.1f} s: {said}")
    after = asked.by_api({"time_range": 600})
    print(f"the next question: {after:.3f} s")


def asks(stack: Stack | None, options: argparse.Namespace, project: str) -> None:
    """Fills what is missing and measures."""
    os.environ["FLIPSCOPE_DATA"] = str(options.data)
    os.environ["EVENTS_QUERY_SECONDS"] = "120"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    told = stack.boot if stack else _bootstrapped(options.data, project)
    import django

    django.setup()
    import clickhouse_connect
    from django.conf import settings

    from projects.models import Environment

    environment = Environment.objects.get(project__slug=project, slug="production")
    engine = clickhouse_connect.get_client(
        dsn=settings.EVENTS_URL, send_receive_timeout=600, autogenerate_session_id=False
    )
    there, window = span(engine, environment.id)
    if there < options.events:
        fill(engine, environment.id, options.events, options.attributes, there)
        there, window = span(engine, environment.id)
    print(f"{there:,} events of {options.attributes} attributes, seed {options.seed}", flush=True)
    if options.fill_only:
        return
    url = stack.url if stack else options.url
    asked = Asked(url, told, environment, window)
    measured = Measured(asked, options)
    measured.rounds()
    measured.show()
    print(engine_memory(options.data), flush=True)
    if options.browser:
        print(first_paint(asked, 7), flush=True)
    if options.ingest:
        key = told["environments"]["production"]["ingest_key"]
        while_events_arrive(asked, options, key)
    if not options.only:
        too_large(asked)
        print(engine_memory(options.data))


def _bootstrapped(data: Path, project: str) -> Any:
    made = subprocess.run(
        [
            *(sys.executable, "manage.py", "bootstrap", "--project", project),
            *("--email", EMAIL, "--password", PASSWORD, "--data", str(data)),
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(made.stdout.strip().splitlines()[-1])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--data", required=True, type=Path, help="data folder, kept afterwards")
    options.add_argument("--url", help="of a stack that runs on it; else one is started")
    options.add_argument("--port", type=int, default=8340, help="of the stack that is started")
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--attributes", type=int, default=40)
    options.add_argument("--project", help="fill and ask this one")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--minutes", type=float, default=11, help="no round beyond so many")
    options.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    options.add_argument("--ingest", type=int, default=2000, help="events a second; 0 for none")
    options.add_argument("--browser", action=argparse.BooleanOptionalAction, default=True)
    options.add_argument("--only", nargs="*", metavar="QUESTION", help="of the ten")
    options.add_argument("--fill-only", action="store_true", help="ask another time")
    given = options.parse_args()
    project = given.project or f"bench-{given.events // 1000}k-{given.attributes}"
    if given.url:
        asks(None, given, project)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the stack is stopped
    longer = {"EVENTS_QUERY_SECONDS": "120"}
    stack = Stack(given.port, given.data, project=project, settings=longer, owner=(EMAIL, PASSWORD))
    try:
        asks(stack, given, project)
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
