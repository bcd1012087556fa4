"""Flags that do nothing, tried on an environment's own events: what is counted, and how often."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from insights.cohorts import Comparison, Moment
from insights.comparison import totals
from insights.trials import said, work
from insights.trials.cells import CELLS, cells, looks_at
from insights.trials.models import Trial
from insights.trials.split import looked, shown, sides
from projects.models import Environment
from tests.insights.traffic import Request, requests, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=70)
END = START + timedelta(minutes=60)
ADDRESS = "/acme/production/trials"


@pytest.fixture
def traffic(ingest_key: str) -> None:
    def refused(request: Request, rng: random.Random) -> None:
        if rng.random() < 0.02:
            request.fields["status_code"] = 404

    send(requests(START, count=6000, users=500, minutes=60, change=refused), ingest_key)


def window(environment: Environment) -> Comparison:
    return Comparison(environment.id, Moment(START), START, END)


@pytest.mark.usefixtures("traffic")
def test_both_sides_together_are_all_events_and_all_users(environment: Environment) -> None:
    found = cells(environment.id, START, END)
    assert found is not None
    side = sides(1, 0)
    assert 0.45 < side.mean() < 0.55
    seconds = looks_at(3600)
    looks = list(looked(window(environment), found, side, seconds))
    assert len(looks) > 30
    last = looks[-1][1]
    assert int(last.events.sum()) == 6000
    assert sum(last.units.whole) == found.users
    half = Comparison(environment.id, Moment(START + timedelta(minutes=30)), START, END)
    real = totals(half)  # the same events by another way
    for name in ("weight", "total_ms", "failed"):
        assert last.sums[name].sum() == pytest.approx(real.sums[name].sum())
    assert last.bins.sum() == pytest.approx(real.bins.sum())
    assert last.codes[404].sum() == pytest.approx(real.codes[404].sum())
    by_place = last.units.by_place.sum(axis=0)
    assert (by_place <= found.users).all()
    assert by_place.min() > 300
    assert last.units.hits[0, None, "404"] + last.units.hits[1, None, "404"] > 50
    grown = [int(one.events.sum()) for _, one in looks]
    assert grown == sorted(grown)
    assert [sum(one.units.whole) for _, one in looks] == sorted(
        sum(one.units.whole) for _, one in looks
    )


@pytest.mark.usefixtures("traffic")
def test_flags_that_do_nothing_show_nothing_where_a_t_test_does(environment: Environment) -> None:
    found = cells(environment.id, START, END)
    assert found is not None
    tried = [shown(found, window(environment), 7, number) for number in range(12)]
    assert sum(bool(one.verdict) for one in tried) <= 1
    assert sum(one.plain for one in tried) >= 3
    assert all(one.within and 0.02 < one.within < 0.6 for one in tried)


@pytest.mark.usefixtures("traffic")
def test_a_split_that_does_something_is_shown(environment: Environment) -> None:
    found = cells(environment.id, START, END)
    assert found is not None
    slow = sides(7, 0)  # the cells of one side, whose requests are made slower in what was read
    cell = np.asarray(found.sums["bucket"])
    factor = np.where(slow[cell] == 1, 2.0, 1.0)
    for name in ("total_ms", "capped_ms", "all_capped_ms"):
        found.sums[name] = found.sums[name] * factor
    assert shown(found, window(environment), 7, 0).verdict == "worse"


def trial(environment: Environment, flags: int) -> Trial:
    return Trial.objects.create(
        environment=environment, since=START, until=END, flags=flags, asked_by="ann"
    )


@pytest.mark.usefixtures("traffic")
def test_a_trial_is_worked_off_in_pieces_and_nothing_counts_twice(
    environment: Environment,
) -> None:
    one, now = trial(environment, 5), timezone.now()
    assert work.work(now, seconds=0.0) == 1
    one.refresh_from_db()
    assert (one.done, one.held_until, one.finished_at) == (1, None, None)
    stale = Trial.objects.get(id=one.id)
    assert work.work(now, seconds=0.0) == 1
    found = cells(environment.id, START, END)
    assert found is not None
    piece = [shown(found, window(environment), one.id, 1)]
    assert work._counted(stale, found, piece, now) == 0  # a worker that was thought dead
    while work.work(now, seconds=60.0):
        pass
    one.refresh_from_db()
    assert one.done == 5
    assert one.finished_at == now
    assert len(one.within) == 5
    assert said.answer(one) == (
        "None of 5 flags that do nothing would have shown a verdict; at most 5% are promised."
    )


@pytest.mark.usefixtures("traffic")
def test_a_trial_whose_worker_died_is_taken_up_again(environment: Environment) -> None:
    one, now = trial(environment, 2), timezone.now()
    Trial.objects.update(held_until=now + timedelta(minutes=1))
    assert work.work(now) == 0  # somebody is at it
    assert work.work(now + timedelta(minutes=2)) == 2
    one.refresh_from_db()
    assert one.finished_at is not None


def test_too_few_users_are_a_reason(environment: Environment) -> None:
    one = trial(environment, 200)
    assert work.work(timezone.now()) == 0
    one.refresh_from_db()
    assert one.finished_at is not None
    assert said.answer(one).startswith("Only 0 users came")


def test_more_than_promised_is_said(environment: Environment) -> None:
    one = trial(environment, 200)
    one.done, one.shown, one.finished_at = 200, 17, timezone.now()
    assert said.answer(one) == (
        "17 of 200 flags that do nothing would have shown a verdict: 8.5%,"
        " where at most 5% are promised."
    )


def test_a_trial_says_how_long_the_rest_will_take(environment: Environment) -> None:
    one = trial(environment, 200)
    half_way = one.asked_at + timedelta(minutes=8)
    one.done = 4
    assert said.left(one, half_way) == ""
    one.done = 33
    assert said.left(one, half_way) == "About 40 min more."
    one.done, one.finished_at = 200, half_way
    assert said.left(one, half_way) == ""


def test_the_page_starts_one_trial_however_often_it_is_asked(
    environment: Environment, editor_page: Client, viewer_page: Client, outsider_page: Client
) -> None:
    assert "Not tried yet" in viewer_page.get(ADDRESS).content.decode()
    assert viewer_page.post(ADDRESS, {"hours": "6"}).status_code == 403
    assert outsider_page.get(ADDRESS).status_code == 404
    assert outsider_page.post(ADDRESS, {"hours": "6"}).status_code == 404
    assert editor_page.post(ADDRESS, {"hours": "7"}).status_code == 422
    assert editor_page.post(ADDRESS, {"hours": "²"}).status_code == 422
    for _ in range(2):
        assert editor_page.post(ADDRESS, {"hours": "6"}).status_code == 302
    one = Trial.objects.get(environment=environment)
    assert one.until - one.since == timedelta(hours=6)
    part = viewer_page.get(ADDRESS, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "0 of 200 tried" in part
    assert 'hx-trigger="every 3s"' in part


def test_looks_come_often_at_first(environment: Environment) -> None:
    seconds = looks_at(6 * 3600)
    gaps = np.diff(seconds)
    assert 30 <= len(seconds) <= 40
    assert gaps[0] < 60 < gaps[-1]
    assert seconds[-1] == 6 * 3600
    assert CELLS % 100 == 0
