"""The narrowest scope that holds a finding, found over real events and over tables alone."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from insights.cohorts import Comparison, Variants
from insights.examine import examine
from insights.statistics.excess import Counts, association, excess
from insights.where import Term, Where, search
from projects.models import Environment
from tests.insights.traffic import Request, on, requests, send

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
END = START + timedelta(minutes=30)


def counted(rates: tuple[float, float], size: int, seed: int) -> Counts:
    rng = np.random.default_rng(seed)
    events = rng.poisson(size / 100, (2, 100)).astype(float)
    hits = np.stack([rng.binomial(events[arm].astype(int), rates[arm]) for arm in (0, 1)])
    return Counts(events, hits.astype(float))


def test_what_always_fails_has_no_excess() -> None:
    bots, rest = counted((0.9, 0.9), 2000, 1), counted((0.01, 0.01), 20_000, 2)
    found = excess(bots, bots + rest, tested=50)
    assert found is not None
    assert found.low < 0 < found.high
    assert found.explains == 0


def test_a_segment_that_holds_the_effect_explains_most_of_it() -> None:
    bad, rest = counted((0.01, 0.25), 2000, 3), counted((0.01, 0.01), 40_000, 4)
    found = excess(bad, bad + rest, tested=50)
    assert found is not None
    assert found.low > 0.1
    assert found.explains > 0.5
    assert found.part == pytest.approx(1.0, abs=0.15)


def test_everything_alike_has_no_narrower_scope() -> None:
    half, other = counted((0.01, 0.11), 10_000, 5), counted((0.01, 0.11), 10_000, 6)
    found = excess(half, half + other, tested=50)
    assert found is not None
    assert found.explains == 0


def test_too_small_a_segment_says_nothing() -> None:
    few, rest = counted((0.0, 0.5), 10, 7), counted((0.01, 0.01), 10_000, 8)
    assert excess(few, few + rest, tested=5) is None


def test_association_is_one_for_the_same_and_none_for_chance() -> None:
    assert association(500, 500, 500, 2000) == pytest.approx(1.0)
    assert association(250, 500, 1000, 2000) == pytest.approx(0.0)


def attributed(request: Request, rng: random.Random) -> None:
    """Only free plans with many rows of /export return 402, and bots fail whatever happens."""
    fields = request.fields
    person = random.Random(request.user)
    plan = person.choice(["free", "pro", "team"])
    rows = int(10 ** rng.uniform(1, 5))
    fields |= {
        "plan": plan,
        "plan_id": {"free": 1, "pro": 2, "team": 3}[plan],
        "country": person.choice(["DE", "FR", "US", "JP"]),
        "app_version": rng.choice(["7.1", "7.2"]),
        "request_id": f"{rng.random()}",
        "export_rows": rows,
    }
    if person.random() < 0.3:
        fields["beta"] = "yes"  # absent for everyone else
    if person.random() < 0.05:
        fields |= {"client": "bot", "status_code": 402}
    fields["flags"]["CACHE"] = "on" if on("CACHE", request.user) else "off"
    if on("CACHE", request.user) and request.route == "/export" and plan == "free" and rows > 3000:
        fields["status_code"] = 402


def found_in(environment: Environment) -> Where:
    comparison = Comparison(environment.id, Variants("CACHE", "off", "on"), START, END)
    result = examine(comparison)
    finding = next(one for one in result.findings if one.delta.measure == "status_code:402")
    assert finding.delta.scope.route == "/export"
    where = search(comparison, finding.delta)
    assert where is not None
    return where


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_plan_and_size_are_named_two_deep_and_twins_folded(
    environment: Environment, ingest_key: str
) -> None:
    send(requests(START, count=7000, users=1200, change=attributed), ingest_key)
    where = found_in(environment)
    best = where.segments[0]
    assert {term.field for term in best.terms} <= {"plan", "plan_id", "export_rows"}
    assert len(best.terms) == 2
    size = next(term for term in best.terms if term.field == "export_rows")
    assert size.op == ">"
    assert 1000 < float(size.values[0]) < 10_000
    assert {term.field for term in best.same} & {"plan", "plan_id"}
    assert best.excess.part > 0.6
    assert "country" in where.unaffected
    assert "app_version" in where.unaffected
    assert not {"request_id", "client"} & {t.field for s in where.segments for t in s.terms}


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_absence_of_an_attribute_is_a_value(environment: Environment, ingest_key: str) -> None:
    def absent(request: Request, rng: random.Random) -> None:
        attributed(request, rng)
        request.fields["status_code"] = 200
        on_it = request.fields["flags"]["CACHE"] == "on" and request.route == "/export"
        if on_it and "beta" not in request.fields and rng.random() < 0.4:
            request.fields["status_code"] = 402

    send(requests(START, count=7000, users=1200, change=absent), ingest_key)
    best = found_in(environment).segments[0]
    assert best.terms == (Term("beta", "absent"),)


def slow_finding(environment: Environment) -> Where:
    comparison = Comparison(environment.id, Variants("CACHE", "off", "on"), START, END)
    result = examine(comparison)
    finding = next(one for one in result.findings if one.delta.is_latency)
    where = search(comparison, finding.delta)
    assert where is not None
    return where


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_what_slows_everything_alike_is_nowhere_in_particular(
    environment: Environment, ingest_key: str
) -> None:
    def alike(request: Request, rng: random.Random) -> None:
        rows = int(10 ** rng.uniform(1, 4))  # many rows take long whatever the flag is
        cached = on("CACHE", request.user)
        request.fields["export_rows"] = rows
        request.fields["flags"]["CACHE"] = "on" if cached else "off"
        request.fields["duration_ms"] *= (1 + rows / 200) * (2 if cached else 1)

    send(requests(START, count=6000, users=800, change=alike), ingest_key)
    where = slow_finding(environment)
    assert where.segments == ()


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_several_bad_values_of_one_attribute_are_one_finding(
    environment: Environment, ingest_key: str
) -> None:
    def two_countries(request: Request, rng: random.Random) -> None:
        country = random.Random(request.user).choice(["DE", "FR", "US", "JP", "NZ", "IN"])
        cached = on("CACHE", request.user)
        request.fields["country"] = country
        request.fields["app_version"] = rng.choice(["7.1", "7.2"])
        request.fields["flags"]["CACHE"] = "on" if cached else "off"
        if cached and country in ("DE", "JP"):
            request.fields["duration_ms"] *= 3

    send(requests(START, count=8000, users=1500, change=two_countries), ingest_key)
    where = slow_finding(environment)
    (segment,) = where.segments
    (term,) = segment.terms
    assert (term.field, term.op, set(term.values)) == ("country", "in", {"DE", "JP"})
    assert segment.excess.part > 0.65
    assert "app_version" in where.unaffected
