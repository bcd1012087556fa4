"""Answers against a plain Python reference over the same events, and every part refused well."""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from events.ingest import accept
from events.limits import defaults
from events.query.answer import answer
from events.query.spec import OPERATIONS, PERCENTILES, QueryError
from events.wire import plain
from projects.models import Environment

pytestmark = pytest.mark.usefixtures("event_store")
Item = dict[str, Any]
NASTY = 'it\'s `a` \\ "name"\t{x:String} -- $1 %s é'


def items(n: int, seed: int = 1) -> list[Item]:
    chance = random.Random(seed)
    now = int(time.time())
    made: list[Item] = []
    for number in range(n):
        item: Item = {
            "time": now - chance.randrange(7000),
            "service": chance.choice(["shop", "search", "jobs"]),
            "duration_ms": round(chance.lognormvariate(3, 1), 3),
            "status_code": chance.choice([200, 200, 402, 500]),
            "sample_rate": chance.choice([1, 1, 2, 10]),
            "user_id": f"u{chance.randrange(40)}",
            "trace_id": f"{number + 1:032x}",
            "n": chance.randrange(10),
            "paid": chance.random() < 0.3,
        }
        if chance.random() < 0.7:
            item["plan"] = chance.choice(["free", "pro", "team", NASTY])
        if chance.random() < 0.5:
            item["share"] = chance.choice([0.25, 0.5, 7.0])
        if chance.random() < 0.8:
            item["flags"] = {"F": chance.choice(["on", "off"]), "G": "x"}
        made.append(item)
    return made


def store(environment: Environment, made: list[Item]) -> None:
    now = datetime.now(UTC)
    decoded = plain.decode(
        orjson.dumps(made), now_us=int(now.timestamp() * 1e6), seed=str(environment.id).encode()
    )
    assert not decoded.rejected
    token = f"{environment.id} {time.time_ns()}"
    accept(environment.id, decoded, limits=defaults(), token=token, now=now)


@pytest.fixture
def made(environment: Environment) -> list[Item]:
    found = items(400)
    store(environment, found)
    return found


def ask(environment: Environment, **spec: Any) -> dict[str, Any]:
    return answer(environment.id, spec)


def field(item: Item, name: str) -> Any:
    if name.startswith("flags."):
        return item.get("flags", {}).get(name[6:])
    if name == "error":
        return item["status_code"] >= 500
    return item.get(name)


def quantile(level: float, pairs: list[tuple[float, float]]) -> float:
    """The smallest value that at least this share of the weight does not exceed."""
    total = sum(weight for _, weight in pairs)
    reached = 0.0
    for value, weight in sorted(pairs):
        reached += weight
        if reached >= level * total:
            return value
    raise AssertionError("no values")


def calculated(op: str, column: str | None, group: list[Item]) -> Any:
    if column is None:
        return sum(item["sample_rate"] for item in group)
    values = [
        (field(item, column), item["sample_rate"])
        for item in group
        if field(item, column) is not None
    ]
    if op == "COUNT_DISTINCT":
        return len({value for value, _ in values})
    if not values:
        return None
    if op == "SUM":
        return sum(value * weight for value, weight in values)
    if op == "AVG":
        return sum(v * w for v, w in values) / sum(weight for _, weight in values)
    if op in ("MIN", "MAX"):
        return (min if op == "MIN" else max)(value for value, _ in values)
    return quantile(PERCENTILES[op], values)


# Asked in test_query_more.py
OTHERS = ("COUNT", "CONCURRENCY", "HEATMAP", "RATE_AVG", "RATE_SUM", "RATE_MAX")


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op not in OTHERS])
@pytest.mark.parametrize("column", ["duration_ms", "share", "n", "status_code"])
def test_each_calculation_agrees_with_the_reference(
    environment: Environment, made: list[Item], op: str, column: str
) -> None:
    found = ask(environment, calculations=[{"op": op, "column": column}], breakdowns=["service"])
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in made:
        groups[item["service"]].append(item)
    got = {row["data"]["service"]: row["data"][f"{op}({column})"] for row in found["results"]}
    expected = {name: calculated(op, column, group) for name, group in groups.items()}
    assert got == pytest.approx(expected)
    assert found["events_read"] > 0


