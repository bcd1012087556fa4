"""Two cohorts side by side: their measures, alike requests, slower spans; and refusals."""

import random
import time
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events.query.catalog import known
from events.store.read import run
from insights.explore.cohorts import Cohorts, cohorts
from insights.explore.cohorts_page import sentence, slower
from insights.explore.question import Question, Where
from projects.models import Environment
from tests.events.test_query import store

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]
PAGE = "/acme/production/cohorts"
ON, OFF = (Where("flags.F", "=", "on"),), (Where("flags.F", "=", "off"),)
SIDES = "a.field=flags.F&a.is=%3D&a.value=on&b.field=flags.F&b.is=%3D&b.value=off&inline=1"


def traffic(n: int = 1200) -> list[dict[str, Any]]:
    """Each request is slower with the flag on, in its cache span, and asks the slow route less."""
    chance = random.Random(11)
    now = int(time.time())
    made: list[dict[str, Any]] = []
    for number in range(n):
        on = number % 2 == 0
        slow_route = chance.random() < (0.1 if on else 0.7)
        cache_ms = 60 if on else 10
        took = (300 if slow_route else 20) + cache_ms
        common = {"time": now - chance.randrange(6000), "trace_id": f"{number + 1:032x}"}
        made.append(
            {
                **common, "service": "shop", "route": "/report" if slow_route else "/item",
                "method": "GET", "span_id": f"{2 * number + 1:016x}", "duration_ms": took,
                "status_code": 500 if on and chance.random() < 0.2 else 200,
                "user_id": f"u{number % 300}", "flags": {"F": "on" if on else "off"},
                "sample_rate": chance.choice([1, 3]),
            }
        )  # fmt: skip
        made.append(
            {
                **common, "service": "cache", "name": "look up", "kind": "internal",
                "span_id": f"{2 * number + 2:016x}", "parent_id": f"{2 * number + 1:016x}",
                "duration_ms": cache_ms,
            }
        )  # fmt: skip
    return made


def beside(environment: Environment, *, first: Any = ON, second: Any = OFF, **more: Any) -> Cohorts:
    now = timezone.now()
    fields = known(environment.id, now - timedelta(days=1))
    return cohorts(environment, Question(**more), first, second, fields, by=(), now=now, ask=run)


@pytest.fixture
def made(environment: Environment) -> list[dict[str, Any]]:
    found = traffic()
    store(environment, found)
    return found


def test_measures_of_both_agree_with_the_reference(
    environment: Environment, made: list[dict[str, Any]]
) -> None:
    found = beside(environment)
    assert found.heads == ("on", "off")
    for measures, variant in zip(found.measures, ("on", "off"), strict=True):
        own = [item for item in made if item.get("flags", {}).get("F") == variant]
        weight = sum(item["sample_rate"] for item in own)
        assert measures.n == weight
        assert measures.users == len({item["user_id"] for item in own})
        mean = sum(item["duration_ms"] * item["sample_rate"] for item in own) / weight
        assert measures.mean == pytest.approx(mean)
        failed = sum(item["sample_rate"] for item in own if item["status_code"] >= 500)
        assert measures.errors == pytest.approx(failed / weight)
    assert set(found.statuses) == {200, 500}


def test_a_mix_of_routes_is_no_latency(
    environment: Environment, made: list[dict[str, Any]]
) -> None:
    found = beside(environment)
    on, off = found.measures
    assert on.mean is not None
    assert off.mean is not None
    assert on.mean < off.mean  # because it asks the slow route less
    assert found.adjusted is not None
    first, second = found.adjusted
    weights: dict[str, float] = defaultdict(float)
    for item in made:
        if item.get("flags", {}).get("F") == "off":
            weights[item["route"]] += item["sample_rate"]
    expected = (360 * weights["/report"] + 80 * weights["/item"]) / sum(weights.values())
    assert first.mean == pytest.approx(expected)
    assert second.mean == pytest.approx(off.mean)
    assert "slower" in sentence(found)


