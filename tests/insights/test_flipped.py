"""A flag flipped for everyone: old caches serve what was for seconds, and the hour after counts."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from insights import looks, rounds, watches
from insights.models import Watch
from projects.models import Environment
from releases.changes import NewChange, record
from releases.models import Change
from tests import make
from tests.insights.conftest import Shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
FLAG = "NEW_EXPORT"
NOW = datetime.now(UTC).replace(microsecond=0)
FLIPPED = NOW - timedelta(minutes=40)
SECONDS, ALONG, NONE = "some seconds", "all along", "not at all"


@pytest.fixture(params=[SECONDS, NONE])
def lingering(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def flipped(environment: Environment, key: str, *, old: str, failing: bool) -> Shop:
    """An hour of all off, then 40 minutes of on, in which a tenth of the exports may fail."""
    off: dict[str, Any] = {"flags": {FLAG: "off"}}
    on: dict[str, Any] = {"flags": {FLAG: "on"}}
    rows = make.visits(begin=FLIPPED - timedelta(minutes=60), minutes=60, count=3000, **off)
    if old != NONE:
        minutes, count = (0.5, 40) if old == SECONDS else (40, 1500)
        rows += make.visits(begin=FLIPPED, minutes=minutes, count=count, seed=2, **off)
    after = make.visits(begin=FLIPPED, minutes=40, count=2000, seed=3, **on)
    for number, row in enumerate(after):
        if failing and row["route"] == "/export" and number % 10 == 0:
            row |= {"status_code": 500, "error": True}
    make.events(key, [*rows, *after])
    record(
        NewChange(environment.id, Change.Kind.FLAG, FLIPPED, f"{FLAG} on for everyone", flag=FLAG)
    )
    return Shop(environment, NOW, key)


def looked(shop: Shop, by: str) -> Watch:
    """After two looks: of its own, and of a round where its variants are known by then."""
    watches.ensure(shop.environment, shop.now)
    for _ in range(2):
        Watch.objects.update(next_look_at=shop.now)
        if by == "round":
            rounds.measure(shop.now)
        else:
            looks.look(shop.watch(flag=FLAG).id, shop.now)
    return shop.watch(flag=FLAG)


@pytest.mark.parametrize("by", ["look", "round"])
def test_what_the_flip_harmed_is_found_after_it(
    environment: Environment, ingest_key: str, lingering: str, by: str, viewer_page: Client
) -> None:
    watch = looked(flipped(environment, ingest_key, old=lingering, failing=True), by)
    assert watch.looks == 2
    assert watch.verdict == "worse"
    assert watch.evidence == "before_after"
    assert "/export" in watch.headline
    assert "since" in watch.headline
    for page in (f"/acme/production/flags/{FLAG}", f"/acme/production/changes/{watch.change_id}"):
        shown = viewer_page.get(page)
        assert shown.status_code == 200
        words = " ".join(re.sub("<[^>]*>", "", shown.content.decode()).split())
        assert watch.headline in words


@pytest.mark.parametrize("by", ["look", "round"])
def test_a_flip_that_harms_nothing_is_not_called_worse(
    environment: Environment, ingest_key: str, lingering: str, by: str
) -> None:
    watch = looked(flipped(environment, ingest_key, old=lingering, failing=False), by)
    assert watch.verdict in ("unknown", "no_difference")
    assert watch.result["findings"] == []


def test_variants_that_are_both_served_are_compared_with_each_other(
    environment: Environment, ingest_key: str
) -> None:
    watch = looked(flipped(environment, ingest_key, old=ALONG, failing=True), "round")
    assert watch.verdict == "worse"
    assert watch.evidence != "before_after"
    assert f"{FLAG}=on" in watch.headline


def test_while_the_old_variant_may_only_be_leaving_nothing_else_is_asked(
    environment: Environment, ingest_key: str
) -> None:
    shop = flipped(environment, ingest_key, old=SECONDS, failing=False)
    watch = looked(replace(shop, now=FLIPPED + timedelta(seconds=50)), "look")
    assert watch.evidence != "before_after"
