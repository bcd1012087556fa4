"""Pictures are checked by Plotly's own schema, and say the same as their sentences and tables."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import pytest

from insights import axes, charts
from insights.changes import Told
from insights.models import Watch
from insights.series import Line
from releases.models import Change
from web.charts import Chart

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=6)
BASE = "/acme/production"
CURVE: dict[str, Any] = {
    "scope": {"route": "/export"},
    "ms": [math.exp(step / 10) for step in range(30, 90)],
    "below": [
        [min(1.0, max(0.0, (step - 35) / 30)) for step in range(30, 90)],
        [min(1.0, max(0.0, (step - 45) / 30)) for step in range(30, 90)],
    ],
    "statuses": [{"200": 0.996, "500": 0.004}, {"200": 0.895, "402": 0.101, "500": 0.004}],
}


def line(label: str, *, p95_ms: float = 180.0) -> Line:
    times = tuple(SINCE + timedelta(minutes=5 * step) for step in range(72))
    return Line(
        label=label,
        times=times,
        per_second=(12.5,) * 72,
        error_rate=(None, *(0.0043,) * 71),
        p50_ms=(90.0,) * 72,
        p95_ms=(p95_ms,) * 72,
        events=12.5 * 21_600,
        step_s=300,
    )


def change(kind: str, minutes: int, verdict: str | None, title: str = "a change") -> Told:
    made = Change(id=minutes, kind=kind, title=title, time=NOW - timedelta(minutes=minutes))
    watch = Watch(verdict=verdict, looks=3, started_at=made.time) if verdict else None
    return Told(made, watch)


TOLD = [
    change("flag", 40, "worse", "<b>FLAG</b> & co"),
    change("deploy", 90, "no_difference"),
    change("marker", 200, None),
]


def overview(lines: list[Line]) -> Chart:
    return charts.overview(lines, TOLD, since=SINCE, until=NOW, now=NOW, zone=ZONE, base=BASE)


def over_time(lines: list[Line], mark: datetime | None = None, measure: str = "p95") -> Chart:
    return charts.over_time(
        lines, TOLD, id="x", title="p95", measure=measure, since=SINCE, until=NOW, zone=ZONE,
        base=BASE, mark=mark, baseline="off", verdict="worse",
    )  # fmt: skip


def history(count: int) -> list[dict[str, Any]]:
    return [
        {
            "at": (SINCE + timedelta(minutes=step)).isoformat(),
            "measure": "latency_p95",
            "scope": {"route": "/export"},
            "value": 3.0,
            "interval": [3 - 2 / (step + 1), 3 + 2 / (step + 1)],
            "verdict": "worse",
        }
        for step in range(count)
    ]


DRAWN = {
    "overview": overview([line("shop"), line("catalog")]),
    "overview of one service": overview([line("shop")]),
    "overview of nothing": overview([]),
    "over time": over_time([line("off"), line("on", p95_ms=560)]),
    "before and after": over_time([line("")], NOW - timedelta(hours=1)),
    "distribution": charts.distribution(CURVE, ("off", "on"), id="d", verdict="worse"),
    "statuses": charts.statuses(CURVE, ("off", "on"), id="s", verdicts={"402": "worse"}),
    "certainty": charts.certainty(
        history(20), [change("deploy", 350, None)], id="c", zone=ZONE, base=BASE
    ),
    "certainty of nothing": charts.certainty([], id="c", zone=ZONE),
}


@pytest.mark.parametrize("name", DRAWN)
def test_plotly_accepts_the_figure_and_json_can_carry_it(name: str) -> None:
    text = json.dumps(DRAWN[name].figure, allow_nan=False)
    go.Figure(json.loads(re.sub(r'"@[a-z-]+(?:/\d+)?"', '"#123456"', text)))


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_has_a_sentence_and_a_table_as_wide_as_its_head(name: str) -> None:
    chart = DRAWN[name]
    assert chart.summary.endswith(".")
    assert all(len(row) == len(chart.columns) for row in chart.rows)


def changes_of(chart: Chart) -> dict[str, Any]:
    """The trace that static/js/crowded.js puts together at the width that there is."""
    traces: list[dict[str, Any]] = chart.figure["data"]
    (found,) = (one for one in traces if one.get("name") == "changes")
    return found


def test_a_mark_leads_to_its_change_and_its_name_cannot_become_markup() -> None:
    marks = changes_of(DRAWN["overview"])
    assert marks["y"] == ["Markers", "Deploys", "Flags"]
    assert [one[0] for one in marks["customdata"]] == [f"{BASE}/changes/{n}" for n in (200, 90, 40)]
    assert marks["marker"]["symbol"] == ["triangle-up", "square", "diamond"]
    assert marks["marker"]["color"] == ["@marker", "@deploy", "@worse"]
    assert "&lt;b&gt;FLAG" in marks["hovertext"][2]


@pytest.mark.parametrize("name", ["overview", "over time", "before and after", "certainty"])
def test_every_picture_over_time_carries_the_changes_as_marks_words_and_links(name: str) -> None:
    chart = DRAWN[name]
    marks = changes_of(chart)
    count = len(marks["x"])
    assert count == (1 if name == "certainty" else len(TOLD))
    assert all(len(marks[part]) == count for part in ("customdata", "hovertext", "text", "y"))
    assert marks["meta"] == {"timeline": f"{BASE}/timeline"}
    assert "Marked: " in chart.summary
    assert sorted(one.link for one in chart.marks) == sorted(one[0] for one in marks["customdata"])
    drawn_at = {shape["x0"] for shape in chart.figure["layout"]["shapes"]}
    assert set(marks["x"]) <= drawn_at


def test_dense_changes_are_one_mark_with_a_number_in_its_lane_and_hide_no_names() -> None:
    crowd = [change("flag", 60, None, f"flag {place}") for place in range(9)]
    crowd.append(change("flag", 61, "worse", "NEW_CART"))
    drawn = charts.overview(
        [line("shop")], [*TOLD, *crowd], since=SINCE, until=NOW, now=NOW, zone=ZONE, base=BASE
    )
    marks = changes_of(drawn)
    place = marks["text"].index("10")
    assert marks["y"][place] == "Flags"
    assert marks["marker"]["color"][place] == "@worse"
    assert marks["customdata"][place][0].startswith(f"{BASE}/timeline?kind=flag&until=")
    assert "11 flag changes (diamonds)" in drawn.summary
    assert len(drawn.marks) == 13
    names = [
        one["text"] for one in drawn.figure["layout"]["annotations"] if one.get("yref") == "y4"
    ]
    assert names == ["NEW_CART +9"]  # the other's would lie on this one's mark


def test_only_verdicts_have_a_colour() -> None:
    off, on = DRAWN["over time"].figure["data"][:2]
    assert off["line"] == {"color": "@baseline", "width": 1.7, "dash": "dash"}
    assert on["line"]["color"] == "@worse"


def test_sentences_and_tables_say_the_numbers_of_the_picture() -> None:
    assert DRAWN["distribution"].summary.startswith("Half of requests took under ")
    assert DRAWN["statuses"].summary == "402 never occurs with off; with on it is 10.1%."
    assert ("402", "0%", "10.1%") in DRAWN["statuses"].rows
    times = charts.statuses(CURVE, ("before", "after"), id="s", verdicts={})
    assert times.summary == "402 never occurs before; after it is 10.1%."
    times = charts.distribution(CURVE, ("before", "in this time"), id="d", verdict="")
    assert re.search(r"ms before, under [\d,]+ ms in this time\.$", times.summary)
    assert DRAWN["overview of one service"].rows[1] == (
        "24 Nov 03:05:00", "12.5 /s", "0.43%", "180 ms",
    )  # fmt: skip


def test_ticks_stand_at_round_local_times_when_clocks_change() -> None:
    since = datetime(2026, 10, 31, 22, 0, tzinfo=UTC)
    found = axes.ticks(since, since + timedelta(hours=18), ZONE)
    places = dict(zip(found["ticktext"], found["tickvals"], strict=True))
    assert places["21:00"] == "2026-11-01T01:00:00"  # summer time still
    assert places["09:00"] == "2026-11-01T14:00:00"  # an hour further from UTC
    assert any("1 Nov" in text for text in places)


def test_a_flag_of_the_last_minutes_is_told_by_those_alone_and_failures_by_all_requests() -> None:
    late = [
        replace(
            line(label),
            per_second=(0.0,) * 60 + (rate,) * 12,
            error_rate=(None,) * 60 + (0.0,) * 11 + (failing,),
        )
        for label, rate, failing in (("off", 5.0, 0.0), ("on", 6.0, 0.12))
    ]
    assert over_time(late, measure="requests").summary == (
        "Usually 5 /s with off and 6 /s with on (medians of the points)."
        " Marked: 1 deploy (squares), 1 flag change (diamonds) and 1 marker (triangles)."
    )
    assert over_time(late, measure="errors").summary.startswith(
        "Usually 0% with off and 1.0% with on (over all requests)."
    )


def test_each_cohort_is_told_of_the_time_in_which_it_was_served_and_not_at_all_without_one() -> (
    None
):
    came = replace(line("on"), per_second=(0.0,) * 40 + (6.0,) * 32)
    went = replace(line("off"), per_second=(5.0,) * 20 + (0.0,) * 52)
    never = replace(line("old"), per_second=(0.0,) * 72)
    assert over_time([went, came, never], measure="requests").summary.startswith(
        "Usually 5 /s with off and 6 /s with on (medians of the points)."
    )
    mark = came.times[30]
    assert over_time([went, came, never], measure="requests", mark=mark).summary.startswith(
        "Since the change: 6 /s with on (medians of the points)."
    )
    assert over_time([went, never], measure="requests", mark=mark).summary.startswith(
        "No request since the change."
    )


def test_how_sure_is_told_of_one_scope_and_of_shares_in_points() -> None:
    """A finding that a route took over is not drawn as the whole's; halved failures are no +50."""
    failures = {"measure": "error_rate", "value": -0.02, "interval": [-0.03, -0.01]}
    drawn = charts.certainty(
        [
            *history(3),
            *(one | failures for one in history(2)),
            *(one | failures | {"scope": {}} for one in history(4)),
        ],
        id="c",
        zone=ZONE,
    )
    assert len(drawn.rows) == 4
    assert drawn.rows[-1][1:] == ("−2.0 points", "−3.0 points", "−1.0 points")
