"""What is different inside a box: planted causes come first, chance finds nothing."""

import random
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events.query.catalog import known
from events.store.read import run
from insights.explore.box import Different, different
from insights.explore.difference_page import sentence
from insights.explore.question import Question, Where
from projects.models import Environment
from tests.events.test_query import store
from web import words

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]
PAGE = "/acme/production/explore/difference"
SLOW = {"box_of": "duration_ms", "box_low": "1000", "box_high": "100000"}


def fleet(n: int, seed: int, **planted: Any) -> list[dict[str, Any]]:
    """Requests of a shop; `planted` says who is slow: a function of the request."""
    chance = random.Random(seed)
    now = int(time.time())
    slow = planted.get("slow", lambda _: chance.random() < 0.02)
    made = []
    for number in range(n):
        pod = chance.randrange(6)
        item: dict[str, Any] = {
            "time": now - chance.randrange(6000),
            "service": "shop",
            "route": chance.choice(["/a", "/b", "/c"]),
            "trace_id": f"{seed:08x}{number + 1:024x}",
            "user_id": f"u{chance.randrange(3000)}",
            "sample_rate": chance.choice([1, 1, 4]),
            "pod": f"pod-{pod}",
            "host": f"host-{pod}",
            "promo": f"p{chance.randrange(7)}",
            "cart_items": chance.randrange(1, 60),
            "request_id": f"{chance.random()}",
            "flags": {"F": chance.choice(["on", "off"]), "G": chance.choice(["x", "y"])},
            **{f"noise_{place}": chance.randrange(5) for place in range(30)},
        }
        if chance.random() < 0.5:
            item["region"] = "eu"
        item["duration_ms"] = 2000.0 if slow(item) else round(chance.lognormvariate(3, 0.5), 2)
        made.append(item)
    return made


def found(environment: Environment, question: Question | None = None, **more: str) -> Different:
    now = timezone.now()
    fields = known(environment.id, now - timedelta(days=1))
    return different(
        environment, question or Question(), fields, {**SLOW, **more}, now=now, ask=run
    )


def test_a_flag_that_makes_requests_slow_is_told_first(environment: Environment) -> None:
    chance = random.Random(5)
    made = fleet(3000, 1, slow=lambda item: item["flags"]["F"] == "on" and chance.random() < 0.2)
    store(environment, made)
    first = found(environment).findings[0]
    assert (first.kind, first.said) == ("flag", "F = on")
    assert first.inside == 1
    inside = [item for item in made if item["duration_ms"] >= 1000]
    others = [item for item in made if item["duration_ms"] < 1000]
    on = sum(item["sample_rate"] for item in others if item["flags"]["F"] == "on")
    assert first.outside == pytest.approx(on / sum(item["sample_rate"] for item in others))
    assert found(environment).inside == sum(item["sample_rate"] for item in inside)


def test_two_fields_of_one_cause_are_one_finding_and_ids_are_none(
    environment: Environment,
) -> None:
    chance = random.Random(6)
    pods, promos = {"pod-0", "pod-1", "pod-2"}, {"p0", "p1", "p2"}
    made = fleet(
        6000, 2,
        slow=lambda item: item["pod"] in pods and item["promo"] in promos and chance.random() < 0.5,
    )  # fmt: skip
    store(environment, made)
    findings = found(environment).findings
    names = [one.field for one in findings]
    assert set(names) <= {"pod", "host", "promo"}
    assert "promo" in names
    (pod,) = [one for one in findings if one.field in ("pod", "host")]
    assert {other.field for other in pod.alike} == {"pod", "host"} - {pod.field}


def test_slow_requests_that_are_slow_by_chance_differ_in_nothing(
    environment: Environment, viewer_page: Client
) -> None:
    store(environment, fleet(4000, 3))
    assert found(environment).findings == ()
    text = viewer_page.get(f"{PAGE}?box_low=1000&inline=1").getvalue().decode()
    assert "Nothing differs beyond chance" in text


def test_a_number_differs_from_a_bound_on_and_absence_is_a_value(
    environment: Environment,
) -> None:
    made = fleet(3000, 4, slow=lambda item: item["cart_items"] >= 45 and "region" not in item)
    store(environment, made)
    said = {one.said for one in found(environment).findings}
    assert "region is absent" in said
    (cart,) = [one for one in found(environment).findings if one.field == "cart_items"]
    assert cart.test.kind == "above"
    assert 40 <= cart.test.bound <= 45
    assert cart.said == f"cart_items at least {cart.test.bound:.0f}"
    assert cart.inside == 1


