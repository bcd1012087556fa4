"""The shop over HTTP, asking its flags over OFREP."""

import random
import time

from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from demo import flags, telemetry
from demo.clock import WorkClock
from demo.live import Traffic
from demo.people import Directory
from demo.shop.fleet import Foundry
from demo.shop.server import Cluster
from demo.shop.service import Build, Request
from demo.story import INSTANCES
from demo.traffic import Demand, Visitors
from tests.demo.collector import Collector, document


def test_requests_go_through_all_services_and_a_new_build_takes_over(
    collector: Collector,
) -> None:
    collector.core.set_flags(document({"USE_CACHING": 100}))
    exporter = telemetry.Patient(collector.url, "key")
    processor = BatchSpanProcessor(exporter)
    directory = Directory(seed=1, size=300)
    foundry = Foundry(
        processor,
        clock=WorkClock(),
        flags=flags.remote(collector.url, "key"),
        directory=directory,
        chance=random.Random(3),
    )
    cluster = Cluster(foundry, dict.fromkeys(INSTANCES, "1.0.0"))
    demand = Demand(60, time.time())
    traffic = Traffic(cluster, Visitors(directory, random.Random(3)), demand, seed=3)
    traffic.start()
    time.sleep(1.5)
    for name in INSTANCES["shop"]:
        cluster.start(Build("shop", "1.0.1"), name)
    begun, begun_ns = time.monotonic(), time.time_ns()
    cluster.ask("shop", Request("GET", "/export", {}, {"x-user-id": "u-00001"}))
    took_ms = (time.monotonic() - begun) * 1000
    time.sleep(0.5)
    traffic.stop()
    cluster.stop()
    time.sleep(0.5)
    processor.force_flush()

    assert traffic.sent > 40
    assert traffic.turned_away == 0
    assert {resource["service.name"] for resource, _ in collector.spans} == set(INSTANCES)
    mine = next(  # this person may have come by chance earlier
        span
        for resource, span in collector.spans
        if span.name == "GET /export"
        and resource["service.version"] == "1.0.1"
        and any(a.value.string_value == "u-00001" for a in span.attributes)
        and span.start_time_unix_nano >= begun_ns
    )
    told_ms = (mine.end_time_unix_nano - mine.start_time_unix_nano) / 1e6
    assert 60 < told_ms <= took_ms
    (evaluation,) = mine.events
    told = {a.key: a.value.string_value for a in evaluation.attributes}
    assert told["feature_flag.key"] == "USE_CACHING"
    assert told["feature_flag.result.variant"] == "on"


class SlowFlags:
    """A provider that a busy machine keeps waiting."""

    def on(self, *_: object, **__: object) -> bool:
        time.sleep(0.2)
        return False


def test_what_the_machine_adds_is_not_told_as_the_shops_time() -> None:
    spans = InMemorySpanExporter()
    foundry = Foundry(
        SimpleSpanProcessor(spans),
        clock=WorkClock(),
        flags=SlowFlags(),  # type: ignore[arg-type]  # as much of Flags as the shop asks
        directory=Directory(seed=1, size=300),
        chance=random.Random(3),
    )
    cluster = Cluster(foundry, dict.fromkeys(INSTANCES, "1.0.0"))
    begun_ns = time.time_ns()
    cluster.ask("shop", Request("GET", "/product/p-7", {}, {"x-user-id": "u-00001"}))
    took_ms = (time.time_ns() - begun_ns) / 1e6
    cluster.stop()
    found = {span.name: span for span in spans.get_finished_spans()}
    entry = found["GET /product/{id}"]
    assert entry.start_time is not None
    assert entry.end_time is not None
    told_ms = (entry.end_time - entry.start_time) / 1e6
    assert took_ms > 600  # three questions
    assert 10 < told_ms < took_ms - 590
    for name in ("GET /items/{id}", "GET /quote"):
        inner = found[name]
        assert entry.start_time <= (inner.start_time or 0) < (inner.end_time or 0)
        assert (inner.end_time or 0) <= entry.end_time
