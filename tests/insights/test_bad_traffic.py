"""Bad traffic through the real intake, store and pages: what a reader is told of each."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.test import Client

from insights import rounds, watches
from insights.models import Watch
from projects.models import Environment
from releases.models import Change
from tests.insights.traffic import Request, on, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(minutes=30)
HALF_WAY = START + timedelta(minutes=15)
CONCURRENT = "Concurrent: both ran at the same time, but not split by chance"
FEW = "too few users on one side so far: at least 30 are needed"
APART = (
    "Hardly any request saw {flag}=off and {flag}=on at the same time, so there is nothing to"
    " compare yet"
)
UNEVEN = (
    "some users make so many of the requests that those of one side count as fewer than the 30 that"
    " are needed"
)
INSTANT = "all requests took 0 ms"
WAIT = r"Not known yet; about [\d.]+ (min |h )?to [\d.]+ (min|h|days) to go"
Edit = Callable[[Request, random.Random], None]


def no_user(request: Request, rng: random.Random) -> None:
    del request.fields["user_id"]


def all_errors(request: Request, rng: random.Random) -> None:
    request.fields.update({"status_code": 500, "error": True})


def zero_durations(request: Request, rng: random.Random) -> None:
    request.fields["duration_ms"] = 0


def giant_user(request: Request, rng: random.Random) -> None:
    """Half of all requests are one user's, ten times slower, all with the flag on."""
    if rng.random() < 0.5:
        request.fields.update({"user_id": "giant", "flags": {request.fields["service"]: "on"}})
        request.fields["duration_ms"] *= 10


def instant_errors(request: Request, rng: random.Random) -> None:
    zero_durations(request, rng)
    all_errors(request, rng)


def lonely(request: Request, rng: random.Random) -> None:
    """One user makes all requests, and sees both variants."""
    request.fields["user_id"] = "only"
    request.fields["flags"] = {request.fields["service"]: rng.choice(["off", "on"])}


def one_event(request: Request, rng: random.Random) -> None:
    """The candidate is seen by the very first request and by no other."""
    first = request.time == START
    request.fields["flags"] = {request.fields["service"]: "on" if first else "off"}


def half_way(request: Request, rng: random.Random) -> None:
    """Everything is three times as slow from when the candidate appears: the time's doing."""
    if request.time < HALF_WAY:
        request.fields["flags"] = {request.fields["service"]: "off"}
    else:
        request.fields["duration_ms"] *= 3


def one_variant(request: Request, rng: random.Random) -> None:
    request.fields["flags"] = {request.fields["service"]: "on"}


