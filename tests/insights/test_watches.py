"""From stored events to kept findings: what beat does, over the real parts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from insights import claims, late, looks, watches
from insights.models import Watch
from projects.models import Environment
from releases.models import Change
from tests import make
from tests.insights.conftest import Shop

pytestmark = pytest.mark.django_db


def test_a_flag_that_harms_is_found_by_itself_and_one_that_does_nothing_is_not(shop: Shop) -> None:
    shop.look()
    caching, button = shop.watch(flag="USE_CACHING"), shop.watch(flag="BLUE_BUTTON")
    assert caching.verdict == "worse"
    assert caching.headline.startswith("Requests to /export with USE_CACHING=on are ")
    assert " now return 402" in caching.headline
    about = {one["measure"]: one for one in caching.result["findings"]}
    assert about["latency_mean"]["ratio"] == pytest.approx(3, rel=0.2)
    assert about["latency_mean"]["scope"] == {"service": "shop", "route": "/export"}
    assert about["status_code:402"]["candidate"] == pytest.approx(0.1, abs=0.05)
    assert caching.decided_at == shop.now
    assert button.verdict in ("unknown", "no_difference")
    assert button.result["findings"] == []


def test_everything_that_changed_has_a_watch_once(shop: Shop) -> None:
    shop.look()
    shop.look()
    subjects = sorted(Watch.objects.values_list("subject", flat=True))
    assert subjects == ["build", "flag", "flag", "moment"]


def test_a_look_that_another_worker_holds_is_skipped(shop: Shop) -> None:
    shop.look()
    watch = shop.watch(flag="USE_CACHING")
    assert looks.look(watch.id, shop.now) is None
    assert Watch.objects.get(id=watch.id).looks == 1


def test_a_build_that_nobody_announced_is_a_deploy(shop: Shop) -> None:
    shop.look()
    deploy = shop.change(kind=Change.Kind.DEPLOY)
    assert (deploy.service, deploy.build_id, deploy.source) == ("shop", "b1", "detected")


def test_builds_side_by_side_are_compared_with_each_other(shop: Shop) -> None:
    begin = shop.now - timedelta(minutes=12)
    old = make.visits(begin=begin, minutes=12, count=900, seed=2)
    new = make.visits(begin=begin, minutes=12, count=900, seed=3, build_id="b2")
    for row in new:
        row["duration_ms"] *= 2
    make.events(shop.key, [*old, *new])
    shop.look()
    shop.look()
    watch = shop.watch(candidate="b2")
    assert watch.result["evidence"] == "concurrent"
    assert watch.verdict == "worse"


def test_a_roll_out_of_half_a_minute_is_not_called_side_by_side(shop: Shop) -> None:
    """Whatever else happened in that minute would be taken for the build's doing."""
    begin = shop.now - timedelta(minutes=2)
    make.events(shop.key, make.visits(begin=begin, minutes=0.5, count=400, seed=3, build_id="b2"))
    shop.look()
    assert shop.watch(candidate="b2").result.get("evidence") != "concurrent"


def test_late_events_make_their_hours_looked_at_again(shop: Shop) -> None:
    shop.look()
    Watch.objects.update(next_look_at=None)
    assert late.reopen(shop.environment.id, shop.now + timedelta(hours=3)) == 0
    assert late.reopen(shop.environment.id, shop.now) == 4  # all that was sent came late


def test_events_of_now_reopen_nothing(
    event_store: None, environment: Environment, ingest_key: str, shop: Shop
) -> None:
    shop.look()
    long_ago = shop.now - timedelta(days=2)
    Watch.objects.update(next_look_at=None, started_at=long_ago, ended_at=long_ago)
    assert late.reopen(environment.id, shop.now) == 0


def test_a_marker_says_in_words_why_nothing_is_known(shop: Shop) -> None:
    shop.look()
    moment = shop.watch(subject=Watch.Subject.MOMENT)
    assert moment.verdict in ("unknown", "no_difference")
    assert moment.headline
    assert not moment.headline.endswith(".")


