"""The JavaScript clients, where node and their packages are there (`make node-clients`)."""

import json
from typing import Any

import pytest

from events.query.answer import answer
from projects.models import Environment
from tests.clients.node_clients import needs, run
from tests.clients.serving import granian

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("event_store"),
    *needs("libhoney"),
]


def counted(environment: Environment, **spec: Any) -> list[dict[str, Any]]:
    return [row["data"] for row in answer(environment.id, spec)["results"]]


@pytest.mark.parametrize("form", ["proto", "json"])
def test_opentelemetrys_sdk_for_javascript_arrives_with_its_flags(
    ingest_key: str, environment: Environment, form: str
) -> None:
    with granian() as url:
        run("opentelemetry.mjs", url, ingest_key, form, "60", "gzip")
    found = counted(
        environment,
        breakdowns=["flags.F", "flags.G", "build_id", "service"],
        calculations=[{"op": "COUNT"}, {"op": "SUM", "column": "n"}],
    )
    assert sorted((row["flags.F"], row["flags.G"], row["COUNT"]) for row in found) == [
        ("off", "x", 30),
        ("on", "x", 30),
    ]
    assert sum(row["SUM(n)"] for row in found) == 59 * 30
    assert {(row["build_id"], row["service"]) for row in found} == {("7.1", "js")}


def test_libhoney_for_javascript_hears_202_for_each_event(
    live_server: Any, ingest_key: str, environment: Environment
) -> None:
    heard = json.loads(run("honeycomb.mjs", live_server.url, ingest_key, "120").splitlines()[-1])
    assert heard == [202] * 120
    assert counted(environment, breakdowns=["service"]) == [{"service": "js shop", "COUNT": 120}]
