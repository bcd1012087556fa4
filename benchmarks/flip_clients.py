"""Clients of a planned flip, and what each kind saw: flagd in process, and a stand-in for browsers
where npm's provider is not installed."""

import asyncio
import json
import math
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

AFTER_S = 20
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
            "first_ms": _ms(late, 0.0),
            "p50_ms": _ms(late, 0.5),
            "p99_ms": _ms(late, 0.99),
            "max_ms": _ms(late, 1.0),
            "went_back": self.back,
            "missed": self.missed,
            "failed_requests": self.failures,
        }


def _ms(late: list[float], share: float) -> int | None:
    """The nearest rank: at least this share of the clients that saw it had it by then."""
    return round(late[max(math.ceil(len(late) * share) - 1, 0)] * 1000) if late else None


class Client:
    """One client's memory: when it first saw the new value, and whether it went back."""

    def __init__(self, planned: float) -> None:
        self.planned, self.first, self.back = planned, 0.0, False

    def saw(self, value: bool, at: float) -> None:  # noqa: FBT001
        if value and not self.first:
            self.first = at - self.planned
        elif not value and self.first:
            self.back = True


def summed(kind: str, clients: list[Client], failures: int = 0) -> Seen:
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
    return summed("flagd in process (openfeature-provider-flagd)", clients)


async def _ask(url: str, path: str, key: str) -> tuple[int, Any]:
    """One POST over a connection of its own: (status, body)."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    body = b'{"context":{"targetingKey":"u"}}'
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    return status, json.loads(rest) if status == 200 else None


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
    return summed("OFREP with SSE (not npm's provider: run `make node-clients`)", clients, failures)