FILTERS: list[tuple[str, str, Any, Callable[[Any], bool]]] = [
    ("service", "=", "shop", lambda x: x == "shop"),
    ("service.name", "!=", "shop", lambda x: x != "shop"),
    ("plan", "=", NASTY, lambda x: x == NASTY),
    ("plan", "!=", "pro", lambda x: x != "pro"),
    ("plan", "exists", None, lambda x: x is not None),
    ("plan", "does-not-exist", None, lambda x: x is None),
    ("plan", "starts-with", "t", lambda x: x is not None and x.startswith("t")),
    ("plan", "does-not-start-with", "t", lambda x: x is None or not x.startswith("t")),
    ("plan", "ends-with", "o", lambda x: x is not None and x.endswith("o")),
    ("plan", "does-not-end-with", "o", lambda x: x is None or not x.endswith("o")),
    ("plan", "contains", "`a` \\", lambda x: x == NASTY),
    ("plan", "does-not-contain", "e", lambda x: x is None or "e" not in x),
    ("plan", "in", ["pro", NASTY], lambda x: x in ("pro", NASTY)),
    ("plan", "not-in", ["pro", "free"], lambda x: x not in ("pro", "free")),
    ("plan", ">", "g", lambda x: x is not None and x > "g"),
    ("n", "=", 3, lambda x: x == 3),
    ("n", ">", 3, lambda x: x > 3),
    ("n", ">=", 3.5, lambda x: x >= 3.5),
    ("n", "in", [1, 2.0, 7], lambda x: x in (1, 2, 7)),
    ("share", "<", 0.5, lambda x: x is not None and x < 0.5),
    ("share", "=", 7, lambda x: x == 7),
    ("share", "not-in", [7], lambda x: x != 7),
    ("status_code", "<=", 402, lambda x: x <= 402),
    ("http.response.status_code", "=", 402, lambda x: x == 402),
    ("paid", "=", True, lambda x: x is True),
    ("paid", "!=", True, lambda x: x is not True),
    ("error", "=", True, lambda x: x is True),
    ("user.id", "in", ["u1", "u2"], lambda x: x in ("u1", "u2")),
    ("flags.F", "=", "on", lambda x: x == "on"),
    ("flags.F", "!=", "on", lambda x: x != "on"),
    ("flags.F", "does-not-exist", None, lambda x: x is None),
    ("flags.NEVER", "exists", None, lambda x: x is not None),
    ("trace.trace_id", "=", f"{7:032x}", lambda x: x == f"{7:032x}"),
    ("trace.trace_id", "starts-with", "0", lambda x: True),
]
OWN = {
    "service.name": "service", "http.response.status_code": "status_code", "user.id": "user_id",
    "trace.trace_id": "trace_id",
}  # fmt: skip


def named(one: object) -> str | None:
    """For parameters: the same in each process, which the address of a function is not."""
    return None if callable(one) else str(one)


@pytest.mark.parametrize(("column", "op", "value", "holds"), FILTERS, ids=named)
def test_each_filter_agrees_with_the_reference(
    environment: Environment,
    made: list[Item],
    column: str,
    op: str,
    value: Any,
    holds: Callable[[Any], bool],
) -> None:
    asked = {"column": column, "op": op} | ({} if value is None else {"value": value})
    found = ask(environment, filters=[asked])
    matching = [item for item in made if holds(field(item, OWN.get(column, column)))]
    assert found["results"][0]["data"]["COUNT"] == calculated("COUNT", None, matching)


def test_filters_combine_with_and_or(environment: Environment, made: list[Item]) -> None:
    both = [
        {"column": "service", "op": "=", "value": "shop"},
        {"column": "n", "op": ">", "value": 4},
    ]
    for combination, join in (("AND", all), ("OR", any)):
        found = ask(environment, filters=both, filter_combination=combination)
        matching = [item for item in made if join([item["service"] == "shop", item["n"] > 4])]
        assert found["results"][0]["data"]["COUNT"] == calculated("COUNT", None, matching)
    required = [{"column": "paid", "op": "=", "value": True}, {"column": "plan", "op": "exists"}]
    found = ask(environment, filters=both, filter_combination="OR", required_filters=required)
    matching = [one for one in matching if one["paid"] and "plan" in one]
    assert 0 < len(matching) < len(made) / 2
    assert found["results"][0]["data"]["COUNT"] == calculated("COUNT", None, matching)


