"""Every number on a change's page is in its sheet and in the API."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from insights.sheets import csv_text
from projects.models import Environment
from tests import make
from tests.insights.conftest import Shop

API = "/api/v1/projects/acme/environments/production/changes"


def shifting_shop(environment: Environment, key: str) -> Shop:
    """A flag that harms with build b2 only and moves its users from / to /search."""
    now = datetime.now(UTC).replace(microsecond=0)
    rows = make.visits(begin=now - timedelta(minutes=30), minutes=30, count=4000)
    make.split(rows, "NEW_HOME", slower=3.0, refused=0.1)
    for number, row in enumerate(rows):
        row["build_id"] = f"b{number % 2 + 1}"
        on = row["flags"]["NEW_HOME"] == "on"
        if on and row["build_id"] == "b1" and row["route"] == "/export":
            row["duration_ms"] /= 3.0
        if on and row["route"] == "/" and number % 3:
            row["route"], row["name"] = "/search", "GET /search"
    make.events(key, rows)
    return Shop(environment, now, key)


@pytest.mark.django_db
def test_a_sheet_and_the_api_hold_every_number_of_the_page(
    event_store: None, environment: Environment, ingest_key: str, api_token: str
) -> None:
    shop = shifting_shop(environment, ingest_key)
    shop.look()
    shop.look()
    watch = shop.watch(flag="NEW_HOME")
    result = watch.result
    rows = list(csv.DictReader(io.StringIO(csv_text([watch]))))
    by_kind = {kind: [row for row in rows if row["row"] == kind] for kind in {*_kinds(rows)}}
    assert len(by_kind["delta"]) == len(result["deltas"])
    assert result["builds"] is not None
    assert {row["build"] for row in by_kind["build"]} == {"b1", "b2"}
    assert len(by_kind["build"]) == len(result["builds"]["rows"])
    first = result["builds"]["rows"][0]
    assert float(by_kind["build"][0]["candidate"]) == first["candidate"]
    moved = {row["route"]: float(row["difference"]) for row in by_kind["mix"] if row["route"]}
    assert moved["/search"] > 0.05
    assert moved["/"] < -0.05
    assert by_kind["mix"][-1]["measure"] == "latency_mean_with_the_shift"
    assert len(by_kind["distribution"]) == sum(len(one["ms"]) for one in result["curves"])
    assert len(by_kind["look"]) == len(watch.history) > 0
    assert int(by_kind["cohorts"][0]["baseline_units"]) == result["baseline"]["units"]
    assert {"segment", "successes"} & by_kind.keys()


def _kinds(rows: list[dict[str, str]]) -> list[str]:
    return [row["row"] for row in rows]


@pytest.mark.django_db
def test_the_api_tells_the_cohorts_curves_and_looks_of_a_change(shop: Shop, api_token: str) -> None:
    shop.look()
    change = shop.change(kind="deploy")
    answer = Client(headers={"authorization": f"Bearer {api_token}"}).get(f"{API}/{change.id}")
    (one,) = answer.json()["comparisons"]
    assert one["headline"]
    assert one["looks"] == 1
    assert set(one) >= {"baseline", "candidate", "sample_ratio", "health", "curves", "certainty"}
