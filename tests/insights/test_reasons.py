"""Where an effect is, and which of several changes did it: from stored events to the page."""

import random
from datetime import timedelta

import pytest
from django.test import Client

from insights import looks, watches
from insights.gates import decided
from insights.models import Watch
from insights.overlaps import MOST
from insights.reasons import LOOKED_AT
from projects.models import Environment
from releases.models import Change
from tests import make
from tests.insights.conftest import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def entangled(event_store: None, environment: Environment, ingest_key: str, shop: Shop) -> Shop:
    """CACHE makes /export three times slower on the free plan; TWIN is seen by nearly the same
    users and does nothing. CACHE was changed half an hour ago, TWIN was not changed lately."""
    begin = shop.now - timedelta(minutes=30)
    rows = make.visits(begin=begin, minutes=30, count=4000, users=900, seed=7)
    for row in rows:
        person = random.Random(row["user_id"])
        cached = person.random() < 0.5
        twin = cached if person.random() < 0.8 else person.random() < 0.5
        row["plan"] = person.choice(["free", "pro"])
        row["flags"] = {"CACHE": "on" if cached else "off", "TWIN": "on" if twin else "off"}
        if cached and row["route"] == "/export" and row["plan"] == "free":
            row["duration_ms"] *= 4
    make.events(ingest_key, rows)
    Change.objects.create(
        environment=environment, kind="flag", flag="CACHE", time=begin, title="CACHE turned on"
    )
    return shop


def test_the_correlated_flag_is_explained_and_the_cause_is_not(entangled: Shop) -> None:
    entangled.look()
    cause = entangled.watch(flag="CACHE")
    assert cause.verdict == "worse"
    assert cause.result["findings"][0]["reasons"]["is_explained"] is False
    twin = entangled.watch(flag="TWIN")
    assert twin.verdict == "unknown"
    assert twin.headline.startswith("Another change explains it: ")
    change = entangled.change(flag="CACHE")
    assert twin.result["findings"][0]["explained_by"] == change.id


def test_the_change_page_says_where_and_what_else_was_there(
    entangled: Shop, viewer_page: Client
) -> None:
    entangled.look()
    change = entangled.change(flag="CACHE")
    text = viewer_page.get(f"/acme/production/changes/{change.id}").content.decode()
    assert "plan = free" in text
    assert "of the slow-down is where plan = free" in text
    assert "TWIN" not in text.partition("At the same time")[2]  # does nothing, did not change


def test_what_hardly_grew_is_not_searched_again(
    entangled: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    entangled.look()
    watch = entangled.watch(flag="CACHE")
    before = watch.result["findings"][0]["reasons"]
    monkeypatch.setattr("insights.reasons.search", pytest.fail)
    Watch.objects.filter(id=watch.id).update(next_look_at=entangled.now)
    looks.look(watch.id, entangled.now)
    watch.refresh_from_db()
    assert watch.looks == 2
    assert watch.result["findings"][0]["reasons"] == before


def test_of_a_hundred_flags_the_one_that_did_it_is_found_wherever_it_stands(
    event_store: None, environment: Environment, ingest_key: str, shop: Shop
) -> None:
    """ZOOM, the last of them by name and not changed lately, is seen by nearly the same users as
    CACHE, which does nothing."""
    begin = shop.now - timedelta(minutes=30)
    rows = make.visits(begin=begin, minutes=30, count=3000, users=900, seed=7)
    for row in rows:
        person = random.Random(row["user_id"])
        zoomed = person.random() < 0.5
        cached = zoomed if person.random() < 0.7 else person.random() < 0.5
        flags = {f"QUIET_{number:02}": person.choice(["off", "on"]) for number in range(98)}
        row["flags"] = {
            **flags,
            "CACHE": "on" if cached else "off",
            "ZOOM": "on" if zoomed else "off",
        }
        if zoomed:
            row["duration_ms"] *= 3
    make.events(ingest_key, rows)
    Change.objects.create(
        environment=environment, kind="flag", flag="CACHE", time=begin, title="CACHE turned on"
    )
    watches.ensure(environment, shop.now)
    watch = shop.watch(flag="CACHE")
    looks.look(watch.id, shop.now)
    watch.refresh_from_db()
    assert len(watch.result["findings"]) > LOOKED_AT  # each route, and all together
    assert all(one["reasons"]["is_explained"] for one in watch.result["findings"])
    assert watch.verdict == "unknown"
    assert watch.headline.startswith("Another change explains it: ")
    assert decided([watch]).outcome == "unknown"
    held = watch.result["findings"][0]["reasons"]["same_time"]
    assert (held[0]["name"], held[0]["answer"]) == ("ZOOM", "explains")
    assert len(held) == MOST


def test_a_flag_turned_on_in_the_minute_of_a_deploy_cannot_be_told_apart(
    event_store: None, environment: Environment, ingest_key: str, shop: Shop
) -> None:
    at = shop.now - timedelta(minutes=20)
    rows = make.visits(begin=at - timedelta(minutes=50), minutes=50, count=3000, seed=4)
    after = make.visits(begin=at, minutes=19, count=1500, seed=5, build_id="b2")
    for row in after:
        row["duration_ms"] *= 4
        row["flags"] = {"SALE": "on"}
    for row in rows:
        row["flags"] = {"SALE": "off"}
    make.events(ingest_key, [*rows, *after])
    Change.objects.create(
        environment=environment, kind="flag", flag="SALE", time=at, title="SALE turned on"
    )
    shop.look()
    deploy = shop.watch(subject="build", candidate="b2")
    assert deploy.verdict == "worse"
    about = {one["name"]: one for one in deploy.result["findings"][0]["reasons"]["same_time"]}
    assert about["SALE"]["answer"] == "inseparable"
    assert "Cannot be told apart" in about["SALE"]["sentence"]
