"""An address says a question, the whole question, and nothing else; texts become typed values."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict

from events.query.catalog import Known
from events.query.spec import QueryError
from insights.annotations import grouped, said
from insights.changes import Told
from insights.explore import units
from insights.explore.asking import unanswered
from insights.explore.difference_page import distribution
from insights.explore.frame import Frame
from insights.explore.heatmap import heatmap
from insights.explore.meant import meant
from insights.explore.pictures import lines
from insights.explore.question import Having, Question, Where, read
from releases.models import Change

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")
KNOWN = (
    Known("duration_ms", "number"),
    Known("status_code", "integer"),
    Known("paid", "boolean"),
    Known("plan", "text"),
)
QUESTIONS = [
    Question(),
    Question(show=("COUNT", "P95(duration_ms)"), by=("flags.A", "plan")),
    Question(where=(Where("plan", "=", "a & b = c"), Where("plan", "exists")), any=True),
    Question(having=(Having("COUNT", ">", "5"),), derived=(("d", 'IF($paid, "x", "y")'),)),
    Question(since="2026-11-24T08:00", until="2026-11-24T09:00", step="60", earlier="1d"),
    Question(window="24h", sort="plan", ascending=True, limit="7", events="all", view="traces"),
    Question(marks="deploy-flag", order="slowest"),
    Question(
        where=(Where("plan", "=", "a"), Where("n", ">", "1")),
        any=True,
        also=(Where("plan", "exists"), Where("also.field", "=", "x&y")),
    ),
    Question(by=tuple(f"field_{place}" for place in range(100))),
    Question(where=(Where("", "=", "no field"),), show=("(duration_ms)",)),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_an_address_holds_the_whole_question(question: Question) -> None:
    assert read(QueryDict(question.address())) == question


def test_addresses_of_fewer_events_are_those_of_the_filtered_questions() -> None:
    there = Where("plan", "=", "a&b=c")
    for where, also in (
        ((), ()),
        ((there,), ()),
        ((Where("n", ">", "1"), there), ()),
        ((Where("n", ">", "1"), Where("m", "exists")), (there,)),
    ):
        question = Question(
            show=("COUNT",), where=where, any=True, also=also, by=("plan",), sort="plan", limit="7"
        )
        fewer = question.fewer()
        for name, value in (("plan", "a&b=c"), ("plan", ""), ("field=%00", "\x01&is=")):
            more = Where(name, "=", value)
            assert fewer(more) == question.narrowed(more).address()
            # Alternatives stay such, whatever else must hold.
            assert question.narrowed(more).where[: len(where)] == where or not question.either
            assert question.narrowed(more).narrowed(more) == question.narrowed(more)
        both = question.narrowed(Where("a", "=", "1"), Where("b", "exists"), view="events", by=())
        events = question.fewer(view="events", by=())
        assert events(Where("a", "=", "1"), Where("b", "exists")) == both.address()
        assert events() == question.address(view="events", by=())
        assert "sort" not in events()  # nothing is split by what it was ordered by


def test_filters_that_must_hold_beside_alternatives_are_plain_ones_without_them() -> None:
    asked = read(QueryDict("field=a&is=exists&value=&also.field=b&also.is=exists&also.value="))
    assert asked.where == (Where("a", "exists"), Where("b", "exists"))
    assert asked.also == ()


def test_blank_lines_of_a_form_are_no_part_of_the_question() -> None:
    get = QueryDict("op=COUNT&of=&op=&of=&field=&is=%3D&value=&by=&having=&having_is=%3E&window=2h")
    assert read(get) == Question(show=("COUNT",))


def asked(**parts: Any) -> Any:
    return meant(Question(**parts), KNOWN, now=NOW, zone=ZONE).query


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (Where("status_code", "=", "402"), 402),
        (Where("http.response.status_code", ">", "402"), 402),
        (Where("duration_ms", ">", "1,000.5"), 1000.5),
        (Where("paid", "=", "yes"), True),
        (Where("plan", "=", "402"), "402"),
        (Where("plan", "in", "a, b"), ("a", "b")),
        (Where("plan", "in", '"a, b", c "d"'), ("a, b", 'c "d"')),
        (Where("status_code", "not-in", "1,2"), (1, 2)),
        (Where("plan", "exists"), None),
    ],
    ids=str,
)
def test_texts_become_values_of_the_fields_type(where: Where, value: Any) -> None:
    assert asked(where=(where,)).filters[0].value == value


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"where": (Where("status_code", "=", "many"),)}, "filters.0.value"),
        ({"where": (Where("paid", "=", "5"),)}, "filters.0.value"),
        ({"where": (Where("plan", "; DROP", "x"),)}, "filters.0.op"),
        ({"show": ("EVAL(x)",)}, "calculations.0.op"),
        ({"show": ("nonsense",)}, "calculations.0.op"),
        ({"limit": "many"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"step": "0"}, "granularity"),
        ({"since": "yesterday"}, "start_time"),
        ({"since": "2026-11-24T08:00", "until": "2026-11-24T07:00"}, "start_time"),
        ({"having": (Having("COUNT", ">", "1"), Having("COUNT", ">", "x"))}, "havings.1.value"),
        ({"having": (Having("", ">", "1"),)}, "havings.0.calculate_op"),
        ({"where": (Where("plan", "exists"), Where("", "=", "x"))}, "filters.1.column"),
        ({"where": (Where("plan", "in", '"a'),)}, "filters.0.value"),
        ({"where": (Where("plan", "exists"),) * 101}, "filters"),
        ({"by": tuple(map(str, range(101)))}, "breakdowns"),
        ({"show": ("COUNT", "(duration_ms)")}, "calculations.1.op"),
        ({"derived": (("d", ""),)}, "calculated_fields.0.expression"),
        (
            {
                "where": (Where("plan", "exists"), Where("paid", "exists")),
                "any": True,
                "also": (Where("status_code", "=", "x"),),
            },
            "required_filters.0.value",
        ),
        ({"sort": "P95(x)"}, "orders.0"),
    ],
    ids=str,
)
def test_what_is_no_question_is_said_with_its_part(parts: dict[str, Any], field: str) -> None:
    with pytest.raises(QueryError) as caught:
        asked(**parts)
    assert caught.value.field == field


def test_written_times_are_local_ones_on_days_when_clocks_change_too() -> None:
    query = asked(since="2026-11-01T00:30", until="2026-11-01T03:30")
    assert query.until - query.since == timedelta(hours=4)


@pytest.mark.parametrize(
    ("calculation", "value", "text"),
    [
        ("P95(duration_ms)", 1240.4, "1,240 ms"),
        ("AVG(http.request.body.size)", 1_536_000, "1.54 MB"),
        ("MAX(wait_s)", 0.25, "250 ms"),
        ("AVG(cache_hit_ratio)", 0.101, "10.1%"),
        ("P95(cpu_percent)", 12.5, "12.5%"),
        ("P95(gc_us)", 2500, "2.5 ms"),
        ("MAX(lock_ns)", 20_000_000, "20 ms"),
        ("AVG(idle_minutes)", 90, "1 h 30 min"),
        ("COUNT", 41_200, "41,200"),
        ("COUNT_DISTINCT(duration_ms)", 12, "12"),
        ("SUM(n)", None, "–"),
    ],
)
def test_units_come_from_the_fields_name(calculation: str, value: Any, text: str) -> None:
    assert units.text(value, calculation) == text


def test_groups_of_one_name_are_apart_in_pictures() -> None:
    """A value "none" is not the lack of one."""
    at = (NOW - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [{"plan": None, "COUNT": 7}, {"plan": "none", "COUNT": 3}]
    answer = {
        "results": [{"data": row} for row in rows],
        "series": [{"time": at, "data": row} for row in rows],
    }
    frame = Frame(NOW - timedelta(hours=1), NOW, 60, ZoneInfo("UTC"), "")
    first, second, _ = lines(answer, "COUNT", ("plan",), frame, 0).figure["data"]
    assert (max(first["y"]), max(second["y"])) == (7, 3)


def test_an_earlier_time_is_in_the_pictures_table_and_sentence_as_well() -> None:
    at = (NOW - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = {
        "results": [{"data": {"COUNT": 7}}],
        "series": [{"time": at, "data": {"COUNT": 7}}],
        "compare": {"series": [{"time": at, "data": {"COUNT": 3}}]},
    }
    frame = Frame(NOW - timedelta(hours=1), NOW, 60, ZoneInfo("UTC"), "")
    chart = lines(answer, "COUNT", (), frame, 0)
    assert chart.columns == ("Time", "count", "Earlier")
    assert ("24 Nov 13:55:00", "7", "3") in chart.rows
    assert "Dotted: the earlier time, moved to now." in chart.summary


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ([("/export", "4.18.1"), ("/export", "4.18.2")], ["4.18.1", "4.18.2"]),
        ([("/export", "4.18.1"), ("/import", "4.18.1")], ["/export", "/import"]),
        ([("/export", "4.18.1"), ("/import", "4.18.2")], ["/export…4.18.1", "/import…4.18.2"]),
        ([("/export", "4.18.1")], ["/export…4.18.1"]),
        ([("<b>", None), ("<i>", None)], ["&lt;b&gt;", "&lt;i&gt;"]),
    ],
)
def test_lines_are_named_by_what_tells_them_apart(
    groups: list[tuple[str, str | None]], names: list[str]
) -> None:
    frame = Frame(NOW - timedelta(minutes=2), NOW, 60, ZONE, "/acme/production")
    rows = [
        {"data": {"route": a, "build_id": b, "COUNT": 5 - n}} for n, (a, b) in enumerate(groups)
    ]
    at = (NOW - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = {"results": rows, "series": [{"time": at, "data": row["data"]} for row in rows]}
    chart = lines(answer, "COUNT", ("route", "build_id"), frame, 0)
    said = [one["text"] for one in chart.figure["layout"]["annotations"]]
    assert sorted(said) == names
    assert chart.columns[1] == f"{groups[0][0]}, {groups[0][1] or 'none'}"


def test_a_part_that_is_wrong_leads_to_its_line_of_the_form() -> None:
    for field, part, at in (
        ("filters.1.value", "Where, line 2", "value-1"),
        ("required_filters.0.column", "And, line 1", "also.field-0"),
        ("calculations.2.column", "Show, line 3", "of-2"),
        ("breakdowns.0", "Split by, line 1", "by-0"),
        ("orders.0", "Order, line 1", "sort"),
        ("granularity", "Steps", "step"),
        ("filter_combination", "filter combination", ""),
    ):
        told = unanswered(QueryError(field, "x"))
        assert (told["part"], told["at"]) == (part, at)


def change(kind: str, minutes: float) -> Told:
    return Told(Change(id=1, kind=kind, title="t", time=NOW - timedelta(minutes=minutes)), None)


def test_names_from_an_address_are_no_markup_in_pictures() -> None:
    spread = ((1.0, 2.0, 0.5, 0.5),)
    chart = distribution("x", "duration_ms", spread, ("<a href='//e'>a</a>", "<b>b</b>"))
    assert "<a" not in str(chart.figure)
    assert "<b>" not in str(chart.figure)


def test_one_crowded_cell_does_not_pale_a_heatmap() -> None:
    key = "HEATMAP(duration_ms)"
    series: list[dict[str, Any]] = [
        {
            "time": (NOW - timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": {key: [[low, low * 2, 5] for low in (1.0, 2.0, 4.0, 8.0)]},
        }
        for minute in range(1, 60)
    ]
    series[7]["data"][key][2][2] = 1_000_000
    frame = Frame(NOW - timedelta(hours=1), NOW, 60, ZoneInfo("UTC"), "")
    chart = heatmap(series, key, frame)
    drawn = chart.figure["data"][0]
    assert drawn["zmax"] == 5
    assert max(count for row in drawn["z"] for count in row if count) == 1_000_000
    # Its table has a row a step, and the same numbers.
    assert chart.columns[2:] == (
        "1.0 ms to 2.0 ms", "2.0 ms to 4.0 ms", "4.0 ms to 8.0 ms", "8.0 ms to 16 ms"
    )  # fmt: skip
    assert chart.rows[0] == ("All of it", "1,001,175", "295", "295", "1,000,290", "295")
    assert len(chart.rows) == 1 + 60
    assert ("24 Nov 13:52:00", "1,000,015", "5", "5", "1,000,000", "5") in chart.rows
    assert "half of them up to 8.0 ms and 99% up to 8.0 ms" in chart.summary


def test_marks_that_would_touch_become_one_with_a_number() -> None:
    marks = [
        change("deploy", 30),
        change("deploy", 29.5),
        change("flag", 29.5),
        change("deploy", 5),
    ]
    groups = grouped(marks, NOW - timedelta(hours=1), NOW)
    assert [(group.kind, len(group.told)) for group in groups] == [
        ("deploy", 2), ("flag", 1), ("deploy", 1),
    ]  # fmt: skip
    assert said(groups) == "Marked: 3 deploys (squares) and 1 flag change (diamonds)."
