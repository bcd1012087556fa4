"""Instances in this process: which one answers, and with which build, at a time."""

import random
from collections.abc import Mapping

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler

from demo import story, telemetry
from demo.clock import NANOSECONDS, Clock
from demo.flags import Flags
from demo.people import Directory
from demo.shop import catalog, pricing, storefront
from demo.shop.service import Build, Peer, Request, Response, Service

ROUTES = {"shop": storefront.ROUTES, "catalog": catalog.ROUTES, "pricing": pricing.ROUTES}


class Foundry:
    """Makes instances: everything that one needs besides its build and its name."""

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        clock: Clock,
        flags: Flags,
        directory: Directory,
        chance: random.Random,
        sampler: Sampler | None = None,
    ) -> None:
        self.clock = clock
        self.chance = chance
        self.flags = flags
        self._processor = processor
        self._directory = directory
        self._sampler = sampler

    def instance(self, build: Build, name: str, peers: Mapping[str, Peer]) -> Service:
        provider = telemetry.provider(
            self._processor,
            service=build.service,
            version=build.version,
            instance=name,
            region=story.region(name),
            sampler=self._sampler,
        )
        return Service(
            build,
            ROUTES[build.service],
            tracing=telemetry.Tracing(provider, self.clock),
            flags=self.flags,
            clock=self.clock,
            directory=self._directory,
            chance=self.chance,
            peers=peers,
        )


class Fleet:
    """All instances of all services, called directly; used where time is virtual."""

    def __init__(self, foundry: Foundry, rollout: story.Rollout) -> None:
        self._foundry = foundry
        self._rollout = rollout
        self._made: dict[tuple[str, str], Service] = {}
        self._peers: dict[str, Peer] = {
            name: _Inside(self, name) for name in ("catalog", "pricing")
        }

    def ask(self, service: str, request: Request) -> Response:
        """The answer of one of the service's instances, drawn at random."""
        name = self._foundry.chance.choice(story.INSTANCES[service])
        now_s = self._foundry.clock.now_ns() / NANOSECONDS
        build = self._rollout.running(name, now_s)
        instance = self._made.get((name, build.version))
        if instance is None:
            instance = self._foundry.instance(build, name, self._peers)
            self._made[name, build.version] = instance
        return instance.ask(request)

    def use(self, flags: Flags) -> None:
        """From here on the code asks these flags."""
        self._foundry.flags = flags
        for instance in self._made.values():
            instance.flags = flags


class _Inside:
    """A neighbour in the same process."""

    def __init__(self, fleet: Fleet, service: str) -> None:
        self._fleet = fleet
        self._service = service

    def ask(self, request: Request) -> Response:
        return self._fleet.ask(self._service, request)
