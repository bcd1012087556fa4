"""Pills, marks, interval bars and charts, as they reach the browser."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template

from web import intervals
from web.charts import Chart
from web.patterns import ROWS


def render(source: str, **context: object) -> str:
    return Template("{% load words charts %}" + source).render(Context(context))


def test_a_verdict_is_told_in_words_and_not_by_colour_alone() -> None:
    assert render("{% verdict 'worse' %}").strip() == '<span class="pill worse">Worse</span>'
    assert "Not known yet" in render("{% verdict 'something else' %}")


def test_what_has_ended_is_not_awaited() -> None:
    ended = render("{% verdict 'ended' %}").strip()
    assert ended == '<span class="pill unknown">Ended undecided</span>'
    assert ">Undecided<" in render("{% verdict 'unknown' True %}")
    assert ">Worse<" in render("{% verdict 'worse' True %}")


@pytest.mark.parametrize(
    ("kind", "shape", "label"),
    [
        ("deploy", "<rect", "Deploy"),
        ("flag", "<path", "Flag change"),
        ("marker", "<path", "Marker"),
    ],
)
def test_each_kind_of_change_has_a_shape_and_a_name(kind: str, shape: str, label: str) -> None:
    drawn = render("{% mark kind %}", kind=kind)
    assert shape in drawn
    assert f'aria-label="{label}"' in drawn
    assert "Planned" in render("{% mark kind True %}", kind=kind)


def test_the_middle_of_an_interval_bar_is_no_difference() -> None:
    assert intervals.position(1) == 50
    assert intervals.position(4) == 100
    assert intervals.position(1 / 4) == 0
    assert intervals.position(0) == 0


def test_an_interval_that_leaves_the_scale_ends_in_an_arrow() -> None:
    bar = intervals.bar(0.2, 1.3, 6)
    assert (bar.clipped_low, bar.clipped_high) == (True, True)
    assert bar.middle_shown
    assert not intervals.bar(5, 9, 12).middle_shown


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_an_interval_says_itself_in_words(row: dict[str, object]) -> None:
    drawn = render("{% interval r b v %}", r=row["ratio"], b=row["bounds"], v=row["verdict"])
    assert 'role="img"' in drawn
    assert ("95% interval" in drawn) == (row["bounds"] is not None)


def test_a_share_that_was_none_before_is_told_in_points() -> None:
    delta = {
        "measure": "status_code:402",
        "baseline": 0.0,
        "candidate": 0.101,
        "ratio": None,
        "interval": {"ratio": None, "difference": [0.094, 0.108]},
        "verdict": "worse",
    }
    assert "+9.4 to +10.8 points" in render("{% delta_bar delta %}", delta=delta)


def test_a_share_that_is_none_on_both_sides_is_told_as_a_bound() -> None:
    delta = {
        "measure": "error_rate",
        "baseline": 0.0,
        "candidate": 0.0,
        "ratio": None,
        "interval": {"ratio": None, "difference": [-0.021, 0.034]},
        "verdict": "unknown",
    }
    drawn = render("{% delta_bar delta %}", delta=delta)
    assert "None seen: ±3.4 points" in drawn
    assert "−" not in drawn


def test_a_share_whose_ratio_may_be_anything_is_told_in_points() -> None:
    delta = {
        "measure": "error_rate",
        "baseline": 0.0015,
        "candidate": 0.0095,
        "ratio": 6.3,
        "interval": {"ratio": [0.1, 400.0], "difference": [0.001, 0.021]},
        "verdict": "worse",
    }
    assert "+0.10 to +2.1 points" in render("{% delta_bar delta %}", delta=delta)


def test_a_moment_names_its_time_beyond_doubt() -> None:
    zone = ZoneInfo("America/New_York")
    told = render(
        "{% moment time %}",
        time=datetime(2026, 11, 24, 12, 42, tzinfo=UTC),
        now=datetime(2026, 11, 24, 14, 0, tzinfo=UTC),
        access=SimpleNamespace(environment=SimpleNamespace(zone=zone)),
    )
    assert 'datetime="2026-11-24T12:42:00Z"' in told
    assert ">today 07:42:00</time>" in told
    assert "12:42:00 UTC" in told


def test_a_sentence_is_escaped_before_its_numbers_are_marked() -> None:
    told = render(
        "{{ s|emphasised:'worse' }}", s="<i>/x</i> is 3.0× slower, and 10.1% of them now return 402"
    )
    assert "<i>" not in told
    assert '<b class="worse">3.0× slower</b>' in told
    assert '<b class="worse">10.1% of them now return 402</b>' in told


@pytest.mark.parametrize(
    ("said", "marked"),
    [
        ("no requests to / fail, against 5.0% with it off", "no requests"),
        ("All requests to / return 402, against none with it off", "All requests"),
        ("1.00% of requests to / fail", "1.00% of requests"),
        ("x is 38% faster, and none of them fail", "38% faster"),
        ("x (95% interval 5.0% faster to 40% slower; 2 requests), their p95 is 2.0× higher",
         "2.0× higher"),
    ],
)  # fmt: skip
def test_what_is_told_is_marked_and_how_far_it_is_known_is_not(said: str, marked: str) -> None:
    told = render("{{ s|emphasised:'worse' }}", s=said)
    assert re.findall('<b class="worse">([^<]*)</b>', told)[0] == marked
    assert re.sub("<[^>]*>", "", told) == said


def test_a_chart_comes_with_its_sentence_and_its_table() -> None:
    chart = Chart(
        id="errors",
        title="Errors",
        summary="Errors rose.",
        figure={"data": [{"name": "</script><script>alert(1)</script>"}], "layout": {}},
        columns=("Time", "Errors"),
        rows=(("07:42", "0.43%"),),
    )
    drawn = render("{% chart c %}", c=chart)
    assert 'data-chart="errors-figure"' in drawn
    assert "<script>alert" not in drawn
    assert "Errors rose." in drawn
    assert '<td class="num">0.43%</td>' in drawn
