"""Many workers at due plans, and a client that asks through the very second."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from flags import editing, plans, schedule
from flags.documents import document_for
from flags.evaluate import context_of, evaluate
from flags.models import Flag, FlagVersion, Plan, Step
from flags.plans import Asked
from projects.models import Environment
from releases.models import Change
from tests.flags.conftest import ACTOR, MakeFlag

pytestmark = pytest.mark.django_db(transaction=True)
ON = {"enabled": True, "default_variant": "on"}


def flip(environment: Environment, key: str, at: datetime, patch: dict[str, Any] = ON) -> Plan:
    asked = Asked(key, {"at": at.replace(microsecond=0).isoformat(), "patch": patch})
    launch = plans.create(environment, [asked], actor=ACTOR, now=timezone.now())
    plan: Plan = launch.plans.get()
    return plan


def in_threads(count: int, act: Callable[[], Any]) -> list[Any]:
    gate = threading.Barrier(count)

    def run(_: int) -> Any:
        gate.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_eight_workers_write_each_due_plan_once_at_its_planned_time(
    environment: Environment, make_flag: MakeFlag
) -> None:
    """40 flags with two plans each; `make races` asks it of 1,000."""
    now = timezone.now()
    for number in range(40):
        make_flag(f"f{number:02}", enabled=False)
        flip(environment, f"f{number:02}", now + timedelta(minutes=number + 1))
        flip(environment, f"f{number:02}", now + timedelta(hours=2), {"default_variant": "off"})
    late = now + timedelta(hours=3)
    assert sum(in_threads(8, lambda: schedule.materialise(late))) == 80
    assert Plan.objects.filter(status="done").count() == 80
    assert Change.objects.filter(source="plan").count() == 80
    assert set(Flag.objects.values_list("version", flat=True)) == {3}
    for step in Step.objects.select_related("plan__flag"):
        version = FlagVersion.objects.get(flag=step.plan.flag, version=step.version or 0)
        assert step.at == step.effective_at == version.at
        assert Change.objects.get(id=step.change_id or 0).time == step.at


def test_an_edit_after_the_second_and_before_the_worker_finds_the_plan_done(
    environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag(enabled=False)
    plan = flip(environment, "USE_CACHING", timezone.now() + timedelta(hours=1))
    later = plan.at + timedelta(milliseconds=200)
    monkeypatch.setattr("flags.editing.timezone.now", lambda: later)
    editing.change(environment, "USE_CACHING", {"enabled": False}, actor=ACTOR)
    assert [change.time for change in Change.objects.order_by("time")] == [plan.at, later]
    assert schedule.materialise(later) == 0
    assert Flag.objects.get().version == 3


def test_a_cancel_after_the_second_is_too_late_and_says_so(
    environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag(enabled=False)
    plan = flip(environment, "USE_CACHING", timezone.now() + timedelta(hours=1))
    later = plan.at + timedelta(milliseconds=50)
    monkeypatch.setattr("flags.editing.timezone.now", lambda: later)
    with pytest.raises(plans.PlanConflict, match="done already"):
        plans.cancel(environment, plan.pk, actor=ACTOR, now=later)
    assert schedule.expire(later) == 0


def test_users_see_the_flip_at_its_second_with_no_worker_at_all(
    environment: Environment, make_flag: MakeFlag
) -> None:
    make_flag(enabled=False)
    plan = flip(environment, "USE_CACHING", timezone.now() + timedelta(seconds=2))
    seen: list[tuple[float, str, str]] = []
    while not seen or seen[-1][1] == "off":
        found = evaluate(document_for(environment.id), "USE_CACHING", context_of({}))
        assert datetime.now(UTC) < plan.at + timedelta(seconds=2), "it never flipped"
        seen.append((datetime.now(UTC).timestamp(), found.variant, found.metadata["version"]))
    assert 0 <= seen[-1][0] - plan.at.timestamp() < 0.2
    assert {one[2] for one in seen[:-1]} == {"1"}
    assert seen[-1][2] == "2"
    assert Flag.objects.get().version == 1, "nobody has written it down yet"
