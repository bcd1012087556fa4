"""Traffic through the running shop, and what its people do to it meanwhile."""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import count, cycle

from demo import story
from demo.flags import USE_CACHING, split
from demo.flipscope import Flipscope, Refusal
from demo.shop.server import Cluster
from demo.shop.service import Build, Request
from demo.traffic import Demand, Visitors

log = logging.getLogger("flipscope.demo")

BROWSERS = 64  # requests at the same time, at most
WAITING = 256  # arrivals that may queue before some are turned away
CACHING_AFTER_S = 10
# After the history is in: until then its writer takes a core, which slows what it is held against.
SILENT_DEPLOY_S = 60
FIRST_DEPLOY_S = 300
DEPLOY_EACH_S = 600
FIRST_FLIP_S = 420
FLIP_EACH_S = 480
BETWEEN_INSTANCES_S = 240

TITLES = (
    "Product pages load their pictures from the nearest region",
    "Carts are kept for thirty days",
    "Fewer queries for the home page",
    "New wording of the order confirmation",
    "Log requests without their query",
    "Update the web framework",
)


class Traffic:
    """Requests arriving at random at the demand's rate, whether or not others are answered."""

    def __init__(self, cluster: Cluster, visitors: Visitors, demand: Demand, seed: int) -> None:
        self._cluster = cluster
        self._visitors = visitors
        self._demand = demand
        self._chance = random.Random(f"live {seed} {time.time()}")
        self._arrivals: queue.Queue[Request] = queue.Queue(WAITING)
        self._stop = threading.Event()
        self.sent = 0
        self.turned_away = 0

    def start(self) -> None:
        threading.Thread(target=self._arrive, name="arrivals", daemon=True).start()
        for number in range(BROWSERS):
            threading.Thread(target=self._browse, name=f"browser-{number}", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _arrive(self) -> None:
        due_s = time.time()
        while not self._stop.is_set():
            due_s += self._chance.expovariate(self._demand.at(due_s))
            late_s = time.time() - due_s
            if late_s < 0:
                self._stop.wait(-late_s)
            elif late_s > 1:  # the machine slept or was busy: nobody comes for the lost time
                due_s = time.time()
            try:
                self._arrivals.put_nowait(self._visitors.next(due_s))
            except queue.Full:
                self.turned_away += 1

    def _browse(self) -> None:
        while not self._stop.is_set():
            try:
                request = self._arrivals.get(timeout=1)
            except queue.Empty:
                continue
            try:
                self._cluster.ask("shop", request)
            except Exception:  # a person whose request failed comes back later
                log.debug("request.failed", exc_info=True)
            else:
                self.sent += 1


class Team:
    """The people of the shop: they turn flags and deploy builds while the demo runs."""

    def __init__(
        self,
        product: Flipscope,
        cluster: Cluster,
        versions: dict[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._product = product
        self._cluster = cluster
        self._say = say
        self._stop = threading.Event()
        self._history_is_in = threading.Event()
        self.versions = dict(versions)

    def start(self, *, turn_caching_on: bool) -> None:
        first = [(float(CACHING_AFTER_S), self._turn_caching_on)] if turn_caching_on else []
        threading.Thread(target=self._work, args=(first,), name="team", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()
        self._history_is_in.set()

    def history_is_in(self) -> None:
        """The machine is the shop's own again: deploys and flips may begin."""
        self._history_is_in.set()

    def _plan(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """What to do, and how many seconds after the history is in."""
        services = cycle(("shop", "pricing", "shop", "catalog"))
        titles = cycle(TITLES)
        flips = cycle(
            (
                ("LAZY_IMAGES", 50),
                ("BLUE_BUTTON", 20),
                ("LAZY_IMAGES", 20),
                ("CHECKOUT_COPY", 20),
                ("BLUE_BUTTON", 50),
                ("CHECKOUT_COPY", 50),
            )
        )
        yield SILENT_DEPLOY_S, self._deploying("catalog")
        deploy_s, flip_s = float(FIRST_DEPLOY_S), float(FIRST_FLIP_S)
        for _ in count():
            if deploy_s <= flip_s:
                yield deploy_s, self._deploying(next(services), next(titles))
                deploy_s += DEPLOY_EACH_S
            else:
                yield flip_s, self._flipping(*next(flips))
                flip_s += FLIP_EACH_S

    def _work(self, first: Iterable[tuple[float, Callable[[], None]]]) -> None:
        self._follow(first)
        self._history_is_in.wait()
        self._follow(self._plan())

    def _follow(self, plan: Iterable[tuple[float, Callable[[], None]]]) -> None:
        begun = time.monotonic()
        for at_s, act in plan:
            if self._stop.wait(max(0.0, begun + at_s - time.monotonic())):
                return
            try:
                act()
            except Refusal as refused:
                self._say(f"demo: {refused}")

    def _turn_caching_on(self) -> None:
        reason = "Ada Lind: exports are slow, try the new cache with half of the users"
        self._product.change_flag(USE_CACHING, {"rules": split(50)}, reason)
        self._say(f"demo: {USE_CACHING} is on for 50% of users: its page will say what it did")

    def _flipping(self, key: str, percent: int) -> Callable[[], None]:
        def flip() -> None:
            reason = f"Mina Okafor: {percent}% of users should see it"
            self._product.change_flag(key, {"rules": split(percent)}, reason)
            self._say(f"demo: {key} is on for {percent}% of users")

        return flip

    def _deploying(self, service: str, title: str = "") -> Callable[[], None]:
        """A deploy with a title is announced; one without is for Flipscope to notice."""

        def deploy() -> None:
            major, minor, patch = self.versions[service].split(".")
            build = Build(service, f"{major}.{minor}.{int(patch) + 1}")
            if title:
                self._product.deploy(story.Deploy(datetime.now(UTC), build, title).body())
            self.versions[service] = build.version
            silently = "" if title else ", without announcing it"
            self._say(f"demo: deploying {service} {build.version}{silently}")
            rollout = threading.Thread(target=self._roll_out, args=(build,), daemon=True)
            rollout.start()

        return deploy

    def _roll_out(self, build: Build) -> None:
        """One instance after the other, so that both builds serve side by side for a while."""
        for place, name in enumerate(story.INSTANCES[build.service]):
            if place and self._stop.wait(BETWEEN_INSTANCES_S):
                return
            self._cluster.start(build, name)
