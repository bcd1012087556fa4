"""The sentence that an answer begins with, for every kind of question."""

from typing import Any

import pytest

from insights.explore.question import Having, Question, Where
from insights.explore.told import answer, of_events, sentence

P95, COUNT = "P95(duration_ms)", "COUNT"


def given(*rows: dict[str, Any], other: dict[str, Any] | None = None, groups: int = 0,
          earlier: list[dict[str, Any]] | None = None) -> dict[str, Any]:  # fmt: skip
    found: dict[str, Any] = {"results": [{"data": row} for row in rows]}
    if other:
        found["other"] = {"groups": groups, "data": other}
    if earlier is not None:
        found["compare"] = {"results": [{"data": row} for row in earlier]}
    return found


ROUTES = ({"route": "/export", P95: 812.0}, {"route": "/a", P95: 270.0}, {"route": "/b", P95: 9.0})
TIGHT: list[tuple[str, Question, dict[str, Any], str]] = [
    ("a count", Question(), given({COUNT: 41200}), "41,200 requests in the last 2 hours."),
    (
        "one of all events",
        Question(events="all", where=(Where("plan", "=", "pro"),)),
        given({COUNT: 1}),
        "1 event where plan = pro, in the last 2 hours.",
    ),
    (
        "nothing",
        Question(where=(Where("plan", "=", "x"), Where("n", ">", "1")), any=True),
        given({COUNT: 0}),
        "No request matches where plan = x or n > 1, in the last 2 hours.",
    ),
    (
        "alternatives and more",
        Question(
            where=(Where("plan", "=", "x"), Where("n", ">", "1")),
            any=True,
            also=(Where("route", "=", "/a"),),
        ),
        given({COUNT: 2}),
        "2 requests where (plan = x or n > 1) and route = /a, in the last 2 hours.",
    ),
    ("no group", Question(by=("route",)), given(), "No request matches in the last 2 hours."),
    (
        "a flag that nobody saw",
        Question(show=(P95,), by=("flags.NOPE",)),
        given({"flags.NOPE": None, P95: 475.0}),
        "No request has NOPE: p95 latency 475 ms without it in the last 2 hours.",
    ),
    (
        "no number",
        Question(show=("AVG(rows)",)),
        given({"AVG(rows)": None}),
        "No request has a value of rows in the last 2 hours.",
    ),
    (
        "a sum of nothing is an answer",
        Question(show=("SUM(rows)",), window="1h"),
        given({"SUM(rows)": 0}),
        "Sum of rows 0 in the last hour.",
    ),
    (
        "a percentile beside an earlier time",
        Question(show=(P95, COUNT), earlier="1d"),
        given({P95: 812.0, COUNT: 10}, earlier=[{P95: 270.0, COUNT: 9}]),
        "P95 latency 812 ms and 10 requests in the last 2 hours,"
        " 3.0× that of a day earlier (270 ms).",
    ),
    (
        "nothing earlier",
        Question(earlier="7d"),
        given({COUNT: 5}, earlier=[{COUNT: 0}]),
        "5 requests in the last 2 hours, nothing a week earlier.",
    ),
    (
        "a percentile by route",
        Question(show=(P95,), by=("route",)),
        given(*ROUTES),
        "/export: p95 latency 812 ms, 3.0× that of /a, the next of 3 groups in the last 2 hours.",
    ),
    (
        "two groups",
        Question(show=(P95,), by=("method", "route")),
        given({"method": "GET", **ROUTES[0]}, {"method": "PUT", **ROUTES[1]}),
        "GET /export: p95 latency 812 ms, 3.0× that of PUT /a in the last 2 hours.",
    ),
    (
        "a count by a field, the rest beyond the limit",
        Question(by=("user_id",)),
        given({"user_id": "u1", COUNT: 30}, {"user_id": None, COUNT: 10},
              other={COUNT: 60}, groups=98),
        "user_id = u1: 30 requests, 30.0% of all in 100 groups in the last 2 hours.",
    ),
    (
        "a flag, and its absence",
        Question(show=(P95,), by=("flags.F", "plan")),
        given({"flags.F": "on", "plan": None, P95: 20.0}),
        "F = on, no plan: p95 latency 20 ms in the last 2 hours.",
    ),
    (
        "conditions on groups leave no whole",
        Question(by=("plan",), having=(Having(COUNT, ">", "5"),)),
        given({"plan": "pro", COUNT: 12}, {"plan": "free", COUNT: 6}),
        "plan = pro: 12 requests, 2.0× that of plan = free in the last 2 hours.",
    ),
    (
        "as many as the next",
        Question(by=("plan",), having=(Having(COUNT, ">", "5"),)),
        given({"plan": "pro", COUNT: 12}, {"plan": "free", COUNT: 12}),
        "plan = pro: 12 requests, the same as that of plan = free in the last 2 hours.",
    ),
    (
        "in the order of a field",
        Question(show=(P95,), by=("route",), sort="route", ascending=True),
        given(ROUTES[1], ROUTES[0]),
        "/export: p95 latency 812 ms, the most of 2 groups in the last 2 hours.",
    ),
    (
        "a mean that can be negative",
        Question(show=("AVG(balance)",), by=("plan",)),
        given({"plan": "a", "AVG(balance)": 3.0}, {"plan": "b", "AVG(balance)": -1.0}),
        "plan = a: mean of balance 3, of 2 groups in the last 2 hours.",
    ),
    (
        "a heatmap",
        Question(show=("HEATMAP(duration_ms)",)),
        given({"HEATMAP(duration_ms)": [[10, 20, 60], [20, 40, 39], [40, 80, 1]]}),
        "100 requests take up to 20 ms in half of cases, up to 40 ms in 99% in the last 2 hours.",
    ),
    (
        "distinct users",
        Question(show=("COUNT_DISTINCT(user_id)",), by=("service",)),
        given({"service": "shop", "COUNT_DISTINCT(user_id)": 40},
              {"service": "jobs", "COUNT_DISTINCT(user_id)": 10}),
        "shop: 40 distinct user_id, 4.0× that of jobs in the last 2 hours.",
    ),
    (
        "under way",
        Question(show=("CONCURRENCY",), since="2026-11-24T10:00", until="2026-11-24T11:00"),
        given({"CONCURRENCY": 2.5}),
        "2.50 requests under way at once from 2026-11-24 10:00 to 2026-11-24 11:00.",
    ),
    (
        "a change from step to step",
        Question(show=("RATE_SUM(rows)",)),
        given({"RATE_SUM(rows)": -4}),
        "Change of the sum of rows −4 in the last 2 hours.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "answer", "said"), [one[1:] for one in TIGHT], ids=[one[0] for one in TIGHT]
)
def test_an_answer_is_said_in_one_sentence(
    question: Question, answer: dict[str, Any], said: str
) -> None:
    assert sentence(question, answer) == said


def test_an_answer_is_said_without_of_which_events_too() -> None:
    asked = Question(by=("route",), show=(P95,), where=(Where("plan", "=", "pro"),))
    assert answer(asked, given(*ROUTES[:2])) == "/export: p95 latency 812 ms, 3.0× that of /a."


def test_listed_events_and_traces_are_said_too() -> None:
    asked = Question(where=(Where("route", "=", "/a"),), order="slowest")
    assert of_events(asked, [812.0, 9.0], 1, 100, "request") == (
        "2 requests where route = /a, in the last 2 hours: one failed, the slowest took 812 ms."
    )
    assert of_events(asked, [20.0] * 100, 0, 100, "trace") == (
        "The 100 slowest traces where route = /a, in the last 2 hours: none failed,"
        " the slowest took 20 ms."
    )
    assert of_events(asked, [], 0, 100, "request").startswith("No request matches")


def test_many_and_long_filters_are_cut_short() -> None:
    many = tuple(Where("plan", "!=", f"{place}{'x' * 99}") for place in range(5))
    text = sentence(Question(where=many), given({COUNT: 1}))
    assert text.count("…") == 3
    assert "and two more hold, in" in text
    text = sentence(Question(where=many, any=True), given({COUNT: 1}))
    assert text.count("…") == 3
    assert "or 2 more, in" in text
