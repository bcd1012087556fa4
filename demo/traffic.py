"""Who asks for what, and how often: the same demand for history and for live traffic."""

import math
import random
from zoneinfo import ZoneInfo

from demo.people import Directory, Person
from demo.shop.service import Request
from demo.story import utc

ZONE = ZoneInfo("America/New_York")
MIX = {
    ("GET", "/"): 0.19,
    ("GET", "/search"): 0.20,
    ("GET", "/product/{id}"): 0.19,
    ("GET", "/cart"): 0.08,
    ("POST", "/login"): 0.07,
    ("POST", "/payment"): 0.08,
    ("GET", "/export"): 0.19,
}
WORDS = ("lamp", "oak table", "chair", "rug 200x300", "desk", "bed linen", "vase", "mirror")
PRODUCTS = 480


class Demand:
    """Requests a second over time: a daily cycle, `rate` at `now_s`."""

    def __init__(self, rate: float, now_s: float) -> None:
        self._scale = rate / _shape(now_s)

    def at(self, seconds: float) -> float:
        return self._scale * _shape(seconds)


def _shape(seconds: float) -> float:
    here = utc(seconds).astimezone(ZONE)
    hour = here.hour + here.minute / 60 + here.second / 3600
    busy = 1 + 0.42 * math.cos((hour - 15) / 24 * math.tau)
    weekend = 0.85 if here.weekday() >= 5 else 1.0
    ripple = 1 + 0.04 * math.sin(seconds / 613) + 0.03 * math.sin(seconds / 171)
    return busy * weekend * ripple


class Visitors:
    """Draws the next request: a person in proportion to their appetite, then a route."""

    def __init__(self, directory: Directory, chance: random.Random) -> None:
        self._directory = directory
        self._chance = chance
        self._routes = list(MIX)
        self._shares = list(MIX.values())

    def next(self, seconds: float) -> Request:
        chance = self._chance
        person = self._directory.draw(chance)
        method, route = chance.choices(self._routes, self._shares)[0]
        path = route.replace("{id}", f"p-{chance.randrange(PRODUCTS)}")
        query = {}
        if route == "/search":
            query = {"q": chance.choice(WORDS)}
        elif route == "/export":
            query = {"format": chance.choice(("csv", "csv", "xlsx"))}
        return Request(method, path, query, _headers(person, seconds))


def _headers(person: Person, seconds: float) -> dict[str, str]:
    return {
        "x-user-id": person.user_id,
        "user-agent": person.user_agent,
        "x-app-platform": person.platform,
        "x-app-version": person.app_version,
        "x-session-id": f"{person.user_id}-{int(seconds // 1800):x}",
    }
