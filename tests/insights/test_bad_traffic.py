"""Bad traffic through the real intake, store and pages: what a reader is told of each."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from insights import rounds, watches
from insights.models import Watch
from projects.models import Environment
from tests.insights.traffic import Request, on, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(minutes=30)
HALF_WAY = START + timedelta(minutes=15)


def no_user(request: Request, rng: random.Random) -> None:
    del request.fields["user_id"]


def all_errors(request: Request, rng: random.Random) -> None:
    request.fields.update({"status_code": 500, "error": True})


def zero_durations(request: Request, rng: random.Random) -> None:
    request.fields["duration_ms"] = 0


def giant_user(request: Request, rng: random.Random) -> None:
    """Nine in ten requests are one user's, ten times slower, all with the flag on."""
    if rng.random() < 0.9:
        request.fields.update({"user_id": "giant", "flags": {request.fields["service"]: "on"}})
        request.fields["duration_ms"] *= 10


def half_way(request: Request, rng: random.Random) -> None:
    """Everything is twice as slow from when the candidate appears: the time's doing."""
    if request.time < HALF_WAY:
        request.fields["flags"] = {request.fields["service"]: "off"}
    else:
        request.fields["duration_ms"] *= 2


def one_variant(request: Request, rng: random.Random) -> None:
    request.fields["flags"] = {request.fields["service"]: "on"}


def many_variants(request: Request, rng: random.Random) -> None:
    request.fields["flags"] = {request.fields["service"]: f"v{rng.randrange(500):03}"}


# The flag and the service that serves it, what is wrong, and what its page must say.
CASES: tuple[tuple[str, Callable[[Request, random.Random], None], str], ...] = (
    ("anonymous", no_user, "most requests name no user, so each trace counts as one"),
    ("failing", all_errors, "100%"),
    ("instant", zero_durations, "0 ms"),
    ("giant", giant_user, "too few users on one side so far"),
    ("late", half_way, "Not known yet"),
    ("single", one_variant, "Every request sees single=on"),
    ("many", many_variants, "Not known yet"),
)


def traffic(flag: str, change: Callable[[Request, random.Random], None]) -> list[dict[str, Any]]:
    def changed(request: Request, rng: random.Random) -> None:
        request.fields["flags"] = {flag: "on" if on(flag, request.user) else "off"}
        change(request, rng)

    return requests(START, count=600, users=200, service=flag, change=changed)


def test_each_has_an_answer_or_a_plain_reason_and_none_a_false_verdict(
    environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    for flag, change, _ in CASES:
        send(traffic(flag, change), ingest_key)
    watches.ensure(environment, NOW)
    rounds.measure(NOW)
    for flag, _, said in CASES:
        answer = viewer_page.get(f"/acme/production/flags/{flag}")
        page = answer.content.decode()
        assert answer.status_code == 200
        assert said in page, (flag, Watch.objects.filter(flag=flag).values("headline"))
        assert "nan" not in page.lower().split()
        assert "Infinity" not in page
    claimed = Watch.objects.filter(verdict__in=("worse", "better"))
    assert not claimed.exists(), list(claimed.values("flag", "headline"))


def test_a_field_that_is_no_number_is_left_out_and_its_event_counts(
    environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    """JSON from Python writes NaN as it is: in a field of the sender's own, and as a duration."""
    rows = traffic("odd", lambda request, rng: None)
    for place, row in enumerate(rows):
        row["basket"] = float("nan") if place % 2 else 12.5
    broken = rows[0] | {"duration_ms": float("nan")}
    answer = (
        Client()
        .post(
            "/api/v1/events",
            data=json.dumps([*rows, broken]),
            content_type="application/json",
            headers={"authorization": f"Bearer {ingest_key}"},
        )
        .json()
    )
    told = answer["accepted"], [one["error"] for one in answer["rejected"]]
    assert answer["accepted"] >= len(rows), told
    watches.ensure(environment, NOW)
    rounds.measure(NOW)
    watch = Watch.objects.get(flag="odd")
    events = sum(watch.result[side]["events"] for side in ("baseline", "candidate"))
    assert events >= len(rows)
    page = viewer_page.get("/acme/production/flags/odd").content.decode()
    assert watch.headline in page
    assert "NaN" not in page
