"""A planned flip, seen by many clients of three kinds, with the worker stopped and web restarting.

    python -m benchmarks.flip [--clients 200] [--port 8100]

Starts a stack of its own, plans a flip for 25 s ahead, stops the worker (SIGSTOP) and ends the web
process 10 s before it, so that it is started anew. In-process clients are flagd's provider
for Python over gRPC; server clients ask OFREP single again and again; browser clients ask OFREP
bulk, listen to the event stream that it names, and ask again when told. Prints the distribution of
(first new value − planned time) of each kind, and how many clients saw the old value again.
"""

import argparse
import asyncio
import json
import signal
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from benchmarks.stack import Stack

AHEAD_S, AFTER_S, RESTART_S = 25, 8, 10
FLAG = "FLIP"


@dataclass(slots=True)
class Seen:
    """What the clients of one kind saw."""

    kind: str
    first_s: list[float] = field(default_factory=list)  # after the planned second
    back: int = 0  # clients that saw the old value after the new one
    missed: int = 0  # clients that never saw the new one
    failures: int = 0  # requests without an answer (web was restarting)

    def told(self) -> dict[str, Any]:
        late = sorted(self.first_s)
        return {
            "kind": self.kind,
            "clients": len(late) + self.missed,
            "first_ms": round(late[0] * 1000) if late else None,
            "median_ms": round(statistics.median(late) * 1000) if late else None,
            "p99_ms": round(late[max(int(len(late) * 0.99) - 1, 0)] * 1000) if late else None,
            "last_ms": round(late[-1] * 1000) if late else None,
            "went_back": self.back,
            "missed": self.missed,
            "failed_requests": self.failures,
        }


class Client:
    """One client's memory: when it first saw the new value, and whether it went back."""

    def __init__(self, planned: float) -> None:
        self.planned, self.first, self.back = planned, 0.0, False

    def saw(self, value: bool, at: float) -> None:  # noqa: FBT001
        if value and not self.first:
            self.first = at - self.planned
        elif not value and self.first:
            self.back = True


def _sum(kind: str, clients: list[Client], failures: int = 0) -> Seen:
    seen = Seen(kind, failures=failures)
    for one in clients:
        if one.first:
            seen.first_s.append(one.first)
        else:
            seen.missed += 1
        seen.back += one.back
    return seen


def in_process(count: int, port: int, key: str, planned: float) -> Seen:
    """flagd's provider for Python: evaluates by itself, fed over gRPC."""
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType
    from openfeature.evaluation_context import EvaluationContext

    providers = []
    for _ in range(count):
        provider = FlagdProvider(
            host="127.0.0.1",
            port=port + 15,
            resolver_type=ResolverType.IN_PROCESS,
            selector=key,
            deadline_ms=20_000,
        )
        provider.initialize(EvaluationContext())
        providers.append(provider)
    clients = [Client(planned) for _ in providers]
    while time.time() < planned + AFTER_S:
        for client, provider in zip(clients, providers, strict=True):
            found = provider.resolve_boolean_details(FLAG, False)  # noqa: FBT003
            client.saw(found.value, time.time())
        time.sleep(0.01)
    for provider in providers:
        provider.shutdown()
    return _sum("in-process flagd provider", clients)


