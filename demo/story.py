"""What happened to the shop: the builds it ran, when, and what else people noted.

Times are hours before the demo's start. One build is worse than the others.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from demo.flipscope import Flipscope
from demo.shop.service import Build

INSTANCES = {
    "shop": ("shop-a", "shop-b", "shop-c"),
    "catalog": ("catalog-a", "catalog-b"),
    "pricing": ("pricing-a", "pricing-b"),
}
REGIONS = {"a": "us-east-1", "b": "eu-west-1", "c": "ap-southeast-2"}
BETWEEN_INSTANCES = timedelta(minutes=4)
FULL_HOURS = 36.0  # what the hours below are told for; a shorter history is told faster
PAYMENT_FLAW = frozenset({"payment-timeout"})


@dataclass(frozen=True, slots=True)
class Deploy:
    at: datetime  # when its first instance started
    build: Build
    title: str
    actor: str = "github-actions"

    @property
    def commit(self) -> str:
        """A commit's name, the same for the same build."""
        mixed = sum(ord(letter) * 31**place for place, letter in enumerate(self.build.version))
        return f"{mixed * 2_654_435_761 % 16**12:012x}"

    def body(self) -> dict[str, str]:
        """As `POST /api/v1/deploys` takes it."""
        service, version = self.build.service, self.build.version
        return {
            "id": f"{service}-{version}-{self.at:%Y%m%dT%H%M%S}",
            "service": service,
            "build_id": version,
            "time": self.at.isoformat(),
            "commit": self.commit,
            "url": f"https://git.acme.example/{service}/commit/{self.commit}",
            "title": self.title,
            "actor": self.actor,
        }


@dataclass(frozen=True, slots=True)
class Marker:
    at: datetime
    title: str
    kind: str
    minutes: int = 0
    service: str = ""

    def body(self) -> dict[str, str]:
        """As `POST /api/v1/markers` takes it."""
        told = {
            "id": f"{self.kind}-{self.at:%Y%m%dT%H%M%S}",
            "title": self.title,
            "kind": self.kind,
            "time": self.at.isoformat(),
        }
        if self.minutes:
            told["end_time"] = (self.at + timedelta(minutes=self.minutes)).isoformat()
        if self.service:
            told["service"] = self.service
        return told


CI = "github-actions"
# hours before the start, service, version, title, actor, flaws
_DEPLOYS: tuple[tuple[float, str, str, str, str, frozenset[str]], ...] = (
    (33, "shop", "4.17.1", "Show delivery dates on product pages", CI, frozenset()),
    (29.5, "catalog", "2.9.0", "Items carry their dimensions", CI, frozenset()),
    (21, "pricing", "1.31.0", "Quotes in the buyer's currency", CI, frozenset()),
    (16, "shop", "4.17.2", "Log in with a passkey", CI, frozenset()),
    (11.5, "catalog", "2.9.1", "Read items in the order of the index", CI, frozenset()),
    (7, "shop", "4.18.0", "Payments through the new bank", CI, PAYMENT_FLAW),
    (7 - 2 / 3, "shop", "4.17.2", "Back to 4.17.2: payments fail", "Tomás Rey", frozenset()),
    (4, "pricing", "1.31.1", "Smaller answers from /quote", CI, frozenset()),
    (1.8, "shop", "4.18.1", "The new bank again, its answers read whole", CI, frozenset()),
)
_FIRST = {"shop": "4.17.0", "catalog": "2.8.3", "pricing": "1.30.2"}
_SEARCH_LAUNCH = 26.0
_MARKERS: tuple[tuple[float, str, str, int], ...] = (
    (
        _SEARCH_LAUNCH,
        "NEW_SEARCH on for half of the users (Mina Okafor: faster ranking)",
        "flag",
        0,
    ),
    (13, "Newsletter sent to 40,000 customers", "campaign", 0),
    (7 - 25 / 60, "Incident: cards declined at checkout", "incident", 30),
    (2.6, "Database failover rehearsal", "infrastructure", 10),
)
CLOSER_LOOKS = ((7.4, 5.8), (1.0, 0.0))  # hours before the start in which more traces are kept


@dataclass(frozen=True, slots=True)
class Story:
    """The past of one demo, told for a start and a length."""

    start: datetime  # when live traffic begins
    hours: float

    @property
    def begins(self) -> datetime:
        return self.start - timedelta(hours=self.hours)

    def ago(self, hours: float) -> datetime:
        """The time that the tables above call so many hours ago."""
        return self.start - timedelta(hours=hours * min(1.0, self.hours / FULL_HOURS))

    @property
    def deploys(self) -> list[Deploy]:
        return [
            Deploy(self.ago(hours), Build(service, version, flaws), title, actor)
            for hours, service, version, title, actor, flaws in _DEPLOYS
        ]

    @property
    def markers(self) -> list[Marker]:
        return [
            Marker(self.ago(hours), title, kind, minutes)
            for hours, title, kind, minutes in _MARKERS
        ]

    def announce(self, product: Flipscope) -> None:
        """Tell what happened, oldest first: all of it before its telemetry arrives, so that a
        build that is seen is known already."""
        happened: list[Deploy | Marker] = [*self.deploys, *self.markers]
        for told in sorted(happened, key=lambda one: one.at):
            if isinstance(told, Deploy):
                product.deploy(told.body())
            else:
                product.marker(told.body())

    @property
    def search_launch(self) -> datetime:
        return self.ago(_SEARCH_LAUNCH)

    def looked_at_closely(self, at: datetime) -> bool:
        return any(self.ago(first) <= at < self.ago(last) for first, last in CLOSER_LOOKS)


class Rollout:
    """Which build each instance runs at a time: instances switch one after the other."""

    def __init__(self, first: dict[str, str], deploys: list[Deploy]) -> None:
        self._steps: dict[str, list[tuple[float, Build]]] = {}
        for service, instances in INSTANCES.items():
            for place, instance in enumerate(instances):
                steps = [(float("-inf"), Build(service, first[service]))]
                for deploy in deploys:
                    if deploy.build.service == service:
                        at = deploy.at + place * BETWEEN_INSTANCES
                        steps.append((at.timestamp(), deploy.build))
                self._steps[instance] = steps

    def running(self, instance: str, seconds: float) -> Build:
        for at, build in reversed(self._steps[instance]):
            if at <= seconds:
                return build
        raise LookupError(instance)

    def last(self) -> dict[str, str]:
        """Each service's version once every instance has switched."""
        return {
            service: self._steps[instances[0]][-1][1].version
            for service, instances in INSTANCES.items()
        }


def told(story: Story) -> Rollout:
    return Rollout(_FIRST, story.deploys)


def quiet(versions: dict[str, str]) -> Rollout:
    """Nothing was deployed: a gap in which the demo did not run."""
    return Rollout(versions, [])


def region(instance: str) -> str:
    return REGIONS[instance[-1]]


def utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
