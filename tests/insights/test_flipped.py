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


def test_of_several_variants_the_hour_after_is_told_once_on_page_report_sheet_api_and_gate(
    environment: Environment, ingest_key: str, viewer_page: Client, api_token: str
) -> None:
    """off, blue and red were served; then blue for everyone, and exports fail: each pair of
    variants comes to the same hour before and after."""
    rows = make.visits(begin=FLIPPED - timedelta(minutes=60), minutes=60, count=3000)
    for row in rows:
        row["flags"] = {FLAG: ("off", "blue", "red")[int(row["user_id"][1:]) % 3]}
    last = make.visits(begin=FLIPPED, minutes=0.5, count=90, seed=2)
    for number, row in enumerate(last):
        row["flags"] = {FLAG: ("off", "blue", "red")[number % 3]}
    after = make.visits(begin=FLIPPED, minutes=40, count=2000, seed=3, flags={FLAG: "blue"})
    for number, row in enumerate(after):
        if row["route"] == "/export" and number % 10 == 0:
            row |= {"status_code": 500, "error": True}
    make.events(ingest_key, [*rows, *last, *after])
    record(NewChange(environment.id, Change.Kind.FLAG, FLIPPED, f"{FLAG} blue", flag=FLAG))
    watches.ensure(environment, NOW)
    for _ in range(2):
        Watch.objects.update(next_look_at=NOW)
        rounds.measure(NOW)
    both = list(Watch.objects.filter(flag=FLAG))
    assert [(one.verdict, one.evidence) for one in both] == [("worse", "before_after")] * 2
    assert both[0].headline == both[1].headline
    headline, change = both[0].headline, f"/acme/production/changes/{both[0].change_id}"
    assert "/export since then fail" in headline
    assert FLAG not in headline  # what was flipped is no other change that it acts together with
    for page, more in ((change, 0), (f"/acme/production/flags/{FLAG}", 1)):  # in its history
        text = viewer_page.get(page).content.decode()
        assert " ".join(re.sub("<[^>]*>", "", text).split()).count(headline) == 1 + more
        assert "Each variant against" not in text
    report = viewer_page.get(f"{change}.md").content.decode()
    assert report.count("Worse** ·") == len(both[0].result["findings"])
    assert report.count("| where | measure |") == 1
    sheet = viewer_page.get(f"{change}.csv").content.decode()
    assert sheet.count("\ncohorts,") == 1
    api = Client(headers={"authorization": f"Bearer {api_token}"})
    base = "/api/v1/projects/acme/environments/production"
    told = api.get(f"{base}/changes/{both[0].change_id}").json()
    gate = api.get(f"{base}/gate?flag={FLAG}").json()
    for findings in (told["findings"], gate["findings"]):
        assert len(findings) == len(both[0].result["findings"])
