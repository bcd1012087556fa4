"""Waterfalls: trees from whatever arrived, own time, folds, gaps; and the page of a trace."""

import json
import random
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from insights.explore.waterfall import FOLD_FROM, MOST_ROWS, Span, waterfall
from projects.models import Environment
from tests.events import otlp
from tests.events.test_query import store

BEGIN = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def span(id: str, parent: str, start: float, took: float, **more: Any) -> Span:
    return Span(
        id=id,
        parent=parent,
        time=BEGIN + timedelta(milliseconds=start),
        duration_ms=took,
        **{"service": "shop", "what": id, "build": "b1", "error": False, "status": 200, **more},
    )


def test_a_tree_in_order_of_time_with_each_spans_own_time() -> None:
    fall = waterfall(
        [
            span("c", "a", 60, 20),
            span("a", "", 0, 100),
            span("b", "a", 10, 30),
            span("d", "b", 15, 5),
        ]
    )
    assert [(row.span.id, row.depth) for row in fall.rows] == [
        ("a", 0), ("b", 1), ("d", 2), ("c", 1),
    ]  # fmt: skip
    assert [round(row.own_ms) for row in fall.rows] == [50, 25, 5, 20]
    assert [(round(a, 2), round(b, 2)) for a, b in fall.rows[0].own] == [
        (0, 0.1), (0.4, 0.2), (0.8, 0.2),
    ]  # fmt: skip


def test_spans_whose_parent_is_missing_or_goes_in_circles_are_all_there() -> None:
    fall = waterfall(
        [span("a", "gone", 0, 10), span("x", "y", 1, 5), span("y", "x", 2, 5), span("s", "s", 3, 1)]
    )
    assert sorted(row.span.id for row in fall.rows) == ["a", "s", "x", "y"]
    assert [row.lost for row in fall.rows if row.span.id == "a"] == [True]


def test_alike_siblings_fold_and_open_while_errors_stay_apart() -> None:
    spans = [span("root", "", 0, 1000)]
    spans += [span(f"q{n}", "root", n * 10, 5, what="SELECT") for n in range(20)]
    spans += [span(f"in{n}", f"q{n}", n * 10, 1, what="row") for n in range(20)]
    spans += [span("bad", "root", 300, 5, what="SELECT", error=True)]
    fall = waterfall(spans)
    assert [(row.span.what, row.alike) for row in fall.rows] == [
        ("root", 1), ("SELECT", 20), ("SELECT", 1),
    ]  # fmt: skip
    assert fall.rows[1].alike_ms == 100
    assert fall.rows[1].within == 20
    opened = waterfall(spans, [fall.rows[1].key])
    assert len(opened.rows) == len(spans)
    assert len(waterfall(spans, fold=False).rows) == len(spans)
    assert FOLD_FROM <= 20


def test_very_deep_traces_are_bounded() -> None:
    deep = [span(str(n), str(n - 1) if n else "", n, 1) for n in range(3000)]
    fall = waterfall(deep)
    assert fall.spans == 3000
    assert sum(1 + row.below for row in fall.rows) == 3000


def test_time_in_which_nothing_ran_is_a_gap_and_children_beyond_parents_are_told() -> None:
    fall = waterfall([span("a", "", 0, 40), span("b", "a", 30, 30), span("c", "", 80, 20)])
    assert [(round(x, 2), round(width, 2)) for x, width in fall.idle] == [(0.6, 0.2)]
    assert [row.late for row in fall.rows] == [False, True, False]


@pytest.mark.usefixtures("event_store")
@pytest.mark.django_db
def test_the_page_shows_the_tree_its_flags_and_one_span_whole(
    viewer_page: Client, outsider_page: Client, environment: Environment
) -> None:
    trace = "ab" * 16
    store(
        environment,
        [
            {"service": "shop", "name": "GET /cart", "trace_id": trace, "span_id": "0" * 15 + "1",
             "duration_ms": 100, "flags": {"USE_CACHING": "on"}, "build_id": "b7"},
            {"service": "cart", "name": "read", "trace_id": trace, "span_id": "0" * 15 + "2",
             "parent_id": "0" * 15 + "1", "duration_ms": 40, "kind": "internal",
             "cart.items": 3, "error": True},
        ],
    )  # fmt: skip
    page = f"/acme/production/traces/{trace}"
    text = viewer_page.get(page).getvalue().decode()
    for part in ("USE_CACHING = on", "b7", "Where the time went", "read"):
        assert part in text
    text = viewer_page.get(f"{page}?span={'0' * 15}2").getvalue().decode()
    assert "cart.items" in text
    assert outsider_page.get(page).status_code == 404
    old = "cd" * 16
    store(environment, [{"service": "shop", "trace_id": old, "time": int(time.time()) - 7000}])
    listed = viewer_page.get("/acme/production/explore?view=traces&inline=1").getvalue().decode()
    (link,) = re.findall(rf'href="(/acme/production/traces/{old}[^"]*)"', listed)
    assert viewer_page.get(link.replace("&amp;", "&")).status_code == 200
    for odd in ("zz", "1" * 33, "0" * 32):
        assert viewer_page.get(f"/acme/production/traces/{odd}").status_code == 404
    assert viewer_page.get(f"{page}?at=2026-99-99&span=zz&open=x").status_code in (200, 404)


