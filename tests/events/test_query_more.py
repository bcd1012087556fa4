"""Heatmaps, concurrency, rates, comparisons, derived fields: against a plain reference."""

import itertools
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from events.query.answer import answer
from events.query.calculations import BINS_A_UNIT, EXACT_ROWS, bounds
from events.query.spec import QueryError
from events.store.read import QueryTooLarge, Result, Statement, run
from projects.keys import mint
from projects.models import Environment
from tests.events.test_query import NASTY, Item, ask, calculated, field, items, named, store

pytestmark = pytest.mark.usefixtures("event_store")


@pytest.fixture
def made(environment: Environment) -> list[Item]:
    found = items(400)
    store(environment, found)
    return found


def test_heatmap_bins_hold_every_event_by_its_weight(
    environment: Environment, made: list[Item]
) -> None:
    found = ask(
        environment,
        calculations=[{"op": "HEATMAP", "column": "duration_ms"}, {"op": "COUNT"}],
        granularity=600,
    )
    expected: dict[int, float] = defaultdict(float)
    for item in made:
        expected[math.floor(math.log(item["duration_ms"]) * BINS_A_UNIT) + 1000] += item[
            "sample_rate"
        ]
    bins = found["results"][0]["data"]["HEATMAP(duration_ms)"]
    assert bins == [[*bounds(place), n] for place, n in sorted(expected.items())]
    for point in found["series"]:
        assert sum(n for _, _, n in point["data"]["HEATMAP(duration_ms)"]) == point["data"]["COUNT"]


def test_heatmap_keeps_zero_and_negative_numbers_apart(environment: Environment) -> None:
    store(environment, [{"service": "a", "d": value} for value in (-5.0, 0.0, 0.0, 5.0)])
    bins = ask(environment, calculations=[{"op": "HEATMAP", "column": "d"}])["results"][0]["data"]
    (low, high, n), zero, positive = bins["HEATMAP(d)"]
    assert low <= -5 <= high < 0
    assert n == 1
    assert zero == [0, 0, 2]
    assert positive == [-high, -low, 1]


def test_groups_of_a_heatmap_alone_are_the_most_frequent_ones(
    environment: Environment, made: list[Item]
) -> None:
    found = ask(
        environment,
        calculations=[{"op": "HEATMAP", "column": "duration_ms"}],
        breakdowns=["user_id"],
        limit=3,
    )
    counts: dict[str, int] = defaultdict(int)
    for item in made:
        counts[item["user_id"]] += 1
    expected = sorted(counts, key=lambda name: (-counts[name], name))[:3]
    assert [row["data"]["user_id"] for row in found["results"]] == expected
    assert found["other"]["groups"] == len(counts) - 3


def test_concurrency_adds_up_the_time_that_events_were_under_way(
    environment: Environment,
) -> None:
    start = int(time.time()) // 600 * 600 - 1200
    store(
        environment,
        [
            {"service": "a", "time": start + 10, "duration_ms": 30_000},
            {"service": "a", "time": start + 50, "duration_ms": 20_000, "sample_rate": 2},
            {"service": "a", "time": start + 290, "duration_ms": 60_000},  # to the end, no further
        ],
    )
    found = ask(
        environment,
        calculations=[{"op": "CONCURRENCY"}, {"op": "COUNT"}],
        start_time=start,
        end_time=start + 300,
        granularity=60,
    )
    assert found["results"][0]["data"]["CONCURRENCY"] == pytest.approx((30 + 40 + 10) / 300)
    points = {
        datetime.fromisoformat(point["time"]).timestamp() - start: point["data"]
        for point in found["series"]
    }
    assert points[0]["CONCURRENCY"] == pytest.approx((30 + 2 * 10) / 60)
    assert points[60] == {"CONCURRENCY": pytest.approx(2 * 10 / 60), "COUNT": 0}
    assert points[240]["CONCURRENCY"] == pytest.approx(10 / 60)


def test_rates_are_changes_from_step_to_step(environment: Environment, made: list[Item]) -> None:
    found = ask(
        environment,
        calculations=[{"op": "RATE_SUM", "column": "n"}, {"op": "SUM", "column": "n"}],
        breakdowns=["service"],
        granularity=600,
    )
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for point in found["series"]:
        lines[point["data"]["service"]].append(point["data"])
    assert lines
    for row in found["results"]:
        line = lines[row["data"]["service"]]
        sums = [data["SUM(n)"] for data in line]
        assert [data["RATE_SUM(n)"] for data in line][1:] == [
            after - before for before, after in itertools.pairwise(sums)
        ]
        assert line[0]["RATE_SUM(n)"] is None
        mean = (sums[-1] - sums[0]) / (len(sums) - 1)
        assert row["data"]["RATE_SUM(n)"] == pytest.approx(mean)