def test_the_sentence_tells_of_the_strongest_and_of_the_strongest_flag_or_build(
    environment: Environment,
) -> None:
    chance = random.Random(8)
    made = fleet(
        3000, 14,
        slow=lambda item: item["cart_items"] >= 42
        and chance.random() < (0.6 if item["flags"]["F"] == "on" else 0.15),
    )  # fmt: skip
    for item in made:
        item["body_bytes"] = item.pop("cart_items") * 1000
    store(environment, made)
    inside = [one for one in made if one["duration_ms"] >= 1000]
    on = sum(one["sample_rate"] for one in inside if one["flags"]["F"] == "on")
    share = words.percent(on / sum(one["sample_rate"] for one in inside))
    text = sentence(found(environment))
    # 42,000 is the least number of its bin.
    assert text.startswith(
        "100% of what is inside the box has body_bytes at least 42.0 kB, against"
    )
    assert f"of the rest; {share} has F = on, against " in text


def test_one_customer_is_found_among_thousands(environment: Environment) -> None:
    made = fleet(3000, 7, slow=lambda item: False)
    for place, item in enumerate(made):
        if place % 40 == 0:
            item |= {"user_id": "u-whale", "duration_ms": 3000.0}
    store(environment, made)
    assert found(environment).findings[0].said == "user_id = u-whale"


def test_the_box_and_the_filters_are_no_findings(environment: Environment) -> None:
    made = fleet(1500, 8, slow=lambda item: item["route"] == "/a")
    store(environment, made)
    question = Question(where=(Where("route", "=", "/a"), Where("service", "=", "shop")))
    both = found(environment, question)
    assert both.outside == 0
    assert both.findings == ()
    assert "duration_ms" not in {one.field for one in found(environment).findings}


def test_a_box_on_alternatives_is_compared_among_them(environment: Environment) -> None:
    chance = random.Random(4)
    made = fleet(2000, 12, slow=lambda item: item["promo"] == "p1" and chance.random() < 0.5)
    store(environment, made)
    either = (Where("route", "=", "/a"), Where("route", "=", "/b"))
    question = Question(where=either, any=True, also=(Where("region", "=", "eu"),), sort="COUNT")
    both = found(environment, question)
    among = [one for one in made if one["route"] in ("/a", "/b") and "region" in one]
    inside = [one for one in among if one["duration_ms"] >= 1000]
    assert both.inside == sum(one["sample_rate"] for one in inside)
    assert both.outside == sum(one["sample_rate"] for one in among) - both.inside
    assert both.findings[0].said == "promo = p1"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("box_low=x", "A number is wanted"),
        ("box_low=nan", "A number is wanted"),
        ("box_high=1e999", "A number is wanted"),
        ("box_low=5&box_high=4", "must begin below where it ends"),
        ("box_since=2026-01-02T00:00&box_until=2026-01-01T00:00", "must begin before it ends"),
        ("box_of=never&box_low=1", "No event of this environment has a field named never"),
        ("box_of=plan&box_low=1", "wants text"),
        ("", "holds everything"),
    ],
)
def test_a_box_that_is_none_is_said(
    viewer_page: Client, environment: Environment, address: str, said: str
) -> None:
    store(environment, [{"service": "a", "plan": "x"}])
    assert said in viewer_page.get(f"{PAGE}?{address}&inline=1").getvalue().decode()


def test_a_finding_leads_to_fewer_events(viewer_page: Client, environment: Environment) -> None:
    chance = random.Random(5)
    made = fleet(1500, 9, slow=lambda item: item["flags"]["F"] == "on" and chance.random() < 0.3)
    store(environment, made)
    text = viewer_page.get(f"{PAGE}?box_low=1000&op=COUNT&of=&inline=1").getvalue().decode()
    assert "field=flags.F&amp;is=%3D&amp;value=on" in text
    assert "field=flags.F&amp;is=%21%3D&amp;value=on" in text


def busy(seed: int, *, slow_user: bool) -> list[dict[str, Any]]:
    """A few users make most of the requests; each has attributes of their own."""
    chance = random.Random(seed)
    now = int(time.time())
    users = [(f"u{number}", min(chance.paretovariate(0.9), 60)) for number in range(150)]
    theirs = {
        name: {f"trait_{place}": f"t{chance.randrange(4)}" for place in range(30)}
        for name, _ in users
    }
    slower = {name: chance.lognormvariate(0, 1.2) for name, _ in users}
    made = []
    for number in range(3000):
        (name, _), *_ = chance.choices(users, [often for _, often in users])
        slow = name == "u7" if slow_user else chance.random() < 0.05 * slower[name]
        made.append(
            {
                "time": now - chance.randrange(6000), "service": "shop", "user_id": name,
                "trace_id": f"{seed + 900:08x}{number + 1:024x}", **theirs[name],
                "duration_ms": 3000.0 if slow else 20.0,
            }
        )  # fmt: skip
    return made


@pytest.mark.parametrize("seed", range(4))
def test_what_busy_users_bring_along_does_not_differ_by_itself(
    environment: Environment, seed: int
) -> None:
    store(environment, busy(seed, slow_user=False))
    assert [one.said for one in found(environment).findings if one.field != "user_id"] == []


def test_one_slow_user_is_told_and_not_each_of_their_attributes(environment: Environment) -> None:
    store(environment, busy(11, slow_user=True))
    assert [one.said for one in found(environment).findings] == ["user_id = u7"]
