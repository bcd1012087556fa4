"""A length known in advance: published bounds, how often it is wrong, and where it is used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone
from scipy import stats

from flags.models import Flag, Launch, Plan, Step
from insights import fixed_length, watches
from insights.deltas import deltas
from insights.models import Watch
from insights.statistics.group_sequential import bounds, crossing, spent
from insights.verdicts import claimed, family_weights, judge
from projects.models import Environment
from tests.insights.conftest import Shop
from tests.insights.simulate import ROUTES, Effect, requests, totals

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
GATE = "/api/v1/projects/acme/environments/production/gate"


@pytest.mark.parametrize(
    "published",
    [
        (2.9626, 1.9686),
        (3.7103, 2.5114, 1.9930),
        (4.3326, 2.9631, 2.3590, 2.0141),
        (4.8769, 3.3569, 2.6803, 2.2898, 2.0310),
    ],
    ids=["2 looks", "3 looks", "4 looks", "5 looks"],
)
def test_bounds_are_those_that_gsdesign_and_rpact_print(published: tuple[float, ...]) -> None:
    """Even looks, two-sided 5%, O'Brien–Fleming-type spending (sfLDOF; typeOfDesign asOF).

    The five are in ldbounds' vignette, the four in RTSA's outputs (4.332634, 2.963131, 2.359044,
    2.014090).
    """
    parts = [(look + 1) / len(published) for look in range(len(published))]
    assert bounds(parts, parts, 0.05) == pytest.approx(published, abs=2e-4)


def test_uneven_looks_have_the_bounds_of_gsdesigns_manual() -> None:
    """gsDesign2's reference page of gs_b: sfLDOF, one-sided 2.5%, at 50, 75 and 100%."""
    parts = (0.5, 0.75, 1.0)
    found = bounds(parts, parts, 0.05)
    assert found == pytest.approx((2.962588, 2.359018, 2.014084), abs=1e-5)


@pytest.mark.parametrize("know", [(1.0, 2.0), (1.0, 7.0), (3.0, 4.0)], ids=str)
def test_two_looks_stay_within_as_often_as_the_bivariate_normal_says(
    know: tuple[float, float],
) -> None:
    """The recursive integration against a distribution function that shares nothing with it."""
    at = np.array(bounds([0.5, 1.0], know, 0.05))
    apart = (know[0] / know[1]) ** 0.5
    both = stats.multivariate_normal(cov=[[1.0, apart], [apart, 1.0]])
    assert 1 - both.cdf(at, lower_limit=-at) == pytest.approx(0.05, abs=1e-5)
    assert crossing(list(at), know) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien"),
    [(2, 2.178, 1.977), (5, 2.413, 2.040), (10, 2.555, 2.087), (20, 2.672, 2.126)],
)
def test_constants_of_jennison_and_turnbull_spend_five_percent(
    looks: int, pocock: float, obrien: float
) -> None:
    """Group Sequential Methods (2000), tables 2.1 and 2.3."""
    know = [float(look) for look in range(1, looks + 1)]
    assert crossing([pocock] * looks, know) == pytest.approx(0.05, abs=1e-4)
    assert crossing([obrien * (looks / k) ** 0.5 for k in know], know) == pytest.approx(
        0.05, abs=1e-4
    )


@pytest.mark.parametrize("pace", [0.5, 1.0, 2.0], ids=["early", "even", "late"])
def test_all_of_alpha_is_spent_however_information_comes(pace: float) -> None:
    parts = [0.1, 0.15, 0.5, 0.55, 1.0]
    know = [1000 * part**pace for part in parts]
    found = bounds(parts, know, 0.01)
    assert found[0] > found[2] > found[-1]
    assert crossing(found, know) == pytest.approx(0.01, abs=1e-5)
    assert spent(0.0, 0.05) == 0.0
    assert spent(1.0, 0.05) == pytest.approx(0.05)


def plan_after(seed: int, **options: object) -> tuple[fixed_length.FixedLength, bool, bool]:
    """The plan at the end of a day, whether it claims anything, and whether e-values alone do."""
    day = requests(seed, **options)  # type: ignore[arg-type]  # passed through
    plan = fixed_length.FixedLength(START, START + DAY, START)
    by_evidence = False
    for look in range(1, 25):
        found = deltas(totals(day, look / 24))
        weights = family_weights(found)
        plan = fixed_length.looked(replace(plan, now=START + DAY * look / 24), found, weights)
        by_evidence |= bool(claimed(found, weights))
    return plan, bool(fixed_length.claimed(plan, found)), by_evidence