def test_groups_are_ordered_limited_and_the_rest_is_exact(
    environment: Environment, made: list[Item]
) -> None:
    calculations = [
        {"op": "COUNT"},
        {"op": "P95", "column": "duration_ms"},
        {"op": "COUNT_DISTINCT", "column": "user_id"},
    ]
    found = ask(
        environment,
        calculations=calculations,
        breakdowns=["plan", "flags.F"],
        orders=[{"op": "P95", "column": "duration_ms", "order": "descending"}],
        havings=[{"calculate_op": "COUNT", "op": ">", "value": 50}],
        limit=4,
    )
    groups: dict[tuple[Any, Any], list[Item]] = defaultdict(list)
    for item in made:
        groups[field(item, "plan"), field(item, "flags.F")].append(item)
    passing = [group for group in groups.values() if calculated("COUNT", None, group) > 50]
    passing.sort(key=lambda group: -calculated("P95", "duration_ms", group))
    keys = [(row["data"]["plan"], row["data"]["flags.F"]) for row in found["results"]]
    assert keys == [(field(g[0], "plan"), field(g[0], "flags.F")) for g in passing[:4]]
    rest = [item for group in passing[4:] for item in group]
    assert found["other"]["groups"] == len(passing) - 4 > 0
    assert found["other"]["data"] == pytest.approx(
        {
            "COUNT": calculated("COUNT", None, rest),
            "P95(duration_ms)": calculated("P95", "duration_ms", rest),
            "COUNT_DISTINCT(user_id)": calculated("COUNT_DISTINCT", "user_id", rest),
        }
    )


def test_series_add_up_to_the_results(environment: Environment, made: list[Item]) -> None:
    found = ask(
        environment, breakdowns=["service"], granularity=600, limit=2, orders=[{"op": "COUNT"}]
    )
    added: dict[str, int] = defaultdict(int)
    for point in found["series"]:
        assert datetime.fromisoformat(point["time"]).timestamp() % 600 == 0
        added[point["data"]["service"]] += point["data"]["COUNT"]
    assert added == {row["data"]["service"]: row["data"]["COUNT"] for row in found["results"]}
    assert len(added) == 2


def test_types_are_kept(environment: Environment, made: list[Item]) -> None:
    found = ask(environment, breakdowns=["n", "paid", "share", "status_code", "plan"], limit=1000)
    for row in found["results"]:
        n, paid, share, status_code, plan = list(row["data"].values())[:5]
        assert type(n) is int
        assert type(paid) is bool
        assert share is None or type(share) is float
        assert type(status_code) is int
        assert plan is None or type(plan) is str


def test_a_trace_that_saw_two_variants_is_left_out_for_that_flag(environment: Environment) -> None:
    trace = "ab" * 16
    store(
        environment,
        [
            {"service": "a", "trace_id": trace, "flags": {"F": "on", "G": "x"}},
            {"service": "b", "trace_id": trace, "flags": {"F": "off"}},
            {"service": "c", "flags": {"F": "on"}},
        ],
    )
    found = ask(environment, breakdowns=["flags.F"])
    assert found["results"] == [{"data": {"flags.F": "on", "COUNT": 1}}]
    assert ask(environment, breakdowns=["flags.G"])["results"][0]["data"]["COUNT"] == 2


def test_a_field_of_two_types_answers_for_both(environment: Environment) -> None:
    store(environment, [{"service": "a", "size": 5}, {"service": "a", "size": "big"}])
    found = ask(
        environment, calculations=[{"op": "COUNT"}, {"op": "MAX", "column": "size"}],
        breakdowns=["size"],
    )  # fmt: skip
    assert [row["data"]["size"] for row in found["results"]] == ["5", "big"]
    assert [row["data"]["MAX(size)"] for row in found["results"]] == [5, None]


def test_another_environment_sees_nothing(
    cast: Any, environment: Environment, made: list[Item]
) -> None:
    assert ask(cast.staging)["results"] == [{"data": {"COUNT": 0}}]
    with pytest.raises(QueryError):
        ask(cast.staging, breakdowns=["plan"])


