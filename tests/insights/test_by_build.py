"""Each build beside each variant: "only with build b2" is seen, and said."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from insights import looks, watches
from insights.build_words import said
from insights.by_build import by_build
from insights.cohorts import Comparison, Scope, Variants
from insights.examine import Plan, examine
from insights.models import Watch
from projects.models import Environment
from tests.insights.traffic import Request, on, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=35)
END = START + timedelta(minutes=30)
Edit = Callable[[Request, random.Random], None]


def built(effect: dict[str, float]) -> Edit:
    """Two builds at once; with CACHE on, /export of a build is so many times slower."""

    def edit(request: Request, rng: random.Random) -> None:
        build = rng.choice(sorted(effect))
        request.fields["build_id"] = build
        request.fields["flags"]["CACHE"] = "on" if on("CACHE", request.user) else "off"
        if request.fields["flags"]["CACHE"] == "on" and request.route == "/export":
            request.fields["duration_ms"] *= effect[build]

    return edit


def divided(environment: Environment) -> dict[str, object]:
    comparison = Comparison(environment.id, Variants("CACHE", "off", "on"), START, END)
    found = by_build(examine(comparison), None)
    assert found is not None
    return found


def test_only_with_one_build_is_said(environment: Environment, ingest_key: str) -> None:
    send(requests(START, count=9000, users=600, change=built({"b1": 1, "b2": 3})), ingest_key)
    found = divided(environment)
    assert str(found["sentence"]).startswith("Only with shop build b2: mean 3")
    assert "not with shop build b1" in str(found["sentence"])
    rows = {row["build"]: row for row in found["rows"] if row["measure"] == "latency_mean"}  # type: ignore[attr-defined]  # JSON
    assert found["scope"] == {"service": "shop", "route": "/export"}
    assert rows["b2"]["verdict"] == "worse"
    assert rows["b1"]["verdict"] != "worse"
    low, high = rows["b2"]["interval"]["ratio"]
    assert low < 3 < high
    low, high = rows["b1"]["interval"]["ratio"]
    assert low < 1 < high


def test_a_split_that_is_off_claims_nothing_with_any_build(
    environment: Environment, ingest_key: str
) -> None:
    send(requests(START, count=4000, users=600, change=built({"b1": 1, "b2": 3})), ingest_key)
    comparison = Comparison(environment.id, Variants("CACHE", "off", "on"), START, END)
    result = examine(comparison, Plan(split=True, shares=(90, 10)))
    assert result.note.startswith("The split did not come out as planned (sample-ratio mismatch),")
    assert result.headline.startswith("Not known yet: the split did not come out as planned (")
    found = by_build(result, None)
    assert found is not None
    assert found["sentence"].startswith("The split did not come out as planned")
    assert {row["verdict"] for row in found["rows"]} == {"unknown"}
    assert {row["harm_excluded"] for row in found["rows"]} == {None}


def test_the_same_with_both_builds_is_said(environment: Environment, ingest_key: str) -> None:
    send(requests(START, count=9000, users=600, change=built({"b1": 3, "b2": 3})), ingest_key)
    assert divided(environment)["sentence"] == "Much the same with both builds."


def test_one_build_needs_no_table(environment: Environment, ingest_key: str) -> None:
    send(requests(START, count=2000, change=built({"b1": 3})), ingest_key)
    comparison = Comparison(environment.id, Variants("CACHE", "off", "on"), START, END)
    assert by_build(examine(comparison), None) is None


def test_a_build_with_few_requests_is_not_judged(environment: Environment, ingest_key: str) -> None:
    def rare(request: Request, rng: random.Random) -> None:
        built({"b1": 1})(request, rng)
        if rng.random() < 0.002:
            request.fields["build_id"] = "b2"

    send(requests(START, count=4000, change=rare), ingest_key)
    assert "Too few requests with shop build b2" in str(divided(environment)["sentence"])


def test_a_build_that_met_one_variant_only_is_named_as_too_small() -> None:
    b2 = Scope("shop", "b2")
    assert said([], None, [b2]) == "Too few requests with shop build b2 to compare builds yet."


def test_the_flags_page_has_the_table_and_keeps_it_while_little_is_new(
    environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    send(requests(START, count=9000, users=600, change=built({"b1": 1, "b2": 3})), ingest_key)
    watches.ensure(environment, END)
    Watch.objects.filter(flag="CACHE").update(started_at=START)
    for watch_id in watches.due(END, limit=20):
        looks.look(watch_id, END)
    text = viewer_page.get("/acme/production/flags/CACHE").content.decode()
    assert "Build by build, on against off" in text
    assert "Only with shop build b2" in text
    watch = Watch.objects.get(flag="CACHE")
    kept = {**watch.result["builds"], "sentence": "As it was."}
    result = examine(looks.variants_compared(watch, END))
    assert by_build(result, kept) == kept
    assert by_build(result, {**kept, "events": 1}) != kept