def test_flags_that_do_nothing_cross_in_few_days() -> None:
    """20 days; half of 5% of them may be wrong. Looks closer than a twentieth are not looks."""
    plans = [plan_after(500 + seed, users=400)[0] for seed in range(20)]
    assert sum(bool(plan.crossed) for plan in plans) <= 2
    assert all(len(plan.looks) <= fixed_length.MOST_LOOKS and plan.over for plan in plans)


def test_a_known_end_finds_what_e_values_leave_open() -> None:
    effects = tuple(Effect(route, 1.13) for route in ROUTES)
    found = [plan_after(40 + seed, users=1000, effects=effects) for seed in range(8)]
    assert sum(known for _, known, _ in found) >= sum(other for *_, other in found) + 2


def test_a_claim_stands_after_its_look_unless_it_turns_round() -> None:
    effects = tuple(Effect(route, 1.5) for route in ROUTES)
    day = requests(7, users=1000, effects=effects)
    plan = fixed_length.FixedLength(START, START + DAY, START)
    for look in (0.25, 0.5):
        found = deltas(totals(day, look))
        plan = replace(plan, now=START + DAY * look)
        plan = fixed_length.looked(plan, found, family_weights(found))
    kept = fixed_length.kept(START, START + DAY, plan.now, plan.as_json())
    assert kept == plan
    assert fixed_length.claimed(plan, found)
    assert any(j.verdict == "worse" for j in judge(found, "randomised", elapsed_s=1, length=plan))
    swapped = deltas(totals(type(day)(*_turned(day)), 0.5))
    assert not fixed_length.claimed(plan, swapped)
    again = fixed_length.looked(replace(plan, now=START + DAY * 0.51), found, family_weights(found))
    assert (again.looks, again.crossed) == (plan.looks, plan.crossed)


def _turned(day: object) -> list[np.ndarray]:
    names = ("time", "user", "arm", "route", "duration_ms", "status", "weight")
    return [1 - getattr(day, name) if name == "arm" else getattr(day, name) for name in names]


@pytest.mark.django_db
def test_what_holds_until_the_next_step_has_a_known_end(environment: Environment) -> None:
    flag = Flag.objects.create(
        environment=environment, key="checkout", type="boolean", variants={"on": True, "off": False}
    )
    launch = Launch.objects.create(environment=environment, name="Checkout", actor="a@b.c")
    now = timezone.now()
    plan = Plan.objects.create(
        launch=launch,
        flag=flag,
        kind="steps",
        asked={},
        status=Plan.Status.RUNNING,
        at=now,
        flag_version=1,
    )
    for number, minutes in enumerate((-5, 30, 60)):
        at = now + timedelta(minutes=minutes)
        Step.objects.create(plan=plan, number=number, at=at, act={}, done=minutes < 0)
    assert watches.next_step(environment, "checkout", now) == now + timedelta(minutes=30)
    Plan.objects.update(status=Plan.Status.CANCELLED)
    assert watches.next_step(environment, "checkout", now) is None


@pytest.mark.django_db
def test_a_gate_that_waits_gives_a_fresh_comparison_its_end(shop: Shop, api_token: str) -> None:
    shop.look()
    client = Client(headers={"authorization": f"Bearer {api_token}"})
    Watch.objects.update(verdict="unknown", planned_end=None, started_at=timezone.now())
    soon = timezone.now() + timedelta(minutes=30)
    asked = {"flag": "BLUE_BUTTON", "decide_by": soon.isoformat()}
    assert client.get(GATE, asked).status_code == 200
    first = shop.watch(flag="BLUE_BUTTON")
    assert first.planned_end == soon - timedelta(seconds=20)
    client.get(GATE, asked | {"decide_by": (soon + timedelta(hours=1)).isoformat()})
    assert shop.watch(flag="BLUE_BUTTON").planned_end == first.planned_end
    Watch.objects.update(planned_end=None, started_at=timezone.now() - timedelta(hours=1))
    client.get(GATE, asked)  # far too much has been seen
    assert shop.watch(flag="BLUE_BUTTON").planned_end is None
    assert client.get(GATE, asked | {"decide_by": "2026-01-01T00:00:00"}).status_code == 422


@pytest.mark.django_db
def test_a_look_of_a_known_length_is_kept_with_its_plan(shop: Shop) -> None:
    watches.ensure(shop.environment, shop.now)
    end = shop.now + timedelta(minutes=10)
    Watch.objects.filter(flag="USE_CACHING").update(
        planned_end=end, started_at=shop.now - timedelta(minutes=30)
    )
    shop.look()
    watch = shop.watch(flag="USE_CACHING")
    assert watch.length["looks"][0][0] == pytest.approx(0.75)
    assert watch.length["crossed"]
    assert "known in advance" in watch.result["note"]
    assert watch.verdict == "worse"
    assert watches.next_look(watch, end - timedelta(seconds=5), settled=False) == end
