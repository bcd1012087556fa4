import random
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from demo import flags
from demo.clock import VirtualClock
from demo.people import Directory
from demo.shop.fleet import Fleet, Foundry
from demo.shop.service import Build, Request, Response
from demo.story import INSTANCES, Rollout, quiet
from tests.demo.collector import Collector, collecting, document

START_NS = 1_800_000_000_000_000_000


class Shop:
    """The whole shop on a virtual clock, its spans kept in memory."""

    def __init__(self, percents: dict[str, int], rollout: Rollout, *, seed: int = 7) -> None:
        self.spans = InMemorySpanExporter()
        self.clock = VirtualClock(START_NS)
        self.chance = random.Random(seed)
        self.directory = Directory(seed=1, size=400)
        foundry = Foundry(
            SimpleSpanProcessor(self.spans),
            clock=self.clock,
            flags=flags.local(document(percents), domain=f"test {percents}"),
            directory=self.directory,
            chance=self.chance,
        )
        self.fleet = Fleet(foundry, rollout)

    def ask(
        self, method: str, path: str, user_id: str = "", **query: str
    ) -> tuple[Response, float]:
        """The answer and the milliseconds it took."""
        user_id = user_id or self.directory.draw(self.chance).user_id
        self.clock.set(START_NS)
        answer = self.fleet.ask("shop", Request(method, path, query, {"x-user-id": user_id}))
        return answer, (self.clock.now_ns() - START_NS) / 1e6

    def visit(self, method: str, path: str, times: int) -> list[tuple[int, float]]:
        """Status and milliseconds of as many requests by people drawn at random."""
        asked = (self.ask(method, path) for _ in range(times))
        return [(answer.status, took_ms) for answer, took_ms in asked]


@pytest.fixture
def open_shop() -> Callable[..., Shop]:
    def opened(percents: dict[str, int] | None = None, rollout: Rollout | None = None) -> Shop:
        return Shop(percents or {}, rollout or quiet(dict.fromkeys(INSTANCES, "1.0.0")))

    return opened


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def build(version: str, *flaws: str) -> Build:
    return Build("shop", version, frozenset(flaws))