async def _ask(url: str, path: str, key: str, headers: str = "") -> tuple[int, Any]:
    """One POST over a connection of its own: (status, body)."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    body = b'{"context":{"targetingKey":"u"}}'
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\n{headers}Connection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    return status, json.loads(rest) if status == 200 else None


def server_side(count: int, url: str, key: str, planned: float) -> Seen:
    """OFREP, single evaluation, four times a second each."""
    clients, failures = [Client(planned) for _ in range(count)], 0

    async def one(client: Client, offset: float) -> None:
        nonlocal failures
        await asyncio.sleep(offset)
        while time.time() < planned + AFTER_S:
            begun = time.time()
            try:
                status, found = await _ask(url, f"/ofrep/v1/evaluate/flags/{FLAG}", key)
                if status == 200:
                    client.saw(found["value"], time.time())
                else:
                    failures += 1
            except (OSError, ValueError, IndexError, TimeoutError):
                failures += 1
            await asyncio.sleep(max(0.25 - (time.time() - begun), 0.01))

    async def all_of_them() -> None:
        await asyncio.gather(*(one(c, 0.25 * i / count) for i, c in enumerate(clients)))

    asyncio.run(all_of_them())
    return _sum("OFREP server provider", clients, failures)


def browsers(count: int, url: str, key: str, planned: float) -> Seen:
    """OFREP bulk, then the event stream that it names, then bulk again whenever told."""
    clients, failures = [Client(planned) for _ in range(count)], 0

    async def fetch(client: Client, told: str = "") -> str:
        nonlocal failures
        query = f"?flagConfigEtag={told}" if told else ""
        for _ in range(40):  # as a provider would: again, until there is an answer
            try:
                status, found = await _ask(url, f"/ofrep/v1/evaluate/flags{query}", key)
                if status == 200:
                    client.saw(found["flags"][0]["value"], time.time())
                    return str(found["eventStreams"][0]["url"])
            except (OSError, ValueError, IndexError, TimeoutError):
                pass
            failures += 1
            await asyncio.sleep(0.25)
        return ""

    async def one(client: Client) -> None:
        stream = urlsplit(await fetch(client))
        reader, writer = await asyncio.open_connection(stream.hostname, stream.port)
        writer.write(
            f"GET {stream.path}?{stream.query} HTTP/1.1\r\nHost: {stream.netloc}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        while (left := planned + AFTER_S - time.time()) > 0:
            try:
                line = await asyncio.wait_for(reader.readline(), left)
            except TimeoutError:
                break
            if line.startswith(b"data: "):
                await fetch(client, json.loads(line[6:])["etag"].strip('"'))
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, clients))

    asyncio.run(all_of_them())
    return _sum("OFREP with SSE, as a browser", clients, failures)


def run(clients: int, port: int) -> tuple[list[Seen], dict[str, Any]]:
    """The whole run: what each kind saw, and the plan as the API tells it afterwards."""
    stack = Stack(port)
    try:
        keys = stack.boot["environments"]["production"]
        stack.api("POST", "/flags", {"key": FLAG, "type": "boolean"})
        planned = int(time.time()) + AHEAD_S
        at = datetime.fromtimestamp(planned, UTC).isoformat()
        patch = {"enabled": True, "default_variant": "on"}
        plan = stack.api("POST", f"/flags/{FLAG}/plans", {"at": at, "patch": patch})
        third, last = clients // 3, clients - 2 * (clients // 3)
        with ProcessPoolExecutor(3) as pool:
            running = [
                pool.submit(in_process, third, port, keys["server_key"], float(planned)),
                pool.submit(server_side, third, stack.url, keys["server_key"], float(planned)),
                pool.submit(browsers, last, stack.url, keys["client_key"], float(planned)),
            ]
            time.sleep(max(planned - RESTART_S - time.time(), 0))
            stack.signal("worker", signal.SIGSTOP)
            stack.signal("web", signal.SIGTERM)
            found = [one.result() for one in running]
        before = stack.api("GET", f"/plans/{plan['id']}")
        if before["steps"][0]["done"]:
            raise SystemExit("the worker was not stopped: nothing is shown")
        stack.signal("worker", signal.SIGCONT)
        deadline = time.monotonic() + 30
        while not (after := stack.api("GET", f"/plans/{plan['id']}"))["steps"][0]["done"]:
            if time.monotonic() > deadline:
                raise SystemExit("the worker did not write the plan down after it went on")
            time.sleep(0.5)
        return found, after
    finally:
        stack.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    found, plan = run(arguments.clients, arguments.port)
    for seen in found:
        print(json.dumps(seen.told()))
    step = plan["steps"][0]
    print(f"effective {step['effective_at']}, recorded {step['recorded_at']}")


if __name__ == "__main__":
    main()