INJECTION = "x') OR 1=1; DROP TABLE events --`"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"calculations": [{"op": INJECTION, "column": "n"}]}, "calculations.0.op"),
    ({"calculations": [{"op": "P95", "column": INJECTION}]}, "calculations.0.column"),
    ({"calculations": [{"op": "P95"}]}, "calculations.0.column"),
    ({"calculations": [{"op": "P95", "column": "plan"}]}, "calculations.0.column"),
    ({"calculations": [{"op": "HEATMAP", "column": "plan"}]}, "calculations.0.column"),
    ({"calculations": [{"op": "RATE_SUM", "column": "n"}]}, "calculations.0.op"),
    ({"calculations": [{"op": "CONCURRENCY", "column": "n"}]}, "calculations.0.column"),
    (
        {
            "calculations": [{"op": "HEATMAP", "column": "n"}],
            "orders": [{"op": "HEATMAP", "column": "n"}],
        },
        "orders.0",
    ),
    ({"filters": [{"column": "plan", "op": "matches", "value": "(a"}]}, "filters.0.value"),
    (
        {"filters": [{"column": "plan", "op": "matches", "value": "((a{1000}){1000}){1000}"}]},
        "filters.0.value",
    ),
    ({"filters": [{"column": "plan", "op": "matches", "value": "a" * 1001}]}, "filters.0.value"),
    (
        {
            "filters": [
                {"column": "plan", "op": "matches", "value": one} for one in ("a", "[b", "(")
            ]
        },
        "filters.1.value",
    ),
    (
        {"calculated_fields": [{"name": "d", "expression": 'REG_MATCH($plan, "(a")'}]},
        "calculated_fields.0.expression",
    ),
    (
        {"calculated_fields": [{"name": "d", "expression": "REG_VALUE($plan, $service)"}]},
        "calculated_fields.0.expression",
    ),
    ({"filters": [{"column": "n", "op": "matches", "value": "a"}]}, "filters.0.op"),
    ({"compare_time_offset_seconds": 0}, "compare_time_offset_seconds"),
    ({"compare_time_offset_seconds": INJECTION}, "compare_time_offset_seconds"),
    (
        {"calculated_fields": [{"name": "d", "expression": INJECTION}]},
        "calculated_fields.0.expression",
    ),
    (
        {"calculated_fields": [{"name": "d", "expression": "$n + $plan"}]},
        "calculated_fields.0.expression",
    ),
    (
        {"calculated_fields": [{"name": "d", "expression": "$never"}]},
        "calculated_fields.0.expression",
    ),
    (
        {"calculated_fields": [{"name": "d", "expression": "(" * 200 + "1" + ")" * 200}]},
        "calculated_fields.0.expression",
    ),
    (
        {"calculated_fields": [{"name": "d", "expression": "SYSTEM($n)"}]},
        "calculated_fields.0.expression",
    ),
    ({"calculations": [{"op": "COUNT", "column": "n"}]}, "calculations.0.column"),
    ({"calculations": [{"op": "COUNT", INJECTION: 1}]}, f"calculations.0.{INJECTION}"),
    ({"calculations": "COUNT"}, "calculations"),
    ({"breakdowns": [INJECTION]}, "breakdowns.0"),
    ({"breakdowns": ["plan", "plan"]}, "breakdowns"),
    ({"breakdowns": ["COUNT"], "calculations": [{"op": "COUNT"}]}, "breakdowns"),
    ({"breakdowns": ["time"]}, "breakdowns.0"),
    ({"breakdowns": [{"a": 1}]}, "breakdowns.0"),
    ({"filters": [{"column": INJECTION, "op": "exists"}]}, "filters.0.column"),
    ({"filters": [{"column": "plan", "op": INJECTION}]}, "filters.0.op"),
    ({"filters": [{"column": "plan", "op": "=", "value": 5}]}, "filters.0.value"),
    ({"filters": [{"column": "n", "op": "=", "value": "5"}]}, "filters.0.value"),
    ({"filters": [{"column": "n", "op": "contains", "value": "5"}]}, "filters.0.op"),
    ({"filters": [{"column": "paid", "op": ">", "value": True}]}, "filters.0.value"),
    ({"filters": [{"column": "plan", "op": "in", "value": "x"}]}, "filters.0.value"),
    ({"filters": [{"column": "plan", "op": "in", "value": [["x"]]}]}, "filters.0.value"),
    ({"filters": [{"column": "plan", "op": "exists", "value": 1}]}, "filters.0.value"),
    ({"filters": [{"column": "n", "op": "=", "value": 2**80}]}, "filters.0.value"),
    ({"filters": [{"column": "n", "op": "=", "value": float("nan")}]}, "filters.0.value"),
    ({"filters": [{"column": "trace.trace_id", "op": "=", "value": "zz"}]}, "filters.0.value"),
    ({"filter_combination": INJECTION}, "filter_combination"),
    ({"required_filters": [{"column": "n", "op": "=", "value": 1}]}, "required_filters"),
    *(
        (
            {
                "filter_combination": "OR",
                "filters": [{"column": "n", "op": "=", "value": 1}],
                "required_filters": [{"column": "plan", "op": "exists"}, second],
            },
            f"required_filters.1.{part}",
        )
        for second, part in (
            ({"column": "n", "op": "=", "value": "x"}, "value"),
            ({"column": INJECTION, "op": "exists"}, "column"),
            ({"column": "plan", "op": INJECTION}, "op"),
            ({"column": "plan", "op": "matches", "value": "(a"}, "value"),
        )
    ),
    ({"orders": [{"op": "P99", "column": "n"}]}, "orders.0"),
    ({"orders": [{"column": INJECTION}]}, "orders.0.column"),
    ({"orders": [{"op": "COUNT", "order": INJECTION}]}, "orders.0.order"),
    (
        {"havings": [{"calculate_op": "COUNT", "op": INJECTION, "value": 1}]},
        "havings.0.op",
    ),
    ({"havings": [{"calculate_op": "COUNT", "op": ">", "value": "1"}]}, "havings.0.value"),
    ({"limit": INJECTION}, "limit"),
    ({"limit": 0}, "limit"),
    ({"limit": 1001}, "limit"),
    ({"granularity": 1, "time_range": 7200}, "granularity"),
    ({"granularity": INJECTION}, "granularity"),
    ({"start_time": INJECTION}, "start_time"),
    ({"start_time": 1e300}, "start_time"),
    ({"start_time": 5, "end_time": 6, "time_range": 7}, "start_time"),
    ({"end_time": 1_700_000_000, "start_time": 1_800_000_000}, "start_time"),
    ({"end_time": INJECTION}, "end_time"),
    ({"end_time": 1_700_000_000, "start_time": 1_700_000_000}, "start_time"),
    ({"time_range": INJECTION}, "time_range"),
    ({"time_range": 0}, "time_range"),
    ({"entry_only": INJECTION}, "entry_only"),
    ({"disable_series": INJECTION}, "disable_series"),
    ({"orders": [{"op": INJECTION}]}, "orders.0"),
    (
        {"havings": [{"calculate_op": INJECTION, "op": ">", "value": 1}]},
        "havings.0.calculate_op",
    ),
    (
        {"havings": [{"calculate_op": "COUNT", "column": INJECTION, "op": ">", "value": 1}]},
        "havings.0.calculate_op",
    ),
    ({"filters": [{"column": "plan", INJECTION: 1}]}, f"filters.0.{INJECTION}"),
    ({"calculated_fields": [{"name": "d", INJECTION: 1}]}, f"calculated_fields.0.{INJECTION}"),
    ({"formulas": [1]}, "formulas"),
    ({INJECTION: 1}, INJECTION),
]


