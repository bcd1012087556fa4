"""A shift of traffic between routes is shown apart and never read as latency."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from insights.cohorts import Comparison, Moment
from insights.examine import Result, examine
from insights.results import mix_json
from projects.models import Environment
from tests.insights.traffic import ROUTES, Request, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
MOVED = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
BEGIN, END = MOVED - timedelta(minutes=60), MOVED + timedelta(minutes=60)
Edit = Callable[[Request, random.Random], None]


def seen(environment: Environment, key: str, edit: Edit) -> Result:
    send(requests(BEGIN, count=8000, users=500, minutes=120, change=edit), key)
    return examine(Comparison(environment.id, Moment(MOVED), BEGIN, END))


def more_exports(request: Request, rng: random.Random) -> None:
    """After the moment half of the visits to the start page are exports, five times as slow."""
    if request.time >= MOVED and request.route == "/" and rng.random() < 0.5:
        request.fields["route"] = "/export"
        request.fields["duration_ms"] *= ROUTES["/export"] / ROUTES["/"]


def test_a_shift_of_traffic_is_not_read_as_latency(
    environment: Environment, ingest_key: str
) -> None:
    result = seen(environment, ingest_key, more_exports)
    assert result.findings == []
    found = mix_json(result)
    assert found is not None
    assert found["sentence"].startswith("Traffic moved from / to /export")
    assert "no difference is seen" in found["sentence"]
    assert found["mean_ratio_with_it"] > 1.15
    by_route = {one["route"]: one for one in found["routes"]}
    assert by_route["/export"]["before"] == pytest.approx(0.33, abs=0.03)
    assert by_route["/export"]["after"] == pytest.approx(0.5, abs=0.03)
    assert "/search" not in by_route


def test_a_mix_that_stays_is_not_told(environment: Environment, ingest_key: str) -> None:
    assert mix_json(seen(environment, ingest_key, lambda request, rng: None)) is None


def test_latency_that_moves_too_is_found_beside_the_shift(
    environment: Environment, ingest_key: str
) -> None:
    def slower_too(request: Request, rng: random.Random) -> None:
        more_exports(request, rng)
        if request.time >= MOVED:
            request.fields["duration_ms"] *= 2

    result = seen(environment, ingest_key, slower_too)
    assert result.verdict == "worse"
    found = mix_json(result)
    assert found is not None
    assert "with the mix held fixed, as everywhere here, it is 2.0× higher" in found["sentence"]
