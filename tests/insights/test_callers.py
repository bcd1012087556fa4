"""A deploy is judged by what calls the service too, and by its instances where no build is told."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from insights import looks, watches
from insights.callers import callers_of, seen_by
from insights.cohorts import Builds, Comparison
from insights.comparison import totals
from insights.examine import Result, examined
from insights.gates import decided
from insights.models import Watch
from projects.models import Environment
from releases.models import Change
from tests import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
START = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=14)
END = START + timedelta(minutes=12)


def chain(
    count: int, *, slower_front: float, seed: int = 1, own: float = 1.0, plan: str = ""
) -> list[dict[str, Any]]:
    """Requests to shop that call pricing, half of them its build p2: pricing itself takes `own`
    times as long with it, and what calls p2 is slower, where a plan is named for that only."""
    chance = random.Random(seed)
    pace = [chance.lognormvariate(0, 0.3) for _ in range(400)]
    rows = []
    for number in range(count):
        user = chance.randrange(400)
        at = START + timedelta(minutes=12 * number / count)
        build = chance.choice(["p1", "p2"])
        trace = f"{chance.getrandbits(128):032x}"
        span, inner = (f"{chance.getrandbits(64):016x}" for _ in range(2))
        shared = {"time": at.isoformat(), "trace_id": trace, "user_id": f"u{user}"}
        on = chance.choice(["free", "paid", "team"])
        slower = slower_front if build == "p2" and plan in ("", on) else 1.0
        took = 100 * pace[user] * chance.lognormvariate(0, 0.3)
        rows.append(
            shared
            | {
                "service": "shop",
                "name": "GET /cart",
                "route": "/cart",
                "span_id": span,
                "duration_ms": took * slower,
                "status_code": 200,
                "build_id": "s1",
                "plan": on,
            }
        )
        rows.append(
            shared
            | {
                "service": "pricing",
                "name": "GET /quote",
                "route": "/quote",
                "span_id": inner,
                "parent_id": span,
                "duration_ms": 20 * chance.lognormvariate(0, 0.3) * (own if build == "p2" else 1.0),
                "status_code": 200,
                "build_id": build,
            }
        )
    return rows


def deployed(environment: Environment) -> Watch:
    """The watch of pricing's build p2 after a look."""
    for minutes, build in ((-60, "p1"), (0, "p2")):
        Change.objects.create(
            environment=environment,
            kind="deploy",
            service="pricing",
            build_id=build,
            time=START + timedelta(minutes=minutes),
            title=f"pricing build {build}",
        )
    watches.ensure(environment, END)
    watch = Watch.objects.get(candidate="p2")
    looks.look(watch.id, END)
    watch.refresh_from_db()
    return watch


def compared(environment: Environment) -> Comparison:
    return Comparison(environment.id, Builds("pricing", "p1", "p2"), START, END)


def test_who_calls_a_service_is_read_from_the_traces(
    environment: Environment, ingest_key: str
) -> None:
    make.events(ingest_key, chain(300, slower_front=1.0))
    assert callers_of(environment.id, "pricing", START, END) == ("shop",)
    assert callers_of(environment.id, "shop", START, END) == ()


def looked(environment: Environment) -> Result:
    found = totals(compared(environment))
    return examined(found, above=seen_by(found.comparison))


def test_a_build_that_slows_its_callers_is_found_by_them(
    environment: Environment, ingest_key: str
) -> None:
    make.events(ingest_key, chain(2500, slower_front=1.8))
    (caller,) = looked(environment).callers
    (finding,) = [one for one in caller.findings if one.delta.scope.route == "/cart"][:1]
    assert finding.judged.verdict == "worse"
    assert finding.delta.ratio == pytest.approx(1.8, rel=0.1)


def test_a_harmless_build_shows_nothing_at_its_callers(
    environment: Environment, ingest_key: str
) -> None:
    make.events(ingest_key, chain(2500, slower_front=1.0))
    found = looked(environment)
    assert found.findings == []
    assert [one.findings for one in found.callers] == [[]]
    assert [one.comparison.scope.service for one in found.callers] == ["shop"]


def test_the_deploys_own_look_tells_what_its_callers_show(
    environment: Environment, ingest_key: str
) -> None:
    make.events(ingest_key, chain(2500, slower_front=1.8))
    watch = deployed(environment)
    assert watch.verdict == "worse"
    assert watch.headline.startswith("Requests to /cart through pricing build p2 are ")
    assert "than through build p1" in watch.headline
    assert watch.result["callers"] == ["shop"]
    assert watch.findings_count >= 1
    scopes = {tuple(sorted(one["scope"].items())) for one in watch.result["deltas"]}
    assert (("route", "/cart"), ("service", "shop")) in scopes


def test_a_callers_finding_says_where_and_fails_the_gate(
    environment: Environment, ingest_key: str
) -> None:
    """And is told before what got better in the service itself."""
    make.events(ingest_key, chain(5000, slower_front=2.5, own=0.5, plan="free"))
    watch = deployed(environment)
    first, *others = watch.result["findings"]
    assert (first["verdict"], first["scope"]["service"]) == ("worse", "shop")
    (term,) = first["reasons"]["where"]["segments"][0]["terms"]
    assert (term["field"], term["values"]) == ("plan", ["free"])
    assert "better" in {one["verdict"] for one in others if one["scope"].get("service") != "shop"}
    assert decided([watch]).outcome == "fail"


def test_the_page_says_whose_requests_a_callers_are(
    environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    make.events(ingest_key, chain(1500, slower_front=1.0))
    watch = deployed(environment)
    assert watch.change is not None
    page = viewer_page.get(f"/acme/production/changes/{watch.change.id}").content.decode()
    assert "shop calls pricing: its requests are divided by the build they met." in page
    assert '<span class="muted">shop</span> /cart' in page
    assert '<span class="muted">shop</span> everything' in page


def test_where_no_build_is_told_new_instances_are_told_from_old_ones(
    environment: Environment, ingest_key: str
) -> None:
    deploy = START + timedelta(minutes=4)
    rows = make.visits(begin=START, minutes=12, count=3000)
    chance = random.Random(1)
    for row in rows:
        del row["build_id"]
        new = row["time"] >= deploy.isoformat() and chance.random() < 0.5
        row["service.instance.id"] = "pod-new" if new else "pod-old"
        if new:
            row["duration_ms"] *= 2
    make.events(ingest_key, rows)
    Change.objects.create(
        environment=environment,
        kind="deploy",
        service="shop",
        build_id="b9",
        time=deploy,
        title="shop build b9",
    )
    watches.ensure(environment, END)
    watch = Watch.objects.get(candidate="b9")
    looks.look(watch.id, END)
    watch.refresh_from_db()
    assert watch.verdict == "worse"
    assert "in instances started since build b9" in watch.headline
    assert watch.evidence == "concurrent"