def test_filters_of_one_calculation_are_refused_with_what_to_do_instead(
    environment: Environment,
) -> None:
    own = [{"column": "paid", "op": "=", "value": True}]
    with pytest.raises(QueryError, match="Ask once per filter, or take SUM of a field") as caught:
        ask(environment, calculations=[{"op": "COUNT", "filters": own}])
    assert caught.value.field == "calculations.0.filters"
    # What it advises is right: a count of those that a condition holds for.
    store(environment, [{"service": "a", "paid": paid} for paid in (True, True, False)])
    found = ask(
        environment,
        calculations=[{"op": "SUM", "column": "paying"}],
        calculated_fields=[{"name": "paying", "expression": "IF($paid, 1, 0)"}],
    )
    assert found["results"][0]["data"]["SUM(paying)"] == 2


@pytest.mark.parametrize(("spec", "part"), REFUSED, ids=str)
def test_what_can_not_be_asked_is_refused_with_its_field(
    environment: Environment, spec: dict[str, Any], part: str
) -> None:
    store(environment, [{"service": "a", "plan": "x", "n": 1, "paid": True}])
    with pytest.raises(QueryError) as caught:
        ask(environment, **spec)
    assert caught.value.field == part
    assert ask(environment)["results"][0]["data"]["COUNT"] == 1


@pytest.mark.parametrize("text", [INJECTION, NASTY, "\\", "'", "\x00", "\n\r\t", "{flags:String}"])
def test_any_text_is_only_text(environment: Environment, text: str) -> None:
    name = text.replace("\x00", "0").strip() or "blank"
    store(
        environment,
        [
            {"service": "a", "plan": text, f"f{name}": 1, "flags": {text: text}}
            if name.isprintable()
            else {"service": "a", "plan": text, "flags": {text: text}},
            {"service": "a", "plan": "x"},
        ],
    )
    asked = [{"column": "plan", "op": "=", "value": text}]
    found = ask(environment, breakdowns=["plan", f"flags.{text}"], filters=asked)
    assert found["results"] == [{"data": {"plan": text, f"flags.{text}": text, "COUNT": 1}}]
    if name.isprintable():
        found = ask(environment, calculations=[{"op": "SUM", "column": f"f{name}"}])
        assert found["results"] == [{"data": {f"SUM(f{name})": 1}}]
    found = ask(
        environment,
        calculated_fields=[{"name": text, "expression": "$plan"}],
        filters=[{"column": "plan", "op": "in", "value": [text, INJECTION]}],
        breakdowns=[text],
    )
    assert [row["data"][text] for row in found["results"]] == [text]
    assert ask(environment)["results"][0]["data"]["COUNT"] == 2