@pytest.mark.parametrize("op", ["matches", "does-not-match"])
@pytest.mark.parametrize("pattern", ["^t", "e{2}$", "(a+)+$", r"\bx\b|team", re.escape(NASTY[:9])])
def test_patterns_agree_with_the_reference(
    environment: Environment, made: list[Item], op: str, pattern: str
) -> None:
    found = ask(environment, filters=[{"column": "plan", "op": op, "value": pattern}])
    holds = [
        item
        for item in made
        if bool("plan" in item and re.search(pattern, item["plan"])) == (op == "matches")
    ]
    assert found["results"][0]["data"]["COUNT"] == calculated("COUNT", None, holds)


def test_an_earlier_time_stands_beside_the_same_groups(environment: Environment) -> None:
    now = datetime.now(UTC)
    at = int(now.timestamp())
    store(
        environment,
        [
            *({"service": "a", "time": at - 100, "plan": "x"} for _ in range(3)),
            *({"service": "a", "time": at - 100 - 86_400, "plan": "x"} for _ in range(5)),
            {"service": "a", "time": at - 90_000, "plan": "only then"},
        ],
    )
    found = answer(
        environment.id,
        {
            "breakdowns": ["plan"],
            "time_range": 7200,
            "granularity": 60,
            "compare_time_offset_seconds": 86_400,
        },
        now=now,
    )
    assert found["results"] == [{"data": {"plan": "x", "COUNT": 3}}]
    assert found["compare"]["results"] == [{"data": {"plan": "x", "COUNT": 5}}]
    (today,), (then,) = found["series"], found["compare"]["series"]
    assert today["time"] == then["time"]
    assert found["compare"]["start_time"] < found["compare"]["end_time"]


