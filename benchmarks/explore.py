"""Ten questions over many wide events: page and API beside the same SQL run bare on the engine.

    python manage.py up --port 8000 --data DIR            # in another terminal
    python -m benchmarks.explore --data DIR --url http://127.0.0.1:8000 \\
        --events 10000000 --attributes 40 [--ingest 20000] [--browser] [--fill-only]

Makes a project of its own and fills it inside the engine, once for each size. The ways of asking
take turns, in another order each round and with other constants each time, so that neither a
cache nor a busy machine speaks for one of them. Bare is the sum of the times that the very
statements take through the engine's own client. CPU is that of engine and web together, which a
busy machine leaves alone.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from benchmarks.explore_data import USERS, fill
from benchmarks.explore_ways import EMAIL, PASSWORD, Asked, Work


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


def measure(asked: Asked, options: argparse.Namespace) -> None:
    """Prints a line for each question: medians of ratios within rounds, and of seconds."""
    print(
        f"{'question':26}{'bare':>8}{'API':>8}{'ratio':>7}{'bare page':>11}{'rows':>8}{'page':>8}"
        f"{'ratio':>7}{'CPU: API':>10}{'page':>6}{'read':>12}"
    )
    work = Work(options.data)
    ratios: list[float] = []
    page_ratios: list[float] = []
    firsts: list[float] = []
    everything: list[float] = []
    cpu_ratios: list[float] = []
    for name in options.only or questions(0, 0, options.attributes):
        took: dict[str, list[float]] = {}
        cpu: dict[str, list[float]] = {}
        for round_ in range(options.rounds):
            ways = ["bare", "api", "bare_page", "page"]
            random.Random(options.seed + round_).shuffle(ways)
            for number, way in enumerate(ways):
                spec = questions(options.seed + round_, number, options.attributes)[name]
                spec |= {"time_range": 86_400, "entry_only": True}
                before = work.seconds()
                if way == "bare":
                    took.setdefault(way, []).append(asked.bare(spec))
                elif way == "api":
                    took.setdefault(way, []).append(asked.by_api(spec))
                elif way == "bare_page":
                    took.setdefault(way, []).append(asked.bare_page(spec))
                else:
                    first, rows, whole = asked.by_page(spec)
                    firsts.append(first)
                    took.setdefault("rows", []).append(rows)
                    took.setdefault("page", []).append(whole)
                cpu.setdefault(way, []).append(work.seconds() - before)
        ratio = _ratio(took["api"], took["bare"])
        page_ratio = _ratio(took["page"], took["bare_page"])
        cpu_ratio = _ratio(cpu["api"], cpu["bare"])
        cpu_page = _ratio(cpu["page"], cpu["bare_page"])
        cpu_ratios += [cpu_ratio, cpu_page]
        ratios.append(ratio)
        page_ratios.append(page_ratio)
        everything += took["api"]
        one = {way: statistics.median(each) for way, each in took.items()}
        print(
            f"{name:26}{one['bare']:7.3f}s{one['api']:7.3f}s{ratio:7.2f}{one['bare_page']:10.3f}s"
            f"{one['rows']:7.3f}s{one['page']:7.3f}s{page_ratio:7.2f}{cpu_ratio:10.2f}{cpu_page:6.2f}"
            f"{asked.read:12,}",
            flush=True,
        )
    print(
        f"API over bare: median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}; page over"
        f" bare: median {statistics.median(page_ratios):.2f}, worst {max(page_ratios):.2f}; in CPU"
        f" of engine and web: median {statistics.median(cpu_ratios):.2f}, worst"
        f" {max(cpu_ratios):.2f}; API"
        f" p95 {_p95(everything):.3f} s; page's first bytes: median"
        f" {statistics.median(firsts) * 1000:.0f} ms, worst {max(firsts) * 1000:.0f} ms"
    )


def _ratio(ours: list[float], bare: list[float]) -> float:
    return statistics.median(one / max(other, 0.01) for one, other in zip(ours, bare, strict=True))


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def measure_api(asked: Asked, options: argparse.Namespace) -> None:
    """The API alone, while events arrive."""
    took = [
        asked.by_api(spec | {"time_range": 86_400, "entry_only": True})
        for round_ in range(options.rounds)
        for spec in questions(options.seed + 100 + round_, 0, options.attributes).values()
    ]
    print(
        f"API while events arrive: median {statistics.median(took):.3f} s, p95 {_p95(took):.3f} s"
    )


def too_large(asked: Asked) -> None:
    """A question that no store could answer at once, and whether others still are."""
    spec: dict[str, Any] = {
        "calculations": [
            {"op": "COUNT_DISTINCT", "column": "user_id"},
            {"op": "P99", "column": "duration_ms"},
        ],
        "breakdowns": ["trace.trace_id", "trace.span_id", "user_id"],
        "time_range": 86_400,
    }
    began = time.perf_counter()
    found = asked.query(spec)
    took = time.perf_counter() - began
    said = found.json()["error"]["message"] if found.status_code != 200 else "answered"
    print(f"a group for each event: {found.status_code} after {took:.1f} s: {said}")
    after = asked.by_api({"time_range": 600})
    print(f"the next question: {after:.3f} s")


def engine_memory(data: Path) -> str:
    """The most that the engine's process has held, and what it holds."""
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_text().replace("\0", " ")
            if "stack.engine" in command and str(data) in command:
                status = dict(
                    line.split(":", 1) for line in (folder / "status").read_text().splitlines()
                )
                most, now = (int(status[name].split()[0]) // 1024 for name in ("VmHWM", "VmRSS"))
                return f"the engine holds {now:,} MiB, {most:,} MiB at most"
        except (OSError, KeyError):
            continue
    return "the engine's process was not found"


def first_paint(asked: Asked, rounds: int) -> None:
    """When Chromium paints first, each time in a tab of its own, warm caches."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        context = browser.new_context(base_url=asked.url)
        cookies = [
            {"name": one.name, "value": one.value or "", "url": asked.url}
            for one in asked.page.cookies
        ]
        context.add_cookies(cookies)  # type: ignore[arg-type]  # of requests
        paints = []
        for _ in range(rounds):
            page = context.new_page()
            page.goto(f"/{asked.project}/production/explore?by=user_id&window=24h")
            paints.append(
                page.evaluate(
                    "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
                    " ?? new Promise((done) => new PerformanceObserver((list) => list.getEntries()"
                    ".forEach((one) => one.name === 'first-contentful-paint'"
                    " && done(one.startTime))).observe({type: 'paint', buffered: true}))"
                )
            )
            page.close()
        browser.close()
    print(f"first paint: median {statistics.median(paints):.0f} ms, worst {max(paints):.0f} ms")


def ingesting(url: str, key: str, a_second: int, stop: threading.Event) -> Callable[[], int]:
    """Sends batches of 1,000 events until told to stop; the call says how many."""
    sent = [0]

    def send() -> None:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {key}"
        began = time.monotonic()
        while not stop.is_set():
            if sent[0] > a_second * (time.monotonic() - began):
                time.sleep(0.01)
                continue
            body = [
                {"service": "live", "route": f"/r{n % 9}", "duration_ms": n, "n": n}
                for n in range(1000)
            ]
            if session.post(f"{url}/api/v1/events", json=body, timeout=60).status_code == 200:
                sent[0] += 1000

    threading.Thread(target=send, daemon=True).start()
    return lambda: sent[0]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument(
        "--data", required=True, type=Path, help="data folder of the running stack"
    )
    options.add_argument("--url", required=True)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--attributes", type=int, default=40)
    options.add_argument("--project", help="fill and ask this one")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    options.add_argument("--ingest", type=int, help="ask again while so many a second arrive")
    options.add_argument("--browser", action="store_true", help="measure the first paint too")
    options.add_argument("--only", nargs="*", metavar="QUESTION", help="of the ten")
    options.add_argument("--fill-only", action="store_true", help="ask another time")
    given = options.parse_args()
    os.environ["FLIPSCOPE_DATA"] = str(given.data)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    project = given.project or f"bench-{given.events // 1000}k-{given.attributes}"
    made = subprocess.run(
        [
            *(sys.executable, "manage.py", "bootstrap", "--project", project),
            *("--email", EMAIL, "--password", PASSWORD, "--data", str(given.data)),
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(made.stdout.strip().splitlines()[-1])
    import django

    django.setup()
    import clickhouse_connect
    from django.conf import settings

    from events.store.client import client
    from projects.models import Environment

    environment = Environment.objects.get(project__slug=project, slug="production")
    there = client().command(
        "SELECT count() FROM events WHERE environment = {e:UInt32} AND entry",
        parameters={"e": environment.id},
    )
    if int(str(there)) < given.events:
        filler = clickhouse_connect.get_client(
            dsn=settings.EVENTS_URL, send_receive_timeout=600, autogenerate_session_id=False
        )
        fill(filler, environment.id, given.events, given.attributes, int(str(there)))
    if given.fill_only:
        return
    asked = Asked(given.url, told, environment)
    measure(asked, given)
    print(engine_memory(given.data))
    if given.browser:
        first_paint(asked, 7)
    if given.ingest:
        stop = threading.Event()
        key = told["environments"]["production"]["ingest_key"]
        sent = ingesting(given.url, key, given.ingest, stop)
        began = time.monotonic()
        measure_api(asked, given)
        stop.set()
        print(f"{sent() / (time.monotonic() - began):,.0f} events a second came in meanwhile")
    if not given.only:
        too_large(asked)
        print(engine_memory(given.data))


if __name__ == "__main__":
    main()
