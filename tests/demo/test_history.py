"""History as Flipscope gets it: over real OTLP requests, to a collector of this test."""

import io
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from demo import history, memory
from demo.flipscope import Flipscope, Keys
from demo.history import Plan
from demo.telemetry import Thinned
from tests.demo.collector import Collector, document

HOURS = 2.0


@pytest.fixture
def plan(collector: Collector, tmp_path: Path) -> Plan:
    now_s = time.time()
    return Plan(
        url=collector.url,
        ingest_key="i",
        document=document({"USE_CACHING": 50}),
        begin_s=now_s - HOURS * 3600,
        end_s=now_s,
        start_s=now_s,
        hours=HOURS,
        rate=20,
        seed=1,
        progress=str(tmp_path / "history.json"),
    )


def test_all_of_it_arrives_within_its_hours(plan: Plan, collector: Collector) -> None:
    out = io.StringIO()
    assert history.run(plan, out) == 0
    assert "2.0 hours are in" in out.getvalue()
    starts = [span.start_time_unix_nano / 1e9 for _, span in collector.spans]
    assert min(starts) >= plan.begin_s
    assert max(starts) < plan.end_s + 60
    assert memory.reached(Path(plan.progress).parent, "history") == plan.end_s


def test_events_say_for_how_many_they_stand(plan: Plan, collector: Collector) -> None:
    history.run(plan, io.StringIO())
    entries = [span for resource, span in collector.spans if span.kind == span.SPAN_KIND_SERVER]
    weights = {"ot=th:fe": 128, "ot=th:f": 16}
    assert {span.trace_state for span in entries} == set(weights)
    fronts = [
        span
        for resource, span in collector.spans
        if resource["service.name"] == "shop" and span.kind == span.SPAN_KIND_SERVER
    ]
    told = sum(weights[span.trace_state] for span in fronts)
    assert told == pytest.approx(20 * HOURS * 3600, rel=0.25)


def test_caching_was_off_for_everyone(plan: Plan, collector: Collector) -> None:
    history.run(plan, io.StringIO())
    variants: Counter[tuple[str, str]] = Counter()
    for _, span in collector.spans:
        for event in span.events:
            told = {a.key: a.value.string_value for a in event.attributes}
            if event.name == "feature_flag.evaluation":
                variants[told["feature_flag.key"], told["feature_flag.result.variant"]] += 1
    assert variants["USE_CACHING", "off"] > 50
    assert variants["USE_CACHING", "on"] == 0
    assert variants["NEW_SEARCH", "on"] > 50


def test_each_build_that_ran_is_known_before_its_telemetry(
    plan: Plan, collector: Collector
) -> None:
    plan.story().announce(Flipscope(collector.url, Keys("i", "s", "a")))
    times = [body["time"] for _, body in collector.posted]
    assert times == sorted(times)
    history.run(plan, io.StringIO())
    deployed = {body["build_id"] for path, body in collector.posted if path.endswith("deploys")}
    seen = {resource["service.version"] for resource, _ in collector.spans}
    assert seen - deployed == {"4.17.0", "2.8.3", "1.30.2"}, "what ran at the very beginning"
    assert "4.18.0" in deployed
    assert sum(path.endswith("markers") for path, _ in collector.posted) == 4


def test_a_store_that_is_away_for_a_moment_loses_nothing(plan: Plan, collector: Collector) -> None:
    collector.refuse = 2
    assert history.run(plan, io.StringIO()) == 0
    assert not collector.refuse


def test_a_gap_has_no_story(plan: Plan, collector: Collector, tmp_path: Path) -> None:
    versions = {"shop": "9.0.0", "catalog": "9.0.0", "pricing": "9.0.0"}
    gap = plan.between(plan.end_s - 1800, plan.end_s).quiet(versions, tmp_path / "gap.json")
    assert history.run(replace(gap, rate=200), io.StringIO()) == 0
    assert collector.posted == []
    assert {resource["service.version"] for resource, _ in collector.spans} == {"9.0.0"}


@pytest.mark.parametrize(
    ("one_in", "state"), [(2, "ot=th:8"), (16, "ot=th:f"), (64, "ot=th:fc"), (128, "ot=th:fe")]
)
def test_the_threshold_is_written_as_opentelemetry_does(one_in: int, state: str) -> None:
    decided = Thinned(one_in).should_sample(None, 1, "GET /")
    assert decided.trace_state is not None
    assert decided.trace_state.to_header() == state
