"""A launch while it happens: what is asked each second, its cohorts, and the way out."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from events.store.client import StoreUnavailable
from flags import editing, plans
from flags.models import Flag, Launch, Plan, Step
from insights import live, reach
from projects.models import Environment
from tests.insights.traffic import send

pytestmark = pytest.mark.usefixtures("event_store")
BASE = "/acme/production/launches"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def launch(environment: Environment, now: datetime) -> Launch:
    """Planned, and a minute past its time; no worker has written it down."""
    given = {"key": "PRICING", "type": "boolean"}
    editing.create(environment, given, actor="editor@acme.example")
    patch = {"enabled": True, "default_variant": "on"}
    soon = {"at": (now + 60 * MINUTE).isoformat(), "timezone": "UTC", "patch": patch}
    asked = [plans.Asked("PRICING", soon)]
    made = plans.create(environment, asked, actor="pm@acme.example", now=now, name="Spring")
    Plan.objects.update(at=now - MINUTE)
    Step.objects.update(at=now - MINUTE)
    return made


def request(at: datetime, user: str, variant: str, instance: str, **more: Any) -> dict[str, Any]:
    return {
        "time": at.isoformat(),
        "service": "shop",
        "name": "GET /",
        "route": "/",
        "user_id": user,
        "duration_ms": 100.0 if variant == "on" else 50.0,
        "flags": {"PRICING": variant},
        "service.instance.id": instance,
    } | more


def sent(now: datetime, key: str) -> None:
    """Three of four instances have it, after 1, 2 and 30 s; u1 comes twice."""
    begun = now - MINUTE
    send(
        [
            request(begun + timedelta(seconds=1), "u1", "on", "a"),
            request(begun + timedelta(seconds=2), "u1", "on", "b"),
            request(begun + timedelta(seconds=3), "u2", "off", "c", error=True),
            request(begun + timedelta(seconds=30), "u3", "on", "c", error=True),
            request(begun + timedelta(seconds=31), "u4", "off", "d"),
            request(begun - timedelta(seconds=9), "u5", "on", "d"),
        ],
        key,
    )


def test_exposures_instances_and_users_are_counted_by_one_question(
    launch: Launch, now: datetime, ingest_key: str, viewer_page: Client
) -> None:
    sent(now, ingest_key)
    plan = launch.plans.get()
    found = live.arrivals(plan, "on", now)
    assert (found.users, found.requests, found.having, found.instances) == (2, 3, 3, 4)
    assert found.first == plan.at + timedelta(seconds=1)
    assert found.reached[0] == (50, plan.at + timedelta(seconds=2))
    assert found.reached[1] == (95, None)
    page = viewer_page.get(f"{BASE}/{launch.pk}/live").content.decode()
    for part in ("+1.00 s", "+2.00 s", "not yet", "every 1s", "PRICING", "3 of 4 instances"):
        assert part in page
    assert "on for everyone" in page, "what is in force, whether or not it is written down"


def test_both_sides_stand_beside_each_other(
    launch: Launch, now: datetime, ingest_key: str, viewer_page: Client
) -> None:
    sent(now, ingest_key)
    found = {one.variant: one for one in live.cohorts(launch.plans.get(), now)}
    assert (found["on"].requests, found["on"].users, found["on"].p50_ms) == (3, 2, 100)
    assert found["on"].error_rate == pytest.approx(1 / 3)
    assert (found["off"].requests, found["off"].error_rate, found["off"].p50_ms) == (2, 0.5, 50)
    page = viewer_page.get(f"{BASE}/{launch.pk}").content.decode()
    assert "both sides since it began" in page
    assert 'id="_live"' in page
    assert "The worker has not written it down yet" in page


def test_everybody_who_looks_shares_one_answer(
    launch: Launch, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(*given: Any) -> reach.Spread:
        asked.append(given)
        return reach.spread(*given)

    monkeypatch.setattr(live, "spread", counted)
    for _ in range(5):
        live.arrivals(launch.plans.get(), "on", now)
    assert len(asked) == 1
    cache.clear()
    live.arrivals(launch.plans.get(), "on", now)
    assert len(asked) == 2


def test_what_has_not_begun_or_is_long_over_is_not_asked_each_second(
    launch: Launch, now: datetime, viewer_page: Client
) -> None:
    Plan.objects.update(at=now + MINUTE)
    assert live.parts(launch, lambda plan: ("off", "on"), now) == []
    assert 'id="_live"' not in viewer_page.get(f"{BASE}/{launch.pk}").content.decode()
    Plan.objects.update(at=now - 31 * MINUTE)
    page = viewer_page.get(f"{BASE}/{launch.pk}/live").content.decode()
    assert "When it reached users" in page
    assert "every 1s" not in page


def test_without_the_store_it_says_so_and_what_is_served(
    launch: Launch, viewer_page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(live, "spread", away)
    page = viewer_page.get(f"{BASE}/{launch.pk}/live").content.decode()
    assert "is missing while the event store does not answer" in page
    assert "on for everyone" in page


def test_it_is_turned_off_before_any_worker_has_written_it_down(
    launch: Launch, editor_page: Client, viewer_page: Client
) -> None:
    address = f"{BASE}/{launch.pk}"
    assert "Turn PRICING off" in editor_page.get(address).content.decode()
    assert "Turn PRICING off" not in viewer_page.get(address).content.decode()
    editor_page.post(f"{address}/act", {"action": "off", "reason": "errors"})
    assert not Flag.objects.get().enabled
    assert "Turn PRICING off" not in editor_page.get(address).content.decode()


def test_who_may_look(launch: Launch, outsider_page: Client, viewer_page: Client) -> None:
    assert outsider_page.get(f"{BASE}/{launch.pk}/live").status_code == 404
    assert viewer_page.get(f"{BASE}/99999/live").status_code == 404
    assert viewer_page.post(f"{BASE}/{launch.pk}/live").status_code == 405


def test_a_launch_that_was_rolled_back_says_so_and_shows_nothing_that_will_not_come(
    launch: Launch, now: datetime, viewer_page: Client
) -> None:
    plan = launch.plans.get()
    plan.steps.update(done=True, effective_at=plan.at, recorded_at=now)
    Step.objects.create(plan=plan, number=2, at=now + MINUTE, act={"patch": {}}, done=True)
    Plan.objects.update(status="done", note="Rolled back by eve: flickers")
    page = viewer_page.get(f"{BASE}/{launch.pk}").content.decode()
    assert '<p class="countdown">Rolled back</p>' in page
    assert "Rolled back by eve: flickers" in page
    assert page.count('class="item-title"') == 1, "the step that was dropped is not shown"
    assert "Rolled back" in viewer_page.get(BASE).content.decode()