def many_variants(request: Request, rng: random.Random) -> None:
    """Half of the requests share twelve variants, the others 488."""
    number = rng.randrange(12) if rng.random() < 0.5 else rng.randrange(12, 500)
    request.fields["flags"] = {request.fields["service"]: f"v{number:03}"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the page of a flag must say: its answer (a pattern of all of it), how it is known, and
    of measures of everything (baseline, candidate, verdict, why there is none)."""

    answer: str
    note: str
    rows: dict[str, tuple[float | None, float | None, str, str]]


CASES: dict[str, tuple[Edit, Told]] = {
    "no-user-ids": (
        no_user,
        Told(
            WAIT + r"; p50 at most [\d.]+% higher and failures at most [\d.]+ points more",
            f"{CONCURRENT}; no request names a user, so each of their traces counts as one and"
            " intervals may be too narrow",
            {"error_rate": (None, None, "unknown", "")},
        ),
    ),
    "all-errors": (
        all_errors,
        Told(
            WAIT + r"(; p50 at most [\d.]+% higher)?",
            CONCURRENT,
            {
                "error_rate": (1.0, 1.0, "unknown", ""),
                "status_code:500": (1.0, 1.0, "unknown", ""),
            },
        ),
    ),
    "zero-durations": (
        zero_durations,
        Told(
            rf"Not known yet: {INSTANT}; failures at most [\d.]+ points more",
            CONCURRENT,
            {
                "latency_p50": (None, None, "unknown", INSTANT),
                "latency_p95": (None, None, "unknown", INSTANT),
            },
        ),
    ),
    "one-giant-user": (
        giant_user,
        Told(
            f"Not known yet: {UNEVEN}",
            CONCURRENT,
            {"latency_mean": (None, None, "unknown", UNEVEN)},
        ),
    ),
    "zero-durations-all-errors": (
        instant_errors,
        Told(
            f"Not known yet: {INSTANT}",
            CONCURRENT,
            {
                "latency_p50": (None, None, "unknown", INSTANT),
                "error_rate": (1.0, 1.0, "unknown", ""),
            },
        ),
    ),
    "one-user-many-requests": (
        lonely,
        Told(f"Not known yet: {FEW}", CONCURRENT, {"latency_mean": (None, None, "unknown", FEW)}),
    ),
    "one-event-in-an-arm": (
        one_event,
        Told(APART.format(flag="one-event-in-an-arm"), "", {}),
    ),
    "variant-half-way": (
        half_way,
        Told(
            r"Not known yet.*",
            CONCURRENT,
            {"latency_p50": (None, None, "unknown", "")},
        ),
    ),
    "500-variants": (
        many_variants,
        Told(WAIT, CONCURRENT, {"latency_mean": (None, None, "unknown", FEW)}),
    ),
}


def traffic(flag: str, change: Edit) -> list[dict[str, Any]]:
    def changed(request: Request, rng: random.Random) -> None:
        request.fields["flags"] = {flag: "on" if on(flag, request.user) else "off"}
        change(request, rng)

    return requests(START, count=600, users=200, service=flag, change=changed)


def looked(environment: Environment, flag: str) -> list[Watch]:
    """The comparisons of a flag that changed half an hour ago, after two rounds."""
    Change.objects.create(
        environment=environment, kind="flag", flag=flag, time=START, title=f"{flag} on"
    )
    for _ in range(2):
        watches.ensure(environment, NOW)
        Watch.objects.update(next_look_at=NOW)
        rounds.measure(NOW)
    return list(Watch.objects.filter(flag=flag).order_by("id"))


def answer_of(client: Client, flag: str) -> tuple[str, str]:
    """The answer on a flag's page in plain text, and all of the page."""
    response = client.get(f"/acme/production/flags/{flag}")
    assert response.status_code == 200
    page = response.content.decode()
    answer = page.partition('class="answer">')[2].partition("</p>")[0]
    return " ".join(re.sub("<[^>]+>", "", answer).split()), page


def asked(token: str, path: str) -> tuple[int, dict[str, Any]]:
    """What the API says, which must be JSON that every reader understands: no NaN."""
    response = Client().get(
        f"/api/v1/projects/acme/environments/production/{path}",
        headers={"authorization": f"Bearer {token}"},
    )
    found: dict[str, Any] = orjson.loads(response.content)
    return response.status_code, found


@pytest.mark.parametrize("flag", CASES)
def test_bad_traffic_has_its_answer_or_a_plain_reason_and_no_false_verdict(
    environment: Environment, ingest_key: str, viewer_page: Client, api_token: str, flag: str
) -> None:
    change, told = CASES[flag]
    send(traffic(flag, change), ingest_key)
    found = looked(environment, flag)
    assert {watch.verdict for watch in found} == {"unknown"}
    answer, page = answer_of(viewer_page, flag)
    assert re.fullmatch(f"Not known yet {told.answer}\\.", answer), answer
    assert found[0].result.get("note", "").startswith(told.note)
    assert "nan" not in page.lower().split()
    assert "Infinity" not in page
    rows = {one["measure"]: one for one in found[0].result.get("deltas", []) if not one["scope"]}
    for measure, (baseline, candidate, verdict, reason) in told.rows.items():
        row = rows[measure]
        assert (row["verdict"], row["reason"]) == (verdict, reason), measure
        if baseline is not None:
            assert (row["baseline"], row["candidate"]) == (baseline, candidate), measure
        if reason:
            assert f'<small class="why">{reason}</small>' in page
    status, gate = asked(api_token, f"gate?flag={flag}")
    assert (status, gate["verdict"], gate["findings"]) == (200, "unknown", [])
    assert gate["sentence"] in {watch.headline for watch in found}
    status, compared = asked(api_token, f"comparisons?flag={flag}&candidate={found[0].candidate}")
    if not told.rows:
        assert (status, compared["error"]["message"]) == (422, f"{told.answer}.")
        return
    assert status == 200
    over_api = {one["measure"]: one for one in compared["deltas"]}
    for measure, (_, _, verdict, reason) in told.rows.items():
        assert (over_api[measure]["verdict"], over_api[measure]["reason"]) == (verdict, reason)


def test_what_failed_all_the_time_did_not_get_worse_and_the_bound_says_by_how_much_at_most(
    environment: Environment, ingest_key: str
) -> None:
    send(traffic("all-errors", all_errors), ingest_key)
    rows = looked(environment, "all-errors")[0].result["deltas"]
    low, high = next(r for r in rows if r["measure"] == "error_rate")["interval"]["difference"]
    assert -0.1 < low < 0 < high < 0.1


def test_a_variant_that_appears_half_way_is_not_blamed_for_the_hour(
    environment: Environment, ingest_key: str
) -> None:
    send(traffic("variant-half-way", half_way), ingest_key)
    rows = {r["measure"]: r for r in looked(environment, "variant-half-way")[0].result["deltas"]}
    for measure in ("latency_mean", "latency_p50"):
        low, high = rows[measure]["interval"]["ratio"]
        assert low < 1 < high


def test_a_flag_with_one_variant_says_so(
    environment: Environment, ingest_key: str, viewer_page: Client, api_token: str
) -> None:
    send(traffic("single", one_variant), ingest_key)
    watches.ensure(environment, NOW)
    rounds.measure(NOW)
    answer, _ = answer_of(viewer_page, "single")
    assert answer == "Not known yet Every request sees single=on."
    status, refused = asked(api_token, "comparisons?flag=single")
    assert (status, refused["error"]["code"]) == (422, "nothing_to_compare")
    assert "single=on" in refused["error"]["message"]
    _, gate = asked(api_token, "gate?flag=single")
    assert (gate["verdict"], gate["sentence"]) == ("unknown", "Every request sees single=on")


def test_of_500_variants_the_busiest_are_compared_and_the_page_says_so(
    environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    send(traffic("500-variants", many_variants), ingest_key)
    found = looked(environment, "500-variants")
    compared = {watch.candidate for watch in found}
    assert len(compared) == len(found) == watches.MOST_VARIANTS
    assert {f"v{number:03}" for number in range(12)} <= compared | {found[0].baseline}
    _, page = answer_of(viewer_page, "500-variants")
    shown = re.search(r"(\d+) variants were seen in the last 24 hours", page)
    assert shown is not None
    assert 200 < int(shown[1]) <= 500


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
    assert answer == {
        "accepted": 600,
        "rejected": [{"index": 600, "error": "duration_ms: must be a number, 0 or more"}],
    }
    watch = looked(environment, "odd")[0]
    assert sum(watch.result[side]["events"] for side in ("baseline", "candidate")) == 600
    told, page = answer_of(viewer_page, "odd")
    assert told == f"Not known yet {watch.headline}."
    assert "NaN" not in page
