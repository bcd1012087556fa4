"""Evaluations a second over OFREP beside what evaluates without a network, in one run.

    python -m benchmarks.ofrep [--flags 100] [--seconds 5] [--senders 2] [--port 8120]

Starts a stack of its own with flags that have a condition and a split each. Asked over kept-alive
connections from processes of their own, one flag and all flags at once; beside it, in one thread
and without HTTP: flagd's own evaluator (the floor), ours, UnleashClient and the GrowthBook SDK on
an equal flag. The machine may be busy: compare the processor time of each, not the wall.
"""

import argparse
import json
import logging
import os
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks.stack import Stack

PATH = "/ofrep/v1/evaluate/flags"
COUNTRIES = ["NZ", "AU"]
RULES: list[dict[str, Any]] = [
    {"if": [{"attribute": "country", "op": "in", "value": COUNTRIES}], "variant": "on"},
    {"split": {"off": 50, "on": 50}},
]
UNLEASH = {
    "version": 2,
    "features": [
        {
            "name": "bench-0000",
            "type": "release",
            "enabled": True,
            "strategies": [
                {
                    "name": "flexibleRollout",
                    "parameters": {"rollout": "100", "stickiness": "userId", "groupId": "a"},
                    "constraints": [
                        {"contextName": "country", "operator": "IN", "values": COUNTRIES}
                    ],
                },
                {
                    "name": "flexibleRollout",
                    "parameters": {"rollout": "50", "stickiness": "userId", "groupId": "a"},
                    "constraints": [],
                },
            ],
        }
    ],
}
GROWTHBOOK = {
    "bench-0000": {
        "defaultValue": False,
        "rules": [
            {"condition": {"country": {"$in": COUNTRIES}}, "force": True},
            {"force": True, "coverage": 0.5, "hashAttribute": "id"},
        ],
    }
}


def ask(port: int, key: str, path: str, seconds: float, etag: str) -> list[float]:
    """Milliseconds of each answer on one kept-alive connection, another user each time."""
    took: list[float] = []
    known = f"If-None-Match: {etag}\r\n" if etag else ""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        until = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < until:
            user = 0 if etag else os.getpid() * 1_000_000 + len(took)
            body = json.dumps({"context": {"targetingKey": f"u{user}", "country": "DE"}}).encode()
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\n{known}Content-Length: {len(body)}\r\n\r\n"
                "".encode()
                + body
            )
            status = _answer(connection)
            assert status == (304 if etag else 200), status
            took.append((time.perf_counter() - begun) * 1000)
    return took


def _answer(connection: socket.socket) -> int:
    """The status, once the whole answer is there."""
    held = b""
    while b"\r\n\r\n" not in held:
        held += connection.recv(65_536)
    head, _, rest = held.partition(b"\r\n\r\n")
    sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    size, got = int(sizes[0].split(b":")[1]) if sizes else 0, len(rest)
    while got < size:
        got += len(connection.recv(65_536))
    return int(head.split(b" ", 2)[1])


def measure(
    stack: Stack, name: str, path: str, options: argparse.Namespace, each: int = 1, etag: str = ""
) -> None:
    """One kind of question from several processes at once."""
    key = stack.boot["environments"]["production"]["server_key"]
    ask(stack.port, key, path, 0.5, etag)
    before, begun = stack.cpu_s("web"), time.perf_counter()
    with ProcessPoolExecutor(options.senders) as pool:
        asked = [
            pool.submit(ask, stack.port, key, path, options.seconds, etag)
            for _ in range(options.senders)
        ]
        took = sorted(one for future in asked for one in future.result())
    wall, cpu = time.perf_counter() - begun, stack.cpu_s("web") - before
    count = len(took)
    print(
        f"{name}: {count / wall:,.0f} answers/s, {count * each / wall:,.0f} evaluations/s, "
        f"p50 {took[count // 2]:.1f} ms, p99 {took[count * 99 // 100]:.1f} ms; "
        f"web {cpu / count * 1e6:.0f} µs CPU an answer, "
        f"{cpu / count / each * 1e6:.1f} an evaluation"
    )


def alone(name: str, evaluate: Callable[[int], Any], rounds: int = 20_000, each: int = 1) -> None:
    """One thread, no HTTP: processor time of an evaluation, the best of three."""
    evaluate(0)
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        for user in range(rounds):
            evaluate(user)
        best = min(best, (time.process_time() - begun) / rounds / each)
    print(f"{name}: {best * 1e6:.1f} µs CPU an evaluation, {1 / best:,.0f}/s on one core")


def without_a_network(count: int) -> None:
    from growthbook import GrowthBook
    from openfeature.contrib.tools.flagd.core import FlagdCore
    from openfeature.evaluation_context import EvaluationContext
    from UnleashClient import UnleashClient  # type: ignore[attr-defined]  # its own __init__
    from UnleashClient.cache import FileCache

    from flags.definition import read
    from flags.evaluate import context_of, document_of, evaluate, evaluate_all

    given = {"type": "boolean", "enabled": True, "rules": RULES}
    document = document_of([read(f"bench-{n:04}", given) for n in range(count)], "acme/bench")
    core = FlagdCore()
    core.set_flags(json.loads(document.text))

    def floor(user: int) -> Any:
        context = EvaluationContext(f"u{user}", {"country": "DE"})
        return core.resolve_boolean_value("bench-0000", default_value=False, ctx=context)

    def ours(user: int) -> Any:
        context = context_of({"targetingKey": f"u{user}", "country": "DE"})
        return evaluate(document, "bench-0000", context)

    def ours_all(user: int) -> Any:
        return evaluate_all(document, context_of({"targetingKey": f"u{user}", "country": "DE"}))

    alone("flagd-core, the floor", floor)
    alone("ours, one flag", ours)
    alone(f"ours, {count} flags", ours_all, 20_000 // count, count)
    with tempfile.TemporaryDirectory() as folder:
        cache = FileCache("bench", directory=folder)
        cache.bootstrap_from_dict(UNLEASH)
        unleash = UnleashClient(
            "http://127.0.0.1:1", "bench", cache=cache, disable_metrics=True,
            disable_registration=True, verbose_log_level=logging.CRITICAL,
        )  # fmt: skip
        unleash.initialize_client(fetch_toggles=False)
        alone(
            "UnleashClient",
            lambda user: unleash.is_enabled("bench-0000", {"userId": f"u{user}", "country": "DE"}),
        )
        unleash.destroy()
    growthbook = GrowthBook(features=GROWTHBOOK)

    def asked(user: int) -> Any:
        growthbook.set_attributes({"id": f"u{user}", "country": "DE"})
        return growthbook.is_on("bench-0000")

    alone("GrowthBook", asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flags", type=int, default=100)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--port", type=int, default=8120)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    without_a_network(options.flags)
    stack = Stack(options.port)
    try:
        for number in range(options.flags):
            flag = {"key": f"bench-{number:04}", "type": "boolean", "enabled": True, "rules": RULES}
            stack.api("POST", "/flags", flag)
        time.sleep(1)
        measure(stack, "OFREP, one flag", f"{PATH}/bench-0000", options)
        measure(stack, f"OFREP, {options.flags} flags", PATH, options, options.flags)
        etag = stack.etag(PATH, {"context": {"targetingKey": "u0", "country": "DE"}})
        name = f"OFREP, {options.flags} flags, nothing new (304)"
        measure(stack, name, PATH, options, options.flags, etag)
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
