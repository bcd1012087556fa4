"""What benchmarks.explore looks at beside its ten questions: memory, first paint, arrivals."""

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from benchmarks.explore_ways import Asked, page_address

SETTLED_S = 1.0  # what a page asked for ends with it, but not at the same moment
PAINTED = """performance.getEntriesByName('first-contentful-paint')[0]?.startTime
    ?? new Promise((done) => new PerformanceObserver((list) => list.getEntries().forEach(
        (one) => one.name === 'first-contentful-paint' && done(one.startTime)
    )).observe({type: 'paint', buffered: true}))"""


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


def first_paint(asked: Asked, rounds: int) -> str:
    """When Chromium paints first, warm caches.

    A page of Explore asks for its answer at once. It is opened in a new tab, as a link is; there
    with that request blocked; and so in the tab that is open, as from page to page. Plain text
    in a new tab is what Chromium and the machine take by themselves.
    """
    from playwright.sync_api import sync_playwright

    paints: dict[str, list[float]] = {}
    spec = {"calculations": [{"op": "P95", "column": "duration_ms"}], **asked.window}
    asks = page_address({**spec, "breakdowns": ["user_id"]}, asked.zone)
    explore = f"{asked.url}/{asked.project}/production/explore?{asks}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        context = browser.new_context()
        cookies = [
            {"name": name, "value": value, "url": asked.url}
            for name, value in asked.cookies.items()
        ]
        context.add_cookies(cookies)  # type: ignore[arg-type]  # plain dicts

        def painted(page: Any, address: str, name: str) -> None:
            page.goto(address, wait_until="commit")
            paints.setdefault(name, []).append(page.evaluate(PAINTED))

        for _ in range(rounds + 1):  # the first round fills the browser's cache
            for name, address in (
                ("answered", explore),
                ("answer held back", explore),
                ("plain text instead", f"{asked.url}/static/css/base.css"),
            ):
                page = context.new_page()
                if name == "answer held back":
                    devtools = context.new_cdp_session(page)
                    devtools.send("Network.enable")
                    devtools.send("Network.setBlockedURLs", {"urls": ["*/explore/answer?*"]})
                    painted(page, explore, name)
                    page.wait_for_load_state()
                    painted(page, f"{explore}&limit=10", "held back, in the same tab")
                else:
                    painted(page, address, name)
                page.close()
                time.sleep(SETTLED_S)
        browser.close()
    return "first paint of p95 by user over all events: " + "; ".join(
        f"{name}: median {statistics.median(took[1:]):.0f} ms, worst {max(took[1:]):.0f} ms"
        for name, took in paints.items()
    )


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