def test_the_span_that_got_slower_comes_first(
    environment: Environment, made: list[dict[str, Any]]
) -> None:
    spans = {(one.service, one.what): one for one in beside(environment).spans}
    cache = spans["cache", "look up"]
    assert cache.own_ms == pytest.approx((60, 10))
    assert cache.spans == pytest.approx((1, 1))
    assert slower(beside(environment)).startswith("A trace with F = on spends ")
    item, report = spans["shop", "GET /item"], spans["shop", "GET /report"]
    assert item.own_ms[0] + report.own_ms[0] < item.own_ms[1] + report.own_ms[1]


def test_what_belongs_to_both_is_counted_and_left_out(
    environment: Environment, made: list[dict[str, Any]]
) -> None:
    found = beside(environment, first=ON, second=(Where("route", "=", "/item"),))
    assert found.heads == ("F = on", "route = /item")
    shared = [
        item
        for item in made
        if item.get("flags", {}).get("F") == "on" and item.get("route") == "/item"
    ]
    assert found.both == sum(item["sample_rate"] for item in shared)


def test_what_both_hold_may_be_alternatives(
    environment: Environment, made: list[dict[str, Any]]
) -> None:
    either = (Where("route", "=", "/item"), Where("status_code", "=", "500"))
    found = beside(environment, where=either, any=True, sort="P95(duration_ms)")
    for measures, variant in zip(found.measures, ("on", "off"), strict=True):
        own = [item for item in made if item.get("flags", {}).get("F") == variant]
        own = [item for item in own if item["route"] == "/item" or item["status_code"] == 500]
        assert measures.n == sum(item["sample_rate"] for item in own)


def test_the_page_says_it_in_a_sentence_and_leads_on(
    viewer_page: Client, outsider_page: Client, made: list[dict[str, Any]]
) -> None:
    text = viewer_page.get(f"{PAGE}?{SIDES}").getvalue().decode()
    for part in (
        "Alike requests with F = on are",
        "look up",
        "/acme/production/flags/F",
        'id="beside-spans"',
    ):
        assert part in text
    assert "view=traces" in text
    assert outsider_page.get(f"{PAGE}?{SIDES}").status_code == 404
    assert viewer_page.get(PAGE).status_code == 200


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("a.field=plan&a.is=%3D&a.value=x", "Say what each cohort holds"),
        (SIDES.replace("flags.F", "never"), "No event of this environment has a field named never"),
        (f"{SIDES}&field=duration_ms&is=%3D&value=x", "A number is wanted"),
        (f"{SIDES}&alike=never", "No event of this environment has a field named never"),
    ],
)
def test_what_can_not_be_compared_is_said(
    viewer_page: Client, made: list[dict[str, Any]], address: str, said: str
) -> None:
    assert said in viewer_page.get(f"{PAGE}?{address}&inline=1").getvalue().decode()


def test_a_cohort_that_nobody_is_in_is_said(
    viewer_page: Client, made: list[dict[str, Any]]
) -> None:
    text = (
        viewer_page.get(f"{PAGE}?{SIDES.replace('value=off', 'value=never')}").getvalue().decode()
    )
    assert "No request of this time has F = never." in text


def test_the_form_of_two_cohorts_keeps_what_the_question_already_said(
    made: list[dict[str, Any]], viewer_page: Client
) -> None:
    own = "name=slow&expression=IF(%24duration_ms%20%3E%20100%2C%20%22slow%22%2C%20%22fine%22)"
    sides = "a.field=slow&a.is=%3D&a.value=slow&b.field=slow&b.is=%3D&b.value=fine"
    page = viewer_page.get(f"{PAGE}?{own}&events=all&marks=flag&{sides}&inline=1").content.decode()
    assert "Events of the first" in page
    assert '<input type="hidden" name="events" value="all">' in page
    assert '<input type="hidden" name="name" value="slow">' in page
    expression = "IF($duration_ms &gt; 100, &quot;slow&quot;, &quot;fine&quot;)"
    assert f'<input type="hidden" name="expression" value="{expression}">' in page
    assert '<option value="flag" selected>Flag changes only</option>' in page
