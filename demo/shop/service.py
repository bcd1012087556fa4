"""What every service of the shop is: routes, a span per request, calls to its neighbours."""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from demo.clock import Clock
from demo.flags import Flags
from demo.people import Directory, Person
from demo.telemetry import TimedSpan, Tracing


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    at_ns: int = 0  # by the shop's clock, where it came over HTTP


class Refused(Exception):
    """The request is answered with this status; nothing is broken."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Peer(Protocol):
    """Another service, in this process or across the network."""

    def ask(self, request: Request) -> Response:
        """Its answer."""


@dataclass(frozen=True, slots=True)
class Build:
    """What runs: a version of one service, and what is wrong with it."""

    service: str
    version: str
    flaws: frozenset[str] = frozenset()


class Call:
    """One request while its route's code runs."""

    def __init__(
        self, service: "Service", request: Request, person: Person, span: TimedSpan, part: str
    ) -> None:
        self.request = request
        self.person = person
        self.part = part  # what `{…}` in the route stood for
        self.chance = service.chance
        self.clock = service.clock
        self.build = service.build
        self._service = service
        self._span = span

    def work(self, milliseconds: float, *, spread: float = 0.35) -> float:
        """Do something that usually takes so long: longer for large accounts, now and then
        much longer. Returns the seconds it took."""
        seconds = milliseconds / 1000 * self.person.pace * self.chance.lognormvariate(0, spread)
        self.clock.sleep(seconds)
        return seconds

    def flag(self, key: str) -> bool:
        return self._service.flags.on(
            key, self.person.user_id, plan=self.person.plan, country=self.person.country
        )

    def note(self, **facts: AttributeValue) -> None:
        """Put facts on the request's event; `__` in a name stands for a dot."""
        self._span.set_attributes({key.replace("__", "."): value for key, value in facts.items()})

    def step(self, name: str) -> Any:
        """A span inside the request, for a part of the work worth telling apart."""
        return self._service.tracing.span(name)

    def ask(self, neighbour: str, method: str, path: str, **query: str) -> Response:
        """Call another service as this user; a 5xx of its own makes this request fail too."""
        headers = {"x-user-id": self.person.user_id}
        inject(headers)
        answer = self._service.peers[neighbour].ask(Request(method, path, query, headers))
        if answer.status >= 500:
            message = f"{neighbour} answered {answer.status}"
            raise RuntimeError(message)
        return answer


Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str
    handler: Handler

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(self.template)) + "$")


class Service:
    """One running instance of one service."""

    def __init__(
        self,
        build: Build,
        routes: tuple[Route, ...],
        *,
        tracing: Tracing,
        flags: Flags,
        clock: Clock,
        directory: Directory,
        chance: random.Random,
        peers: Mapping[str, Peer],
    ) -> None:
        self.build = build
        self.tracing = tracing
        self.flags = flags
        self.clock = clock
        self.directory = directory
        self.chance = chance
        self.peers = peers
        self._routes = [(route, route.pattern) for route in routes]

    def ask(self, request: Request) -> Response:
        """Answer a request, with a SERVER span around it; never raises."""
        route, part = self._match(request)
        person = self.directory.find(request.headers.get("x-user-id", ""))
        name = f"{request.method} {route.template}" if route else request.method
        parent = extract(request.headers, Context())
        with self.tracing.span(
            name,
            SpanKind.SERVER,
            parent=parent,
            attributes=self._described(request, route, person),
        ) as span:
            answer = self._answer(request, route, person, span, part)
            span.set_attribute("http.response.status_code", answer.status)
        return answer

    def _answer(
        self,
        request: Request,
        route: Route | None,
        person: Person | None,
        span: TimedSpan,
        part: str,
    ) -> Response:
        if route is None:
            return Response(404)
        if person is None:
            return Response(401)
        try:
            return route.handler(Call(self, request, person, span, part))
        except Refused as refused:
            span.set_attribute("refused.reason", str(refused))
            return Response(refused.status, {"error": str(refused)})
        except Exception as problem:  # the edge of a service: whatever broke, it answers 500
            span.record_exception(problem)
            span.set_status(Status(StatusCode.ERROR, str(problem)))
            span.set_attribute("error.type", type(problem).__name__)
            return Response(500, {"error": "Something went wrong"})

    def _match(self, request: Request) -> tuple[Route | None, str]:
        for route, pattern in self._routes:
            if route.method == request.method and (found := pattern.match(request.path)):
                return route, found.group(1) if found.groups() else ""
        return None, ""

    def _described(
        self, request: Request, route: Route | None, person: Person | None
    ) -> dict[str, AttributeValue]:
        facts: dict[str, AttributeValue] = {
            "http.request.method": request.method,
            "url.path": request.path,
            "url.scheme": "http",
            "server.address": f"{self.build.service}.acme.internal",
            "network.protocol.version": "1.1",
            "request.id": f"{self.chance.getrandbits(64):016x}",
        }
        if route:
            facts["http.route"] = route.template
        if person:
            facts |= {
                "user.id": person.user_id,
                "plan": person.plan,
                "country": person.country,
                "language": person.language,
                "client.region": person.region,
                "account.age_days": person.account_age_days,
            }
        if agent := request.headers.get("user-agent"):
            facts["user_agent.original"] = agent
        if platform := request.headers.get("x-app-platform"):
            facts["app.platform"] = platform
            facts["app.version"] = request.headers.get("x-app-version", "")
            facts["session.id"] = request.headers.get("x-session-id", "")
        return facts
