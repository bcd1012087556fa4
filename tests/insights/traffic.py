"""Requests sent through the real intake, so that tests ask the real store about them."""

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.test import Client

ROUTES = {"/": 40.0, "/search": 120.0, "/export": 200.0}
BATCH = 5000


@dataclass(frozen=True, slots=True)
class Request:
    """One request before it is sent; `change` of `send` edits its fields."""

    time: datetime
    user: str
    route: str
    fields: dict[str, Any]


def on(flag: str, user: str, share: float = 0.5) -> bool:
    """Whether a split by hash serves this user the candidate; the same at every call."""
    return random.Random(f"{flag} {user}").random() < share


def requests(
    since: datetime,
    *,
    count: int,
    users: int = 300,
    minutes: float = 30,
    seed: int = 1,
    service: str = "shop",
    change: Callable[[Request, random.Random], None] = lambda request, rng: None,
) -> list[dict[str, Any]]:
    """Heavy-tailed requests of users who differ; `change` may edit each one's fields."""
    rng = random.Random(seed)
    slow = {n: rng.gauss(0, 0.4) for n in range(users)}
    found = []
    for n in range(count):
        number = int(users * rng.random() ** 1.5)
        route = rng.choice(list(ROUTES))
        at = since + timedelta(minutes=minutes * n / count)
        fields: dict[str, Any] = {
            "time": at.isoformat(),
            "service": service,
            "name": f"GET {route}",
            "route": route,
            "method": "GET",
            "status_code": 200,
            "error": False,
            "user_id": f"u{number}",
            "duration_ms": ROUTES[route] * math.exp(slow[number] + rng.gauss(0, 0.5)),
            "flags": {},
        }
        request = Request(at, f"u{number}", route, fields)
        if rng.random() < 0.004:
            fields |= {"status_code": 500, "error": True}
        change(request, rng)
        found.append(fields)
    return found


def send(events: list[dict[str, Any]], key: str) -> None:
    """Through the public intake; every event must be accepted."""
    client = Client()
    for start in range(0, len(events), BATCH):
        batch = events[start : start + BATCH]
        answer = client.post(
            "/api/v1/events",
            data=json.dumps(batch),
            content_type="application/json",
            headers={"authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 200, answer.content
        assert answer.json()["accepted"] == len(batch), answer.json()["rejected"][:3]
