"""Exposures without a trace: posted as JSON, tied to the user's later requests in any order."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.test import Client

from events import tied
from events.query.answer import answer
from projects.models import Environment

pytestmark = pytest.mark.usefixtures("event_store")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)


def post(key: str, path: str, body: Any) -> dict[str, Any]:
    response = Client().post(
        path, orjson.dumps(body), content_type="application/json", headers={"X-API-Key": key}
    )
    assert response.status_code == 200, response.content
    found: dict[str, Any] = json.loads(response.content)
    return found


def at(minutes: float) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat()


def look() -> None:
    tied.tie_all(datetime.now(UTC) + tied.SETTLED)


def variants(environment: Environment, flag: str = "F") -> dict[str | None, int]:
    found = answer(environment.id, {"breakdowns": [f"flags.{flag}"], "time_range": 86_400})
    return {row["data"][f"flags.{flag}"]: row["data"]["COUNT"] for row in found["results"]}


EXPOSED = [
    {"flag": "F", "variant": "off", "user_id": "ada", "time": at(0)},
    {"flag": "F", "variant": "on", "user_id": "ada", "time": at(10), "reason": "split"},
    {"feature_flag.key": "F", "feature_flag.result.variant": True, "user.id": "bob",
     "time": at(5)},
    {"flag": "G", "variant": "x", "user_id": "eve", "time": at(0)},
]  # fmt: skip
REQUESTS = [
    {"service": "web", "user_id": "ada", "time": at(-1), "n": 0},  # before any: not known
    {"service": "web", "user_id": "ada", "time": at(5), "n": 1},  # off
    {"service": "web", "user_id": "ada", "time": at(15), "n": 2},  # on
    {"service": "web", "user_id": "bob", "time": at(6), "n": 3},  # on
    {"service": "web", "user_id": "eve", "time": at(6), "n": 4},  # another flag only
    {"service": "web", "user_id": "ada", "time": at(20), "n": 5, "flags": {"F": "off"}},  # its own
]


@pytest.mark.parametrize("order", list(itertools.permutations(["e", "r", "look"])), ids="".join)
def test_the_last_exposure_before_a_request_counts_in_any_order(
    ingest_key: str, environment: Environment, order: tuple[str, ...]
) -> None:
    for step in (*order, "look"):
        if step == "e":
            assert post(ingest_key, "/api/v1/exposures", EXPOSED)["accepted"] == 4
        elif step == "r":
            post(ingest_key, "/api/v1/events", REQUESTS)
        else:
            look()
    look()
    assert variants(environment) == {"on": 2, "off": 2, None: 2}
    assert variants(environment, "G") == {"x": 1, None: 5}


def test_an_exposure_is_forgotten_after_a_day(ingest_key: str, environment: Environment) -> None:
    old = {"flag": "F", "variant": "on", "user_id": "ada", "time": at(-25 * 60)}
    post(ingest_key, "/api/v1/exposures", [old])
    post(ingest_key, "/api/v1/events", [{"service": "web", "user_id": "ada", "time": at(0)}])
    look()
    assert variants(environment) == {None: 1}


def test_environments_are_apart(ingest_key: str, environment: Environment, cast: Any) -> None:
    from projects.keys import mint

    other = mint(cast.staging, "ingest", name="s", created_by="x")[1]
    post(other, "/api/v1/exposures", EXPOSED)
    post(ingest_key, "/api/v1/events", REQUESTS[:4])
    look()
    assert variants(environment) == {None: 4}


def test_what_is_no_exposure_is_named(ingest_key: str, environment: Environment) -> None:
    got = post(
        ingest_key,
        "/api/v1/exposures",
        [{"flag": "F"}, {"flag": "F", "variant": "on"}, 7, {"flag": "F", "variant": "on",
         "user_id": "a", "time": "yesterday"}, EXPOSED[0]],
    )  # fmt: skip
    assert got["accepted"] == 1
    said = [one["error"].split(":")[0] for one in got["rejected"]]
    assert said == ["variant", "user_id", "the item is not an object", "time"]
