"""What the shop's own code does, flag by flag, on the virtual clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from opentelemetry.trace import SpanKind

from demo.flags import HARMLESS, NEW_SEARCH, USE_CACHING
from demo.shop.storefront import ROUTES
from demo.story import Deploy, Rollout
from tests.demo.conftest import START_NS, Shop, build

OpenShop = Callable[..., Shop]


def test_exports_are_three_times_slower_with_caching_on(open_shop: OpenShop) -> None:
    off = np.array([ms for _, ms in open_shop({USE_CACHING: 0}).visit("GET", "/export", 3_000)])
    on = np.array([ms for _, ms in open_shop({USE_CACHING: 100}).visit("GET", "/export", 3_000)])
    assert on.mean() / off.mean() == pytest.approx(3, abs=0.15)
    assert np.median(on) / np.median(off) == pytest.approx(3, abs=0.15)
    assert np.quantile(on, 0.95) / np.quantile(off, 0.95) == pytest.approx(3, abs=0.3)


def test_one_export_in_ten_is_answered_402_with_caching_on(open_shop: OpenShop) -> None:
    on = [status for status, _ in open_shop({USE_CACHING: 100}).visit("GET", "/export", 3_000)]
    off = [status for status, _ in open_shop({USE_CACHING: 0}).visit("GET", "/export", 3_000)]
    assert on.count(402) / len(on) == pytest.approx(0.10, abs=0.02)
    assert off.count(402) == 0


def test_the_new_search_is_faster(open_shop: OpenShop) -> None:
    off = [ms for _, ms in open_shop({NEW_SEARCH: 0}).visit("GET", "/search", 2_000)]
    on = [ms for _, ms in open_shop({NEW_SEARCH: 100}).visit("GET", "/search", 2_000)]
    assert 0.6 < np.quantile(on, 0.95) / np.quantile(off, 0.95) < 0.8


@pytest.mark.parametrize("key", HARMLESS)
def test_a_harmless_flag_changes_no_answer_and_no_time(open_shop: OpenShop, key: str) -> None:
    def told(percent: int) -> list[tuple[int, float]]:
        shop = open_shop({key: percent})
        return [
            seen
            for route in ROUTES
            for seen in shop.visit(route.method, route.template.replace("{id}", "p-7"), 40)
        ]

    assert told(0) == told(100)


def test_a_bad_build_fails_six_payments_in_a_hundred(open_shop: OpenShop) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    bad = Deploy(long_ago, build("4.18.0", "payment-timeout"), "Payments through the new bank")
    versions = {"shop": "4.17.2", "catalog": "1.0.0", "pricing": "1.0.0"}
    shop = open_shop(rollout=Rollout(versions, [bad]))
    statuses = [status for status, _ in shop.visit("POST", "/payment", 3_000)]
    assert statuses.count(500) / len(statuses) == pytest.approx(0.065, abs=0.02)


def test_few_requests_fail_otherwise(open_shop: OpenShop) -> None:
    shop = open_shop()
    statuses = [
        status
        for route in ROUTES
        for status, _ in shop.visit(route.method, route.template.replace("{id}", "p-7"), 1_000)
    ]
    assert 0.001 < sum(status >= 500 for status in statuses) / len(statuses) < 0.008


def test_the_event_of_a_request_is_wide(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.ask("GET", "/export", "u-00003", format="csv")
    (entry,) = [s for s in shop.spans.get_finished_spans() if s.kind is SpanKind.SERVER]
    facts = dict(entry.resource.attributes) | dict(entry.attributes or {})
    assert facts["http.request.method"] == "GET"
    assert facts["http.route"] == "/export"
    assert facts["http.response.status_code"] == 200
    assert facts["user.id"] == "u-00003"
    assert facts["service.name"] == "shop"
    assert facts["service.version"] == "1.0.0"
    assert facts["service.instance.id"] in {"shop-a", "shop-b", "shop-c"}
    assert facts["deployment.environment.name"] == "production"
    assert {"plan", "country", "export.rows", "export.bytes", "db.queries"} <= facts.keys()
    assert len(facts) > 28


def test_times_come_from_the_clock_of_the_request(open_shop: OpenShop) -> None:
    shop = open_shop()
    _, took_ms = shop.ask("GET", "/search", q="lamp")
    for span in shop.spans.get_finished_spans():
        assert span.start_time is not None
        assert span.end_time is not None
        assert (
            START_NS <= span.start_time <= span.end_time <= START_NS + took_ms * 1_000_000 + 1_000
        )
        for event in span.events:
            assert span.start_time <= event.timestamp <= span.end_time


def test_every_flag_asked_for_is_noted_on_the_span(open_shop: OpenShop) -> None:
    shop = open_shop({NEW_SEARCH: 100})
    shop.ask("GET", "/search", "u-00009", q="lamp")
    entry = next(s for s in shop.spans.get_finished_spans() if s.name == "GET /search")
    seen = {
        (event.attributes or {})["feature_flag.key"]: (event.attributes or {})[
            "feature_flag.result.variant"
        ]
        for event in entry.events
    }
    assert seen[NEW_SEARCH] == "on"
    assert "LAZY_IMAGES" in seen


def test_a_trace_goes_through_all_services_it_reached(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.ask("GET", "/product/p-7")
    spans = shop.spans.get_finished_spans()
    assert {span.resource.attributes["service.name"] for span in spans} == {
        "shop",
        "catalog",
        "pricing",
    }
    for one, other in pairwise(spans):
        assert one.context is not None
        assert other.context is not None
        assert one.context.trace_id == other.context.trace_id


def test_traces_of_different_requests_are_apart(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.visit("GET", "/", 20)
    assert len({s.context.trace_id for s in shop.spans.get_finished_spans() if s.context}) == 20


def test_a_stranger_is_answered_401_and_an_unknown_path_404(open_shop: OpenShop) -> None:
    shop = open_shop()
    assert shop.ask("GET", "/", "u-nobody")[0].status == 401
    assert shop.ask("GET", "/nothing")[0].status == 404
