"""Things with readable defaults, made as users make them: over the contract."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.test import Client

Json = dict[str, Any]
ROUTES = {"/": 40.0, "/search": 120.0, "/export": 200.0}


def sent(key: str, path: str, body: Any) -> Any:
    """POSTs `body` with an ingest key; the answer's content."""
    response = Client().post(
        path,
        orjson.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert response.status_code in (200, 201), response.content
    return response.json()


def events(key: str, rows: Iterable[Json]) -> None:
    """Stores events through `POST /api/v1/events`, all of them."""
    rows = list(rows)
    assert sent(key, "/api/v1/events", rows) == {"accepted": len(rows), "rejected": []}


def visits(
    *,
    begin: datetime,
    minutes: float,
    count: int = 1500,
    users: int = 400,
    seed: int = 1,
    **same: Any,
) -> list[Json]:
    """Requests to `shop` by `users` over some minutes, spread evenly; `same` is set on each."""
    chance = random.Random(seed)
    pace = [chance.lognormvariate(0, 0.3) for _ in range(users)]
    rows = []
    for number in range(count):
        user = chance.randrange(users)
        route = chance.choice(list(ROUTES))
        at = begin + timedelta(minutes=minutes * (number + chance.random()) / count)
        rows.append(
            {
                "time": at.astimezone(UTC).isoformat(),
                "service": "shop",
                "name": f"GET {route}",
                "method": "GET",
                "route": route,
                "status_code": 200,
                "duration_ms": ROUTES[route] * pace[user] * chance.lognormvariate(0, 0.4),
                "user_id": f"u{user}",
                "build_id": "b1",
                "country": "NZ" if user % 5 == 0 else "US",
                **same,
            }
        )
    return rows


def split(rows: Iterable[Json], flag: str, *, slower: float = 1.0, refused: float = 0.0) -> None:
    """Half of the users get `flag` on, which makes their exports slower and some answered 402."""
    chance = random.Random(flag)
    sides = {row["user_id"]: random.Random(flag + row["user_id"]).random() < 0.5 for row in rows}
    for row in rows:
        on = sides[row["user_id"]]
        row.setdefault("flags", {})[flag] = "on" if on else "off"
        if on and row["route"] == "/export":
            row["duration_ms"] *= slower
            if chance.random() < refused:
                row["status_code"] = 402