def test_a_link_leads_to_the_other_trace(
    environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    other = {"traceId": "cd" * 16, "spanId": "ef" * 8}
    body = otlp.traces(otlp.span({"n": 1}, links=[other]), resource={"service.name": "queue"})
    for packed, kind in (
        (json.dumps(body).encode(), "application/json"),
        (otlp.as_protobuf(body), "application/x-protobuf"),
    ):
        sent = Client().post("/v1/traces", packed, kind, headers={"X-API-Key": ingest_key})
        assert sent.status_code == 200, sent.getvalue()
        text = viewer_page.get(f"/acme/production/traces/{otlp.TRACE}").getvalue().decode()
        assert f"/acme/production/traces/{'cd' * 16}?at=" in text
        assert f"span={'ef' * 8}" in text
        assert "span.links" not in text


def test_span_events_are_kept_short_with_their_span() -> None:
    from events.wire.otlp import MAX_EVENT_TEXT, MAX_SPAN_EVENTS, SpanEvent, _kept_events
    from events.wire.otlp import Span as Wire
    from events.wire.values import Attributes

    told = [SpanEvent(2_000_000, "cache.miss", Attributes(strings={"k": "x" * 5000}))] * 50
    wire = Wire(1, 2, 0, "n", 2, 1_000_000, 5_000_000, 0, "", 0, "", Attributes(), told, [])
    kept = json.loads(_kept_events(wire))
    assert len(kept) == MAX_SPAN_EVENTS
    assert kept[0]["offset_ms"] == 1
    assert len(kept[0]["attributes"]["k"]) == MAX_EVENT_TEXT


def test_a_span_says_which_flags_it_asked_for() -> None:
    from events.event import Decoded
    from events.wire.otlp import Source, SpanEvent, add_span
    from events.wire.otlp import Span as Wire
    from events.wire.values import Attributes

    named = {"feature_flag.key": "USE_CACHING", "feature_flag.result.variant": "on"}
    told = [
        SpanEvent(2_000_000, "feature_flag.evaluation", Attributes(strings=dict(named)))
        for _ in range(2)
    ]
    wire = Wire(1, 2, 0, "n", 2, 1_000_000, 5_000_000, 0, "", 0, "", Attributes(), told, [])
    into = Decoded("otlp")
    add_span(wire, Source("shop", "b1", "", "", Attributes()), into)
    assert json.loads(into.events[0].lists["span.flags"]) == ["USE_CACHING=on"]
    assert len(into.exposures) == 2


@pytest.mark.usefixtures("event_store")
@pytest.mark.django_db
def test_a_flag_that_a_log_record_tells_of_stands_on_the_span_that_asked(
    environment: Environment, ingest_key: str, viewer_page: Client
) -> None:
    asked = "ab" * 8
    spans = otlp.traces(
        otlp.span({}), otlp.span({}, own=asked, parentSpanId=otlp.SPAN, name="look up", kind=1),
        resource={"service.name": "shop"},
    )  # fmt: skip
    record = {**otlp.record("USE_CACHING", "on"), "spanId": asked}
    # Before the spans or after them, and twice.
    for path, body in (
        ("logs", otlp.logs(record)), ("traces", spans), ("logs", otlp.logs(record)),
    ):  # fmt: skip
        sent = Client().post(
            f"/v1/{path}", json.dumps(body), "application/json", headers={"X-API-Key": ingest_key}
        )
        assert sent.status_code == 200, sent.getvalue()
    text = viewer_page.get(f"/acme/production/traces/{otlp.TRACE}").getvalue().decode()
    above, _, fall = text.partition("Where the time went")
    assert above.count("USE_CACHING = on") == 1
    _, first, second = fall.split("<tr", 3)[1:]
    assert "USE_CACHING=on" not in first
    assert "look up" in second
    assert second.count("USE_CACHING=on") == 1


def tree(n: int, seed: int = 1) -> list[Span]:
    """A trace of many unlike spans, some of them failed."""
    chance = random.Random(seed)
    made = [span("0", "", 0, 10_000)]
    for number in range(1, n):
        above = made[chance.randrange(max(0, number - 300), number)]
        start = (
            above.time - BEGIN
        ).total_seconds() * 1000 + above.duration_ms * chance.random() / 2
        failed = chance.random() < 0.01
        made.append(span(str(number), above.id, start, above.duration_ms / 3, error=failed))
    return made


def test_of_too_many_rows_the_deepest_are_folded_and_can_be_reached() -> None:
    spans = tree(5000)
    fall = waterfall(spans)
    assert len(fall.rows) <= MOST_ROWS
    assert fall.left_out == 0
    assert sum(row.alike + row.below for row in fall.rows) == 5000
    errors = sum(row.errors + row.below_errors for row in fall.rows)
    assert errors == sum(one.error for one in spans)
    seen = set()
    roots = [""]
    while roots:  # every span has a row somewhere
        fall = waterfall(spans, root=roots.pop())
        seen |= {row.span.id for row in fall.rows}
        roots += [row.span.id for row in fall.rows if row.below]
    assert len(seen) == 5000


def test_rows_that_no_depth_can_fold_are_paged() -> None:
    wide = [span("root", "", 0, 10)] + [
        span(f"s{n}", "root", n / 1000, 1, what=f"w{n}") for n in range(900)
    ]
    pages = [waterfall(wide, skip=skip) for skip in (0, MOST_ROWS, 2 * MOST_ROWS)]
    assert [page.left_out for page in pages] == [901 - MOST_ROWS, 901 - 2 * MOST_ROWS, 0]
    assert len({row.span.id for page in pages for row in page.rows}) == 901


@pytest.mark.usefixtures("event_store")
@pytest.mark.django_db
def test_a_trace_of_five_thousand_spans_is_shown_in_parts(
    viewer_page: Client, environment: Environment
) -> None:
    trace = "ef" * 16
    store(
        environment,
        [
            {"service": "shop", "name": f"w{one.id}", "trace_id": trace, "kind": "internal",
             "span_id": f"{int(one.id) + 1:016x}", "duration_ms": one.duration_ms,
             "time": time.time() - 60 + (one.time - BEGIN).total_seconds(), "error": one.error,
             **({"parent_id": f"{int(one.parent) + 1:016x}"} if one.parent else {})}
            for one in tree(5000)
        ],
    )  # fmt: skip
    text = viewer_page.get(f"/acme/production/traces/{trace}").getvalue().decode()
    assert "5,000 spans" in text
    assert 1 < text.count('class="beam') <= MOST_ROWS
    (below, *_) = re.findall(r'href="\?([^"]*root=[^"]+)">\+ [\d,]+ below', text)
    lower = viewer_page.get(f"/acme/production/traces/{trace}?{below}".replace("&amp;", "&"))
    assert "and what is below it" in lower.getvalue().decode()
    for odd in ("root=zz", "skip=-1", "skip=x", "skip=²"):
        assert viewer_page.get(f"/acme/production/traces/{trace}?{odd}").status_code == 200
    assert viewer_page.get(f"/acme/production/traces/{trace}?skip=99999").status_code == 404


def test_the_bar_of_folded_spans_is_strong_where_they_ran_themselves_alone() -> None:
    """Ten calls of 10 ms within a second, half of each spent in what they call."""
    spans = [span("root", "", 0, 1000)]
    spans += [span(f"q{n}", "root", n * 100, 10, what="SELECT") for n in range(10)]
    spans += [span(f"in{n}", f"q{n}", n * 100 + 5, 5, what="row") for n in range(10)]
    folded = waterfall(spans).rows[1]
    assert (folded.alike, folded.within) == (10, 10)
    assert [round(start, 3) for start, _ in folded.own] == [n / 10 for n in range(10)]
    assert sum(width for _, width in folded.own) == pytest.approx(0.05)
    # Thousands that follow each other closely are one part, not thousands.
    spans = [span("root", "", 0, 5000)]
    spans += [span(f"q{n}", "root", n, 0.9, what="SELECT") for n in range(5000)]
    assert len(waterfall(spans).rows[1].own) == 1
