"""Trap 14: the database's clock is not the web's, and nothing is decided by it."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from flags import plans, schedule, skew
from flags.documents import document_for
from flags.evaluate import context_of, evaluate
from flags.models import Flag, FlagVersion, Plan, Step
from flags.plans import Asked
from projects.models import Environment
from releases.models import Change
from tests.flags.conftest import MakeFlag

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def shifted(monkeypatch: pytest.MonkeyPatch, by_s: float) -> None:
    """The clock of this process; the database's stays."""
    real = time.time
    monkeypatch.setattr("flags.skew.time.time", lambda: real() + by_s)


@pytest.mark.parametrize("by_s", [-90.0, 90.0], ids=["database ahead", "database behind"])
def test_the_difference_is_measured(monkeypatch: pytest.MonkeyPatch, by_s: float) -> None:
    shifted(monkeypatch, by_s)
    assert skew.skew_s() == pytest.approx(-by_s, abs=10)


def test_clocks_that_agree_are_not_said_to_differ() -> None:
    assert abs(skew.skew_s()) < 10


def planned(environment: Environment) -> Plan:
    at = timezone.now().replace(microsecond=0) + 3 * HOUR
    patch = {"enabled": True, "default_variant": "on"}
    asked = Asked("USE_CACHING", {"at": at.isoformat(), "timezone": "UTC", "patch": patch})
    return plans.create(
        environment, [asked], actor="pm@acme.example", now=timezone.now(), name="Spring"
    ).plans.get()


@pytest.mark.usefixtures("event_store")
def test_a_launch_says_that_the_clocks_differ(
    environment: Environment,
    make_flag: MakeFlag,
    viewer_page: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_flag(enabled=False)
    address = f"/acme/production/launches/{planned(environment).launch_id}"
    monkeypatch.setattr("insights.launch_checks.skew_s", lambda: 0.2)
    assert "database&#x27;s clock" not in viewer_page.get(address).content.decode()
    monkeypatch.setattr("insights.launch_checks.skew_s", lambda: -42.0)
    page = viewer_page.get(address).content.decode()
    assert "The database&#x27;s clock is 42 s behind this server&#x27;s" in page


def test_a_flip_happens_and_is_written_down_by_the_clock_of_whoever_evaluates(
    environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The web's clock is three hours ahead of the database's when the second comes."""
    make_flag(enabled=False)
    plan = planned(environment)
    web = plan.at + timedelta(milliseconds=20)
    monkeypatch.setattr("flags.evaluate.time.time", lambda: web.timestamp())
    found = evaluate(document_for(environment.pk), "USE_CACHING", context_of({}))
    assert found.variant == "on"
    assert schedule.materialise(web) == 1
    step = Step.objects.get()
    assert (step.effective_at, step.recorded_at) == (plan.at, web)
    assert FlagVersion.objects.get(version=2).at == plan.at
    assert Change.objects.get(title__contains="turned on").time == plan.at
    assert Flag.objects.get().enabled


def test_a_database_that_is_ahead_writes_nothing_down_too_early(
    environment: Environment, make_flag: MakeFlag
) -> None:
    """By the database three hours have passed, by the worker's clock none."""
    make_flag(enabled=False)
    plan = planned(environment)
    assert schedule.materialise(plan.at - timedelta(milliseconds=1)) == 0
    assert schedule.expire(plan.at - timedelta(milliseconds=1)) == 0
    assert not Flag.objects.get().enabled