def test_what_a_short_roll_out_leaves_open_the_hour_after_may_show(
    event_store: None, environment: Environment, ingest_key: str
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    deployed = now - timedelta(minutes=40)
    rows = make.visits(begin=now - timedelta(minutes=100), minutes=60, count=3000)
    rows += make.visits(begin=deployed, minutes=5, count=40, seed=2)
    worse = make.visits(begin=deployed, minutes=40, count=2000, seed=3, build_id="b2")
    for number, row in enumerate(worse):
        if row["route"] == "/export" and number % 10 == 0:
            row |= {"status_code": 500, "error": True}
    make.events(ingest_key, [*rows, *worse])
    told = {"service": "shop", "build_id": "b2", "time": deployed.isoformat()}
    make.sent(ingest_key, "/api/v1/deploys", told)
    shop = Shop(environment, now, ingest_key)
    shop.look()
    shop.look()
    watch = shop.watch(candidate="b2")
    assert watch.verdict == "worse"
    assert "/export" in watch.headline
    assert watch.evidence == "before_after"


def test_what_ends_while_it_is_looked_at_stays_ended_and_is_told_so(shop: Shop) -> None:
    """A look takes a while; the flag changes again before what it found is kept."""
    shop.look()
    flag = shop.watch(flag="BLUE_BUTTON")
    Watch.objects.filter(id=flag.id).update(next_look_at=shop.now)
    claimed = claims.claim(flag.id, shop.now)
    assert claimed is not None
    ended = shop.now - timedelta(seconds=1)
    Watch.objects.filter(id=flag.id).update(ended_at=ended, planned_end=shop.now)
    looks.keep_reason(claimed, "Too much traffic", shop.now)
    flag.refresh_from_db()
    assert (flag.ended_at, flag.planned_end, flag.looks) == (ended, shop.now, 2)
    assert flag.next_look_at == shop.now


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("worse", "Said"),
        ("no_difference", "Said"),
        ("unknown", "Too much traffic for one look: 2 GB"),
    ],
)
def test_what_was_decided_keeps_its_words_when_a_later_look_finds_nothing(
    environment: Environment, verdict: str, words: str
) -> None:
    now = timezone.now()
    watch = Watch.objects.create(
        **{"environment": environment, "subject": "flag", "flag": "F", "started_at": now},
        **{"verdict": verdict, "headline": "Said", "looks": 4},
    )
    looks.keep_reason(watch, "Too much traffic for one look: 2 GB.", now)
    watch.refresh_from_db()
    assert (watch.verdict, watch.headline, watch.looks) == (verdict, words, 5)


def test_a_flag_that_nobody_changes_is_compared_anew_after_a_fortnight(shop: Shop) -> None:
    shop.look()
    first = shop.watch(flag="BLUE_BUTTON")
    long_ago = shop.now - timedelta(days=14, minutes=1)
    Watch.objects.filter(id=first.id).update(started_at=long_ago)
    watches.ensure(shop.environment, shop.now)
    watches.ensure(shop.environment, shop.now)
    first.refresh_from_db()
    assert first.ended_at == long_ago + timedelta(days=14)
    fresh = shop.watch(flag="BLUE_BUTTON", ended_at=None)
    assert fresh.started_at == watches.last_monday(shop.environment, shop.now)


def test_a_moment_that_is_over_says_so_in_badge_and_words_while_late_events_may_come(
    shop: Shop,
) -> None:
    shop.look()
    moment = shop.watch(subject=Watch.Subject.MOMENT)
    assert (moment.shown, moment.headline[:13]) == ("unknown", "Not known yet")
    for later, more in ((timedelta(minutes=55), True), (timedelta(hours=2), False)):
        Watch.objects.filter(id=moment.id).update(next_look_at=shop.now)
        looks.look(moment.id, shop.now + later)
        moment.refresh_from_db()
        assert (moment.next_look_at is not None) is more  # for late events
        assert moment.shown == "ended"
        assert moment.headline.startswith("It ended before an answer was known")


def test_what_has_ended_undecided_does_not_promise_an_answer(shop: Shop) -> None:
    shop.look()
    watch = shop.watch(flag="BLUE_BUTTON")
    assert watch.headline.startswith("Not known yet; ")
    Watch.objects.filter(id=watch.id).update(ended_at=shop.now, next_look_at=shop.now)
    looks.look(watch.id, shop.now)
    watch.refresh_from_db()
    assert watch.headline.startswith("It ended before an answer was known: that would have taken ")
    assert " longer" in watch.headline
    assert "to go" not in watch.headline
