"""The shop over HTTP, asking its flags over OFREP."""

import random
import time

from opentelemetry.sdk.trace.export import BatchSpanProcessor

from demo import flags, telemetry
from demo.clock import WallClock
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
        clock=WallClock(),
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
