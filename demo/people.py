"""Who uses the shop: a few thousand people, the same ones in every run with the same seed.

Their pace (how much larger than usual what they ask for is) and their appetite (how often they
come) have heavy tails, because real users' do: a few bring much of the traffic.
"""

import random
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

COUNTRIES = {
    "US": (0.34, "en-US", "USD", "us-east-1"),
    "GB": (0.13, "en-GB", "GBP", "eu-west-1"),
    "DE": (0.12, "de-DE", "EUR", "eu-central-1"),
    "JP": (0.09, "ja-JP", "JPY", "ap-northeast-1"),
    "NZ": (0.08, "en-NZ", "NZD", "ap-southeast-2"),
    "FR": (0.08, "fr-FR", "EUR", "eu-central-1"),
    "BR": (0.07, "pt-BR", "BRL", "us-east-1"),
    "IN": (0.06, "en-IN", "INR", "ap-northeast-1"),
    "AU": (0.03, "en-AU", "AUD", "ap-southeast-2"),
}
PLANS = {"free": 0.62, "pro": 0.29, "enterprise": 0.09}
PLATFORMS = {"web": 0.52, "ios": 0.27, "android": 0.21}
APP_VERSIONS = {
    "web": ("2026.47", "2026.46"),
    "ios": ("8.4.1", "8.4.0", "8.2.3"),
    "android": ("8.4.1", "8.3.0", "7.9.2"),
}
USER_AGENTS = {
    "web": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
    "ios": "AcmeShop/8 CFNetwork/3826 Darwin/25.1",
    "android": "AcmeShop/8 okhttp/5.3",
}


@dataclass(frozen=True, slots=True)
class Person:
    user_id: str
    country: str
    language: str
    currency: str
    region: str
    plan: str
    platform: str
    app_version: str
    user_agent: str
    account_age_days: int
    pace: float  # multiplies the size of what they ask for; median 1
    appetite: float  # their share of the traffic, not normalised


class Directory:
    """Everyone by id, and a draw of who comes next in proportion to their appetite."""

    def __init__(self, *, seed: int, size: int = 3_200) -> None:
        chance = random.Random(f"people {seed}")
        self.people = [_person(number, chance) for number in range(1, size + 1)]
        self._by_id = {person.user_id: person for person in self.people}
        self._edges = list(accumulate(person.appetite for person in self.people))

    def find(self, user_id: str) -> Person | None:
        return self._by_id.get(user_id)

    def draw(self, chance: random.Random) -> Person:
        return self.people[bisect(self._edges, chance.random() * self._edges[-1])]


def _person(number: int, chance: random.Random) -> Person:
    country = _pick({name: facts[0] for name, facts in COUNTRIES.items()}, chance)
    _, language, currency, region = COUNTRIES[country]
    plan = _pick(PLANS, chance)
    platform = _pick(PLATFORMS, chance)
    larger = {"free": 0.92, "pro": 1.05, "enterprise": 1.35}[plan]
    return Person(
        user_id=f"u-{number:05d}",
        country=country,
        language=language,
        currency=currency,
        region=region,
        plan=plan,
        platform=platform,
        app_version=chance.choice(APP_VERSIONS[platform]),
        user_agent=USER_AGENTS[platform],
        account_age_days=int(chance.expovariate(1 / 420)),
        pace=larger * chance.lognormvariate(0, 0.35),
        appetite=chance.lognormvariate(0, 0.9),
    )


def _pick(shares: dict[str, float], chance: random.Random) -> str:
    return chance.choices(list(shares), weights=list(shares.values()))[0]
