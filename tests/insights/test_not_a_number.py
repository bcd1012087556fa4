"""NaN and Infinity through every format that can carry them, and what a reader is told after it."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack
import orjson
import pytest
from django.test import Client

from events.query.answer import answer
from events.query.spec import QueryError
from projects.models import Environment
from tests.events import otlp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
Json = dict[str, Any]

NOW = datetime.now(UTC).replace(microsecond=0)
FLAG = "odd"
EACH = 120
NONE = (float("nan"), float("inf"), float("-inf"))


def rows(service: str) -> list[Json]:
    """Requests of two variants, each with a number that is none and one that is."""
    chance = random.Random(service)
    return [
        {
            "service": service,
            "user": f"{service} {number}",
            "variant": ("off", "on")[number % 2],
            "ms": 100 * chance.lognormvariate(0, 0.4),
            "basket": NONE[number % 3],
            "items": 3.5,
            "at": NOW - timedelta(seconds=EACH - number),
        }
        for number in range(EACH)
    ]


def plain(of: list[Json]) -> list[Json]:
    return [
        {
            **{"time": one["at"].isoformat(), "service": one["service"], "route": "/"},
            **{"user_id": one["user"], "duration_ms": one["ms"], "status_code": 200},
            **{"flags": {FLAG: one["variant"]}, "basket": one["basket"], "items": one["items"]},
        }
        for one in of
    ]


def honeycomb(of: list[Json]) -> list[Json]:
    return [
        {
            "time": one["at"].isoformat(),
            "data": {
                **{"service.name": one["service"], "http.route": "/", "user.id": one["user"]},
                **{"duration_ms": one["ms"], "http.status_code": 200, "basket": one["basket"]},
                **{f"feature_flag.{FLAG}": one["variant"], "items": one["items"]},
            },
        }
        for one in of
    ]


def spans(of: list[Json]) -> Json:
    return otlp.traces(
        *(
            otlp.span(
                {
                    **{"http.route": "/", "user.id": one["user"], "items": one["items"]},
                    **{"http.response.status_code": 200, f"feature_flag.{FLAG}": one["variant"]},
                    "basket": one["basket"],
                },
                trace=f"{random.Random(one['user']).getrandbits(128):032x}",
                at_ns=int(one["at"].timestamp() * 1e9),
                took_ns=int(one["ms"] * 1e6),
            )
            for one in of
        ),
        resource={"service.name": of[0]["service"]},
    )


def spelt(of: Json) -> Json:
    """As protobuf's JSON form has it: what is no number is written as text."""
    told = {"NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity"}
    found: Json = json.loads(json.dumps(of), parse_constant=told.get)
    return found


FORMATS: dict[str, tuple[str, str, Callable[[list[Json]], Any]]] = {
    "array": ("/api/v1/events", "application/json", lambda of: json.dumps(plain(of))),
    "lines": (
        "/api/v1/events",
        "application/x-ndjson",
        lambda of: "\n".join(json.dumps(one) for one in plain(of)),
    ),
    "batch": ("/1/batch/b", "application/json", lambda of: json.dumps(honeycomb(of))),
    "packed": ("/1/batch/p", "application/msgpack", lambda of: msgpack.packb(honeycomb(of))),
    "otlp-json": ("/v1/traces", "application/json", lambda of: json.dumps(spelt(spans(of)))),
    "otlp": ("/v1/traces", "application/x-protobuf", lambda of: otlp.as_protobuf(spelt(spans(of)))),
}


def asked(token: str, path: str) -> tuple[int, Json]:
    """What the API says, which must be JSON that every reader understands."""
    response = Client().get(
        f"/api/v1/projects/acme/environments/production/{path}",
        headers={"authorization": f"Bearer {token}"},
    )
    orjson.loads(response.content)  # strict: no NaN and no Infinity
    return response.status_code, response.json()


@pytest.mark.parametrize("name", FORMATS)
def test_a_number_that_is_none_is_set_aside_its_event_counts_and_the_answer_is_all_numbers(
    environment: Environment, ingest_key: str, api_token: str, viewer_page: Client, name: str
) -> None:
    path, form, body = FORMATS[name]
    response = Client().post(
        path,
        body(rows(name)),
        content_type=form,
        headers={"authorization": f"Bearer {ingest_key}", "X-Honeycomb-Team": ingest_key},
    )
    assert response.status_code == 200, response.content
    kept = {"filters": [{"column": "service", "op": "=", "value": name}]}
    wanted = [{"op": "COUNT"}, *({"op": op, "column": "items"} for op in ("MAX", "SUM"))]
    found = answer(environment.id, {**kept, "calculations": wanted, "time_range": 86_400})
    told = found["results"][0]["data"]
    assert (told["COUNT"], told["MAX(items)"], told["SUM(items)"]) == (EACH, 3.5, 3.5 * EACH)
    with pytest.raises(QueryError, match="has a field named basket"):
        answer(environment.id, {"calculations": [{"op": "MAX", "column": "basket"}]})
    status, compared = asked(api_token, f"comparisons?flag={FLAG}&service={name}")
    assert status == 200
    events = [compared[side]["events"] for side in ("baseline", "candidate")]
    assert events == [EACH // 2 - 1, EACH // 2]  # the very first was alone: nothing was beside it
    assert {one["measure"] for one in compared["deltas"]} >= {"latency_p50", "error_rate"}
    data = viewer_page.get("/acme/production/data").content.decode()
    assert "NaN and Infinity, set aside" in data


@pytest.mark.parametrize("value", NONE)
def test_a_duration_that_is_no_number_is_refused_by_name(
    environment: Environment, ingest_key: str, value: float
) -> None:
    broken = plain(rows("shop")[:2])
    broken[1]["duration_ms"] = value
    answered = Client().post(
        "/api/v1/events",
        json.dumps(broken),
        content_type="application/json",
        headers={"authorization": f"Bearer {ingest_key}"},
    )
    assert answered.json() == {
        "accepted": 1,
        "rejected": [{"index": 1, "error": "duration_ms: must be a number, 0 or more"}],
    }
