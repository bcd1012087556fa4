"""Thirty questions, each as a whole, against the same computed in pandas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from events.query.spec import PERCENTILES
from projects.models import Environment
from tests.events.test_query import NASTY, ask, items, store

pytestmark = pytest.mark.usefixtures("event_store")

TEXT: dict[str, Callable[[str, str], bool]] = {
    "starts-with": lambda text, part: text.startswith(part),
    "ends-with": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
}
NOT = {"does-not-start-with": "starts-with", "does-not-contain": "contains", "not-in": "in"}


def frame(seed: int) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    made = items(600, seed)
    table = pd.DataFrame(made).drop(columns="flags")
    for name in ("F", "G"):
        table[f"flags.{name}"] = [item.get("flags", {}).get(name) for item in made]
    table["error"] = table["status_code"] >= 500
    return made, table


def chosen(table: pd.DataFrame, spec: dict[str, Any]) -> pd.DataFrame:
    masks = []
    for one in spec.get("filters", []):
        column, op, value = table[one["column"]], one["op"], one.get("value")
        there, positive = column.notna(), NOT.get(op, op)
        if op in ("exists", "does-not-exist"):
            mask = there if op == "exists" else ~there
        elif positive in TEXT:
            holds = TEXT[positive]
            mask = pd.Series(
                [text is not None and text == text and holds(text, value) for text in column]
            )
        elif positive == "in":
            mask = column.isin(value)
        elif op in ("=", "!="):
            mask = column == value
        else:
            known = column.where(there, None)
            compare = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}[op]
            mask = there & getattr(known.dropna(), compare)(value).reindex(
                column.index, fill_value=False
            )
        masks.append(~mask if op in NOT or op == "!=" else mask)
    if not masks:
        return table
    combine = np.logical_or if spec.get("filter_combination") == "OR" else np.logical_and
    return table[combine.reduce([mask.to_numpy(dtype=bool) for mask in masks])]


def calculated(group: pd.DataFrame, op: str, column: str | None) -> Any:
    if op == "COUNT":
        return group["sample_rate"].sum()
    assert column is not None
    there = group[group[column].notna()]
    if op == "COUNT_DISTINCT":
        return there[column].nunique()
    if there.empty:
        return None
    values, weights = there[column].astype(float), there["sample_rate"]
    if op in ("MIN", "MAX"):
        return values.min() if op == "MIN" else values.max()
    if op == "SUM":
        return (values * weights).sum()
    if op == "AVG":
        return np.average(values, weights=weights)
    order = values.argsort(kind="stable").to_numpy()
    reached = weights.to_numpy()[order].cumsum()
    at = np.searchsorted(reached, PERCENTILES[op] * weights.sum(), side="left")
    return values.to_numpy()[order][min(at, len(order) - 1)]


def reference(table: pd.DataFrame, spec: dict[str, Any]) -> list[dict[str, Any]]:
    rows, by = chosen(table, spec), spec.get("breakdowns", [])
    groups = rows.groupby(by, dropna=False, sort=False) if by else [((), rows)]
    found = []
    for key, group in groups:
        named = key if isinstance(key, tuple) else (key,)
        data = {
            name: None if value is None or value != value else value
            for name, value in zip(by, named, strict=True)
        }
        for one in spec["calculations"]:
            column = one.get("column")
            name = f"{one['op']}({column})" if column else one["op"]
            data[name] = calculated(group, one["op"], column)
        found.append(data)
    for one in spec.get("havings", []):
        name = one["calculate_op"] + (f"({one['column']})" if "column" in one else "")
        found = [data for data in found if data[name] is not None and data[name] > one["value"]]
    return found


def of(*calculations: str, **more: Any) -> dict[str, Any]:
    made = []
    for text in calculations:
        op, _, column = text.rstrip(")").partition("(")
        made.append({"op": op, **({"column": column} if column else {})})
    filters = [
        dict(zip(("column", "op", "value"), one, strict=False)) for one in more.pop("where", [])
    ]
    return {"calculations": made, "filters": filters, "limit": 1000, **more}


QUESTIONS: list[dict[str, Any]] = [
    of("COUNT"),
    of("COUNT", "SUM(n)", "AVG(duration_ms)", breakdowns=["service"]),
    of("P50(duration_ms)", "P95(duration_ms)", "P99(duration_ms)", breakdowns=["service"]),
    of("P001(duration_ms)", "P999(duration_ms)", breakdowns=["status_code"]),
    of("P10(n)", "P75(n)", breakdowns=["plan"]),
    of("P25(share)", "P80(share)", breakdowns=["paid"]),
    of("MIN(share)", "MAX(share)", "AVG(share)", breakdowns=["plan", "service"]),
    of("COUNT_DISTINCT(user_id)", "COUNT", breakdowns=["flags.F"]),
    of("COUNT_DISTINCT(plan)", breakdowns=["service", "status_code"]),
    of("AVG(error)", "COUNT", breakdowns=["flags.F", "service"]),
    of("SUM(share)", breakdowns=["flags.F", "flags.G"]),
    of("COUNT", breakdowns=["user_id"]),
    of("AVG(paid)", "COUNT", breakdowns=["n"]),
    of("COUNT", breakdowns=["share"]),
    of("COUNT", breakdowns=["paid", "plan", "status_code"]),
    of("COUNT", where=[("plan", "does-not-exist")], breakdowns=["service"]),
    of("COUNT", where=[("plan", "exists"), ("share", "does-not-exist")]),
    of("P90(duration_ms)", where=[("plan", "!=", "pro")], breakdowns=["plan"]),
    of("COUNT", where=[("plan", "not-in", ["pro", "free"])], breakdowns=["plan"]),
    of("COUNT", where=[("plan", "=", NASTY)], breakdowns=["plan"]),
    of("COUNT", where=[("plan", "does-not-contain", "e")], breakdowns=["plan"]),
    of("COUNT", where=[("plan", "does-not-start-with", "t")], breakdowns=["plan"]),
    of("SUM(n)", where=[("share", "<", 1), ("n", ">=", 2.5)], breakdowns=["share"]),
    of("AVG(n)", where=[("n", "in", [1, 2.0, 7])], breakdowns=["n", "paid"]),
    of("COUNT", where=[("paid", "=", True), ("flags.F", "=", "on")], breakdowns=["service"]),
    of("COUNT", where=[("flags.F", "!=", "on")], breakdowns=["flags.F"]),
    of("COUNT", where=[("service", "=", "shop"), ("status_code", ">=", 402)],
       filter_combination="OR", breakdowns=["service", "status_code"]),
    of("P95(duration_ms)", "COUNT", where=[("error", "=", True), ("plan", "ends-with", "m")],
       filter_combination="OR", breakdowns=["flags.F", "plan"]),
    of("COUNT", "P50(duration_ms)", breakdowns=["user_id"],
       havings=[{"calculate_op": "COUNT", "op": ">", "value": 40}]),
    of("MAX(duration_ms)", "AVG(share)", where=[("user_id", "starts-with", "u1")],
       breakdowns=["user_id"],
       havings=[{"calculate_op": "MAX", "column": "duration_ms", "op": ">", "value": 60.5}]),
]  # fmt: skip


def test_there_are_thirty() -> None:
    assert len(QUESTIONS) == 30


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_a_whole_question_agrees_with_pandas(environment: Environment, number: int) -> None:
    spec = QUESTIONS[number]
    made, table = frame(number)
    store(environment, made)
    by = spec.get("breakdowns", [])

    def keyed(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {tuple(row[name] for name in by): row for row in rows}

    found = keyed([row["data"] for row in ask(environment, **spec)["results"]])
    expected = keyed(reference(table, spec))
    assert expected
    assert found.keys() == expected.keys()
    for key, data in expected.items():
        assert found[key] == pytest.approx(data), key
