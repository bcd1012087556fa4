"""Clocks that are off by minutes or hours around a flip: an answer, or a plain reason."""

import random
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.test import Client

from events.ingest import accept, token_of
from events.limits import defaults
from events.wire import plain
from insights.clocks import askew, is_behind
from insights.models import Watch
from projects.models import Environment
from releases.models import Change
from tests import make
from tests.insights.conftest import Shop

NOW = datetime.now(UTC).replace(microsecond=0)
FLIP = NOW - timedelta(minutes=25)


def arrived(environment: Environment, *, skew: timedelta, split: bool, factor: float) -> None:
    """An hour of requests that came in as they happened, from a clock that is off.

    From the flip on everybody, or with `split` every other user, sees F=on, which is `factor`
    times as slow.
    """
    rows = make.visits(begin=NOW - timedelta(minutes=60), minutes=60, count=2400)
    batches: dict[datetime, list[make.Json]] = {}
    for row in rows:
        at = datetime.fromisoformat(row["time"])
        on = at >= FLIP and (not split or random.Random(row["user_id"]).random() < 0.5)
        row["flags"] = {"F": "on" if on else "off"}
        row["duration_ms"] *= factor if on else 1.0
        row["time"] = (at + skew).isoformat()
        minute = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        batches.setdefault(minute, []).append(row)
    for received, batch in batches.items():
        body, now_us = orjson.dumps(batch), int(received.timestamp() * 1e6)
        token = token_of(environment.id, f"skewed {skew}", body)
        decoded = plain.decode(body, now_us=now_us, seed=token.encode())
        accept(environment.id, decoded, limits=defaults(), token=token, now=received)


def looked(environment: Environment) -> Watch:
    Change.objects.create(environment=environment, kind="flag", flag="F", time=FLIP, title="F on")
    shop = Shop(environment, NOW, "")
    shop.look()
    return Watch.objects.get(flag="F")


@pytest.mark.parametrize(
    ("minutes", "words", "evidence", "verdict"),
    [
        # By that clock both are seen after the flip, and never at the same time.
        (10, "the clock of shop is about 10 min ahead", "concurrent", "unknown"),
        (-10, "the clock of shop is about 10 min behind", "before_after", "unknown"),
        (-180, "the clock of shop is about 3 h behind", "", "unknown"),
    ],
)
@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_a_flip_for_all_is_not_judged_by_a_clock_that_is_off(
    environment: Environment,
    viewer_page: Client,
    api_token: str,
    minutes: int,
    words: str,
    evidence: str,
    verdict: str,
) -> None:
    arrived(environment, skew=timedelta(minutes=minutes), split=False, factor=1.8)
    watch = looked(environment)
    assert words in f"{watch.headline} {watch.result.get('note', '')}"
    assert (watch.evidence, watch.verdict) == (evidence, verdict)
    for page in (f"changes/{watch.change_id}", "flags/F"):
        assert words in viewer_page.get(f"/acme/production/{page}").content.decode()
    api = Client(headers={"authorization": f"Bearer {api_token}"})
    base = "/api/v1/projects/acme/environments/production"
    gate = api.get(f"{base}/gate?flag=F").json()
    assert (gate["verdict"], gate["sentence"]) == ("unknown", watch.headline)
    told = api.get(f"{base}/changes/{watch.change_id}").json()
    said = f"{told['headline']} {told['comparisons'][0]['note']}"
    assert words in said


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_a_split_is_judged_by_any_clock_as_both_variants_share_it(
    environment: Environment, minutes: int
) -> None:
    arrived(environment, skew=timedelta(minutes=minutes), split=True, factor=2.5)
    watch = looked(environment)
    assert watch.verdict == "worse"
    assert watch.evidence == "concurrent"
    assert "the clock of shop is about 10 min " in watch.result["note"]


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_a_clock_that_is_right_is_not_suspected(environment: Environment) -> None:
    arrived(environment, skew=timedelta(seconds=-20), split=False, factor=2.5)
    assert askew(environment.id, NOW - timedelta(hours=2), NOW) == []
    assert looked(environment).verdict == "worse"


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_yesterdays_telemetry_that_comes_in_now_is_no_clock_that_is_behind(
    environment: Environment, ingest_key: str
) -> None:
    rows = make.visits(begin=NOW - timedelta(days=1), minutes=90, count=300)
    make.events(ingest_key, rows)
    assert askew(environment.id, NOW - timedelta(hours=1), datetime.now(UTC)) == []


@pytest.mark.parametrize(
    ("leads", "behind"),
    [
        ((-620.0, -600.0, -590.0), True),
        ((-60.0, -30.0, -1.0), False),
        ((-5400.0, -3000.0, -600.0), False),
        ((-10900.0, -10800.0, -10790.0), True),
    ],
    ids=["ten minutes", "as usual", "a backlog", "three hours"],
)
def test_a_lag_that_is_always_the_same_is_a_clock(
    leads: tuple[float, float, float], behind: bool
) -> None:
    assert is_behind(*leads) is behind


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_events_of_the_far_future_are_refused_in_words(
    environment: Environment, ingest_key: str
) -> None:
    rows = make.visits(begin=NOW + timedelta(hours=3), minutes=1, count=2)
    answer = make.sent(ingest_key, "/api/v1/events", rows)
    assert answer["accepted"] == 0
    assert "is more than 60 minutes ahead" in answer["rejected"][0]["error"]