DERIVED: list[tuple[str, Callable[[Item], Any]]] = [
    ("$duration_ms / 1000 > 0.03", lambda x: x["duration_ms"] / 1000 > 0.03),
    ('IF($status_code >= 500, "bad", $status_code >= 400, "refused", "good")',
     lambda x: {200: "good", 402: "refused", 500: "bad"}[x["status_code"]]),
    ('COALESCE($plan, "none")', lambda x: x.get("plan", "none")),
    ("BUCKET($n, 5)", lambda x: x["n"] // 5 * 5),
    ("-($n % 3) * 2 + 1", lambda x: -(x["n"] % 3) * 2 + 1),
    ("CONCAT($service, '/', $n)", lambda x: f"{x['service']}/{x['n']}"),
    ('REG_VALUE($user_id, "u(.)")', lambda x: x["user_id"][1]),
    ('AND(EXISTS($plan), NOT(IN($plan, "pro", "team")))',
     lambda x: "plan" in x and x["plan"] not in ("pro", "team")),
    ("$n / ($n - $n)", lambda x: None),
    ("LENGTH($plan)", lambda x: len(x["plan"]) if "plan" in x else None),
    ('EQUALS($flags.F, "on")', lambda x: None if "flags" not in x else x["flags"]["F"] == "on"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "of"), DERIVED, ids=named)
def test_derived_fields_agree_with_the_reference(
    environment: Environment, made: list[Item], expression: str, of: Callable[[Item], Any]
) -> None:
    found = ask(
        environment,
        calculated_fields=[{"name": "d", "expression": expression}],
        calculations=[{"op": "COUNT"}, {"op": "SUM", "column": "n"}],
        breakdowns=["d"],
        limit=1000,
    )
    groups: dict[Any, list[Item]] = defaultdict(list)
    for item in made:
        groups[of(item)].append(item)
    assert {row["data"]["d"]: row["data"]["COUNT"] for row in found["results"]} == {
        key: calculated("COUNT", None, group) for key, group in groups.items()
    }
    booleans = [isinstance(row["data"]["d"], bool) for row in found["results"]]
    assert any(booleans) == any(isinstance(key, bool) for key in groups)


def test_percentiles_of_very_many_events_keep_four_digits(
    environment: Environment, made: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"calculations": [{"op": "P95", "column": "duration_ms"}], "breakdowns": ["service"]}
    exact = answer(environment.id, spec)["results"]
    monkeypatch.setattr("events.query.answer.EXACT_ROWS", 0)
    rounded = answer(environment.id, spec)["results"]
    for one, other in zip(exact, rounded, strict=True):
        assert other["data"]["P95(duration_ms)"] == pytest.approx(
            one["data"]["P95(duration_ms)"], rel=1e-4
        )
    assert EXACT_ROWS >= 1_000_000


def asking(environment: Environment, **spec: Any) -> tuple[dict[str, Any], list[str]]:
    """An answer, and the statements that it took."""
    said: list[str] = []

    def ask(statement: Statement) -> Result:
        said.append(statement.sql)
        return run(statement)

    return answer(environment.id, spec, ask=ask), said


def test_what_adds_up_is_answered_in_one_scan(environment: Environment, made: list[Item]) -> None:
    adding = [{"op": "COUNT"}, {"op": "SUM", "column": "n"}, {"op": "AVG", "column": "share"}]
    found, said = asking(
        environment, calculations=[*adding, {"op": "MAX", "column": "n"}], granularity=600
    )
    assert len(said) == 1
    assert found["results"][0]["data"] == pytest.approx(
        {
            "COUNT": calculated("COUNT", None, made),
            "SUM(n)": calculated("SUM", "n", made),
            "AVG(share)": calculated("AVG", "share", made),
            "MAX(n)": 9,
        }
    )
    assert sum(point["data"]["COUNT"] for point in found["series"]) == calculated(
        "COUNT", None, made
    )
    found, said = asking(environment, calculations=adding, breakdowns=["user_id"], limit=7)
    assert len(said) == 1
    given = {row["data"]["user_id"] for row in found["results"]}
    rest = [item for item in made if item["user_id"] not in given]
    assert found["other"] == {
        "groups": len({item["user_id"] for item in rest}),
        "data": pytest.approx(
            {
                "COUNT": calculated("COUNT", None, rest),
                "SUM(n)": calculated("SUM", "n", rest),
                "AVG(share)": calculated("AVG", "share", rest),
            }
        ),
    }


def test_a_rest_that_a_difference_would_lose_is_counted_by_itself(
    environment: Environment,
) -> None:
    store(environment, [{"service": "a", "id": "big", "n": 10**18}])
    store(environment, [{"service": "a", "id": f"i{n}", "n": 1} for n in range(5)])
    found, said = asking(
        environment, calculations=[{"op": "SUM", "column": "n"}], breakdowns=["id"], limit=1
    )
    assert len(said) == 2
    assert found["other"] == {"groups": 5, "data": {"SUM(n)": 5}}


def test_nothing_at_all_is_an_answer_too(environment: Environment) -> None:
    found = ask(environment, calculations=[{"op": "COUNT"}, {"op": "AVG", "column": "status_code"}],
                granularity=60)  # fmt: skip
    assert found["results"] == [{"data": {"COUNT": 0, "AVG(status_code)": None}}]
    assert found["series"] == []


def test_a_question_too_large_for_its_memory_ends_with_a_message_and_the_store_lives(
    environment: Environment, settings: Any
) -> None:
    store(environment, [{"service": "a", "id": f"{n}" * 40} for n in range(20_000)])
    settings.EVENTS_QUERY_BYTES = 3 * 1024**2
    with pytest.raises(QueryTooLarge) as caught:
        ask(environment, breakdowns=["id"])
    assert str(caught.value) == (
        "The query needs more than 3 MiB of memory. Ask for a shorter time or fewer groups."
    )
    settings.EVENTS_QUERY_BYTES = 1024**3
    assert ask(environment)["results"] == [{"data": {"COUNT": 20_000}}]


@pytest.mark.parametrize("name", ["environment", "events.environment", "fields", "system.tables"])
def test_the_tables_own_names_are_no_fields(environment: Environment, name: str) -> None:
    store(environment, [{"service": "a"}])
    for spec in ({"breakdowns": [name]}, {"filters": [{"column": name, "op": "exists"}]}):
        with pytest.raises(QueryError):
            ask(environment, **spec)


@pytest.mark.django_db
def test_a_token_of_another_project_can_not_ask_here(
    cast: Any, environment: Environment, client: Any
) -> None:
    store(environment, [{"service": "a"}])
    token = mint(cast.foreign.project, "api", name="t", created_by="x", role="admin")[1]
    for project, name in (("acme", "production"), ("other", "staging"), ("acme", "' OR 1=1")):
        found = client.post(
            f"/api/v1/projects/{project}/environments/{name}/query",
            {},
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert found.status_code == 404
    found = client.post(
        "/api/v1/projects/other/environments/production/query",
        {"breakdowns": ["service"]},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert found.json()["results"] == []


def test_a_pattern_that_explodes_elsewhere_is_answered_here(environment: Environment) -> None:
    store(environment, [{"service": "a", "plan": "a" * 5000 + end} for end in ("!", "")])
    for pattern in ("^(a+)+$", "^(a|a)*$", "^(.*a){20}$"):  # elsewhere this would never end
        found = ask(environment, filters=[{"column": "plan", "op": "matches", "value": pattern}])
        assert found["results"] == [{"data": {"COUNT": 1}}]
    with pytest.raises(QueryError) as caught:
        ask(environment, filters=[{"column": "plan", "op": "matches", "value": "a(?=b)"}])
    assert "regular expression" in str(caught.value)


def test_field_reads_what_the_reference_needs() -> None:
    assert field({"flags": {"F": "on"}}, "flags.F") == "on"
