"""Ten questions over many wide events: page and API beside the same SQL run bare on the engine.

    python manage.py up --port 8000 --data DIR            # in another terminal
    python -m benchmarks.explore --data DIR --url http://127.0.0.1:8000 \\
        --events 10000000 --attributes 40 [--ingest]

Makes a project of its own and fills it inside the engine, once for each size. Each question is
asked several times in turn, with other constants each time, so that no cache answers.
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

EMAIL, PASSWORD = "bench@example.org", "bench-explore-passphrase"
CHUNK = 10_000_000  # attributes in one insert
USERS = 1_000_000
ROUTES = 40
COLUMNS = (
    "environment, time, received, service, name, kind, entry, trace, span, parent, duration_ms,"
    " error, status_code, method, route, build_id, instance, user_id, sample_rate, strings,"
    " integers, floats, booleans, lists"
)


def questions(round_: int, attributes: int) -> dict[str, dict[str, Any]]:
    """The ten, with constants of this round."""
    some = random.Random(round_)
    text = some.randrange(attributes // 2)
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


class Asked:
    """The three ways to ask."""

    def __init__(self, url: str, told: dict[str, Any], environment: Any) -> None:
        self.url, self.environment = url, environment
        self.project = told["project"]
        self.api = requests.Session()
        self.api.headers["Authorization"] = f"Bearer {told['api_token']}"
        self.page = requests.Session()
        self.page.get(f"{url}/sign-in")
        token = self.page.cookies["csrftoken"]
        self.page.post(
            f"{url}/sign-in",
            {"email": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": token},
            headers={"Referer": url},
        ).raise_for_status()

    def bare(self, spec: dict[str, Any]) -> tuple[float, int]:
        """Seconds and events read: the very statements, on the engine alone."""
        from events.query.answer import answer
        from events.store.client import client
        from events.store.read import run

        statements = []

        def noted(statement: Any) -> Any:
            statements.append(statement)
            return run(statement)

        read = answer(self.environment.id, spec, ask=noted)["events_read"]
        engine = client()
        began = time.perf_counter()
        for statement in statements:
            engine.query(statement.sql, parameters=statement.parameters)
        return time.perf_counter() - began, read

    def by_api(self, spec: dict[str, Any]) -> float:
        place = f"projects/{self.project}/environments/production"
        began = time.perf_counter()
        found = self.api.post(f"{self.url}/api/v1/{place}/query", json=spec, timeout=120)
        took = time.perf_counter() - began
        assert found.status_code == 200, found.text[:300]
        return took

    def by_page(self, spec: dict[str, Any]) -> tuple[float, float]:
        """Seconds to the page, and to its answer."""
        address = page_address(spec)
        here = f"{self.url}/{self.project}/production/explore"
        began = time.perf_counter()
        assert self.page.get(f"{here}?{address}").status_code == 200
        first = time.perf_counter() - began
        began = time.perf_counter()
        found = self.page.get(f"{here}/answer?{address}", headers={"HX-Request": "true"})
        took = time.perf_counter() - began
        assert found.status_code == 200, found.text[:300]
        assert "events read" in found.text, found.text[:600]
        return first, took


def page_address(spec: dict[str, Any]) -> str:
    from insights.explore.question import Having, Question, Where, key

    return Question(
        show=tuple(key(one["op"], one.get("column", "")) for one in spec["calculations"]),
        where=tuple(
            Where(one["column"], one["op"], str(one["value"]).lower() if one["value"] is True
                  else str(one["value"]))
            for one in spec.get("filters", [])
        ),
        by=tuple(spec.get("breakdowns", [])),
        having=tuple(
            Having(one["calculate_op"], one["op"], str(one["value"]))
            for one in spec.get("havings", [])
        ),
        limit=str(spec.get("limit", 50)),
        window="24h",
        step=str(spec.get("granularity", 600)),
        marks="none",
    ).address()  # fmt: skip


def measure(asked: Asked, options: argparse.Namespace) -> None:
    print(f"{'question':28} {'bare':>8} {'API':>8} {'API/bare':>8} {'page':>8} {'read':>12}")
    ratios, firsts, everything = [], [], []
    for name in questions(0, options.attributes):
        bare, api, page, read = [], [], [], 0
        for round_ in range(options.rounds):
            spec = questions(options.seed + round_, options.attributes)[name]
            spec |= {"time_range": 86_400, "entry_only": True}
            took, read = asked.bare(spec)
            bare.append(took)
            api.append(asked.by_api(spec))
            first, answer = asked.by_page(spec)
            firsts.append(first)
            page.append(answer)
        one, two, three = map(statistics.median, (bare, api, page))
        ratios.append(two / one)
        everything += api
        print(f"{name:28} {one:7.3f}s {two:7.3f}s {two / one:8.2f} {three:7.3f}s {read:12,}")
    print(
        f"API over bare: median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}; API p95"
        f" {sorted(everything)[int(len(everything) * 0.95)]:.3f} s; page's first bytes: median"
        f" {statistics.median(firsts) * 1000:.0f} ms, worst {max(firsts) * 1000:.0f} ms"
    )


def ingesting(url: str, key: str, stop: threading.Event) -> Callable[[], int]:
    """Sends batches of 1,000 events until told to stop; the call says how many."""
    sent = [0]

    def send() -> None:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {key}"
        while not stop.is_set():
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
    options.add_argument("--ingest", action="store_true", help="while events arrive")
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
    asked = Asked(given.url, told, environment)
    stop = threading.Event()
    sent = (
        ingesting(given.url, told["environments"]["production"]["ingest_key"], stop)
        if given.ingest
        else None
    )
    began = time.monotonic()
    measure(asked, given)
    stop.set()
    if sent:
        print(f"{sent() / (time.monotonic() - began):,.0f} events a second came in meanwhile")


if __name__ == "__main__":
    main()
