"""Rounds: all flags in one scan, nothing when nothing happened, nothing twice."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection

from insights import claims, looks, rounds, watches
from insights.cohorts import Comparison
from insights.comparison import totals_of_many
from insights.models import Watch
from tests import make
from tests.insights.conftest import Shop
from tests.stack.processes import until

pytestmark = pytest.mark.django_db


def round_of(shop: Shop, times: int = 1) -> int:
    looked = 0
    for _ in range(times):
        watches.ensure(shop.environment, shop.now)
        Watch.objects.update(next_look_at=shop.now)
        looked = rounds.measure(shop.now)
    return looked


def test_a_round_says_the_same_as_single_looks(shop: Shop) -> None:
    shop.look()
    alone = {w.flag: (w.verdict, w.headline) for w in Watch.objects.filter(subject="flag")}
    round_of(shop)
    together = {w.flag: (w.verdict, w.headline) for w in Watch.objects.filter(subject="flag")}
    assert together == alone
    assert together["USE_CACHING"][0] == "worse"


def test_flags_due_together_cost_one_scan(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.look()
    scans: list[int] = []

    def counted(comparisons: list[Comparison]) -> object:
        scans.append(len(comparisons))
        return totals_of_many(comparisons)

    monkeypatch.setattr(rounds, "totals_of_many", counted)
    round_of(shop)
    assert scans == [2]


def test_nothing_is_read_when_nothing_arrived(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    round_of(shop, times=watches.SETTLING_LOOKS)
    Watch.objects.update(looked_at=shop.now + timedelta(hours=1))  # long after all that is stored
    monkeypatch.setattr(rounds, "totals_of_many", pytest.fail)
    monkeypatch.setattr(looks, "look", pytest.fail)
    before = dict(Watch.objects.values_list("id", "looks"))
    assert round_of(shop) == 0
    assert dict(Watch.objects.values_list("id", "looks")) == before


def test_what_ended_since_is_said_anew_though_nothing_arrived(shop: Shop) -> None:
    round_of(shop, times=watches.SETTLING_LOOKS)
    button = Watch.objects.filter(flag="BLUE_BUTTON")
    assert button.get().headline.startswith("Not known yet")
    later = shop.now + timedelta(hours=1)  # long after all that is stored
    Watch.objects.exclude(flag="BLUE_BUTTON").delete()
    button.update(ended_at=shop.now + timedelta(minutes=1), next_look_at=later)
    assert rounds.measure(later) == 1
    assert button.get().headline.startswith("It ended before an answer was known")
    assert button.get().shown == "ended"
    button.update(next_look_at=later)
    assert rounds.measure(later) == 0


def test_a_round_killed_half_way_is_repeated_and_counts_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_of(shop)
    events = Watch.objects.get(flag="USE_CACHING").result["candidate"]["events"]

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(looks, "examined", killed)
        with pytest.raises(KeyboardInterrupt):
            round_of(shop)
    claimed = Watch.objects.get(flag="USE_CACHING")
    assert claimed.next_look_at is not None
    assert claimed.next_look_at >= shop.now + claims.BUSY
    assert rounds.measure(claimed.next_look_at) > 0
    again = Watch.objects.get(flag="USE_CACHING")
    assert again.result["candidate"]["events"] == events


def test_a_claim_is_renewed_while_its_worker_lives_and_not_once_its_look_is_kept(
    shop: Shop,
) -> None:
    shop.look()
    Watch.objects.update(next_look_at=shop.now)
    ids = Watch.objects.filter(subject="flag").values_list("id", flat=True)
    first, second = (claims.claim(watch_id, shop.now) for watch_id in ids)
    assert first is not None
    assert second is not None
    until = {one.id: shop.now + claims.BUSY for one in (first, second)}
    planned = shop.now + timedelta(minutes=5)
    Watch.objects.filter(id=second.id).update(next_look_at=planned)  # its look is over
    for _ in range(3):
        claims.renew(until, claims.BUSY)
    later = shop.now + 3 * claims.BUSY
    assert claims.claim(first.id, later) is None  # a slow round is not done twice
    assert claims.claim(first.id, later + claims.BUSY) is not None  # a killed one is, soon
    second.refresh_from_db()
    assert second.next_look_at == planned


def _ends(watch: Watch) -> datetime:
    ends = Watch.objects.get(id=watch.id).next_look_at
    assert ends is not None
    return ends


@pytest.mark.django_db(transaction=True)
def test_a_slow_round_keeps_its_claims_until_it_ends_though_the_database_fails_it_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop.look()
    Watch.objects.update(next_look_at=shop.now)
    claimed = claims.claim(shop.watch(flag="USE_CACHING").id, shop.now)
    assert claimed is not None
    monkeypatch.setattr(claims, "RENEWED_AFTER", timedelta(milliseconds=5))
    with claims.held([claimed]):
        until(lambda: _ends(claimed) > shop.now + claims.BUSY)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        until(lambda: "claims.not_renewed" in caplog.text)
        mark = _ends(claimed)
        until(lambda: _ends(claimed) > mark)
    with pytest.raises(LookupError), claims.held([claimed]):
        raise LookupError
    assert "renewing claims" not in {thread.name for thread in threading.enumerate()}


def test_a_variant_that_appears_half_way_gets_a_comparison(shop: Shop) -> None:
    shop.look()
    rows = make.visits(begin=shop.now - timedelta(minutes=5), minutes=5, count=300, seed=9)
    for row in rows:
        row["flags"] = {"BLUE_BUTTON": "striped"}
    make.events(shop.key, rows)
    watches.ensure(shop.environment, shop.now)
    added = Watch.objects.get(flag="BLUE_BUTTON", candidate="striped")
    assert added.started_at == Watch.objects.get(flag="BLUE_BUTTON", candidate="on").started_at
    watches.ensure(shop.environment, shop.now)
    assert Watch.objects.filter(flag="BLUE_BUTTON").count() == 2
