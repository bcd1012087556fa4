"""Honeycomb's own Python clients, pointed at a live server by a URL and a key."""

import math
import random
from typing import Any

import beeline
import libhoney
import pytest

from events.query.answer import answer
from projects.models import Environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("event_store")]


def counted(environment: Environment, **spec: Any) -> list[dict[str, Any]]:
    return [row["data"] for row in answer(environment.id, spec)["results"]]


def test_libhoney_loses_nothing_whatever_it_is_given(
    live_server: Any, ingest_key: str, environment: Environment
) -> None:
    client = libhoney.Client(
        writekey=ingest_key, dataset="my shop", api_host=live_server.url, sample_rate=2
    )
    random.seed(7)
    sent = 0
    for number in range(250):
        event = client.new_event()
        event.add({"duration_ms": number / 7, "status_code": 200, "user.id": f"u{number % 9}"})
        if number % 10 == 0:
            event.add({"nan": math.nan, "huge": 2**70, "half": "\ud800", "deep": {"a": [1]}})
        event.send_presampled()
        sent += 1
    client.close()
    answers = []
    while not client.responses().empty():
        answers.append(client.responses().get())
    codes = [one["status_code"] for one in answers if one]
    assert codes == [202] * sent
    assert counted(environment, breakdowns=["service"]) == [
        {"service": "my shop", "COUNT": 2 * sent}
    ]


def test_a_beelines_spans_become_events_with_their_tree(
    live_server: Any, ingest_key: str, environment: Environment
) -> None:
    beeline.init(writekey=ingest_key, dataset="shop", service_name="shop", api_host=live_server.url)
    for number in range(20):
        with beeline.tracer("GET /export"):
            beeline.add_context({"type": "http_server", "response.status_code": 200})
            with beeline.tracer("render"):
                beeline.add_context_field("feature_flag.F", "on" if number % 2 else "off")
    beeline.close()
    entries = [{"column": "entry", "op": "=", "value": True}]
    assert counted(environment) == [{"COUNT": 40}]
    found = counted(environment, filters=entries, breakdowns=["flags.F", "name"])
    assert sorted((row["flags.F"], row["name"], row["COUNT"]) for row in found) == [
        ("off", "GET /export", 10),
        ("on", "GET /export", 10),
    ]
