"""A change's page as a sheet: every number on it is a row, one table for all.

`row` says what a row is: a delta, the same delta within one build, successful requests alone, how
often as large a move came by itself, a route's share of traffic, a segment that holds a finding,
the cohorts and their split, how a share of latencies lies below a value, and the leading delta at
each look.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any

from insights.models import Watch

COLUMNS = (
    *("row", "service", "route", "build", "measure", "baseline_label", "candidate_label"),
    *("baseline", "candidate", "ratio", "ratio_low", "ratio_high"),
    *("difference", "difference_low", "difference_high", "level"),
    *("baseline_events", "candidate_events", "baseline_units", "candidate_units"),
    *("verdict", "evidence", "reason", "harm_excluded", "log_e_value"),
    *("more_seconds_low", "more_seconds_high", "at"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = dict[str, Any]


def csv_text(watches: list[Watch]) -> str:
    """All comparisons of one change. No cell is read as a formula."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    for watch in watches:
        for row in _rows(watch):
            writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def _rows(watch: Watch) -> Iterator[Row]:
    result = watch.result
    if not result.get("deltas"):
        return
    labels = {f"{side}_label": result[side]["label"] for side in ("baseline", "candidate")}
    for row in (
        *_cohorts(result),
        *(_delta("delta", one, one["scope"]) for one in result["deltas"]),
        *_successes(result),
        *_by_accident(result),
        *_builds(result),
        *_mix(result),
        *_segments(result),
        *_distributions(result),
        *_looks(watch),
    ):
        yield labels | row


def _delta(row: str, one: dict[str, Any], scope: dict[str, str]) -> Row:
    more = one.get("more_seconds") or (None, None)
    return {
        "row": row,
        **{name: scope.get(name, "") for name in ("service", "route")},
        **{name: one[name] for name in ("measure", "baseline", "candidate", "ratio", "difference")},
        **_bounds(one["interval"]),
        "level": one["interval"]["level"],
        **_sides("events", one["events"]),
        **_sides("units", one["units"]),
        **{name: one[name] for name in ("verdict", "evidence", "reason")},
        "harm_excluded": one.get("harm_excluded"),
        "log_e_value": one.get("log_e_value"),
        "more_seconds_low": more[0],
        "more_seconds_high": more[1],
    }


def _bounds(interval: dict[str, Any]) -> Row:
    ratio = interval["ratio"] or (None, None)
    difference = interval["difference"] or (None, None)
    return {
        "ratio_low": ratio[0],
        "ratio_high": ratio[1],
        "difference_low": difference[0],
        "difference_high": difference[1],
    }


def _sides(name: str, values: Any) -> Row:
    return {f"baseline_{name}": values[0], f"candidate_{name}": values[1]}


def _cohorts(result: dict[str, Any]) -> Iterator[Row]:
    """How many requests and users each cohort has, and what split was planned."""
    sides = [result[side] for side in ("baseline", "candidate")]
    planned = (result.get("sample_ratio") or {}).get("planned") or (None, None)
    yield {
        "row": "cohorts",
        "measure": "planned_share",
        "baseline": planned[0],
        "candidate": planned[1],
        **_sides("events", [side.get("events", "") for side in sides]),
        **_sides("units", [side.get("units", "") for side in sides]),
        "evidence": result.get("evidence", ""),
        "reason": result.get("note", ""),
    }


def _successes(result: dict[str, Any]) -> Iterator[Row]:
    for one in result.get("findings", []):
        if found := one.get("successes"):
            yield {
                "row": "successes",
                **_scope(one["scope"]),
                "measure": "latency_mean",
                "ratio": found["ratio"],
                "ratio_low": found["interval"][0],
                "ratio_high": found["interval"][1],
            }


def _by_accident(result: dict[str, Any]) -> Iterator[Row]:
    """Before and after: at how many (baseline) of how many earlier moments (candidate) a level
    moved as much by itself."""
    for one in result.get("findings", []):
        if found := one.get("by_accident"):
            yield {
                "row": "by_accident",
                **_scope(one["scope"]),
                "measure": one["measure"],
                "baseline": found["as_large"],
                "candidate": found["of"],
                "reason": found["sentence"],
            }


def _scope(scope: dict[str, str]) -> Row:
    return {name: scope.get(name, "") for name in ("service", "route")}


def _builds(result: dict[str, Any]) -> Iterator[Row]:
    """The flag × build matrix. A build's service stands as service, the scope's route as route."""
    found = result.get("builds") or {"rows": []}
    for one in found["rows"]:
        scope = {"service": one["service"], "route": found["scope"].get("route", "")}
        yield _delta("build", one, scope) | {"build": one["build"]}


def _mix(result: dict[str, Any]) -> Iterator[Row]:
    found = result.get("mix") or {"routes": []}
    for one in found["routes"]:
        yield {
            "row": "mix",
            **_scope(one),
            "measure": "share_of_traffic",
            "baseline": one["before"],
            "candidate": one["after"],
            "difference": one["after"] - one["before"],
        }
    if found["routes"]:
        yield {
            "row": "mix",
            "measure": "latency_mean_with_the_shift",
            "ratio": found["mean_ratio_with_it"],
        }


def _segments(result: dict[str, Any]) -> Iterator[Row]:
    for one in result.get("findings", []):
        where = (one.get("reasons") or {}).get("where") or {"segments": []}
        for segment in where["segments"]:
            yield {
                "row": "segment",
                **_scope(one["scope"]),
                "measure": one["measure"],
                "baseline": segment["baseline"],
                "candidate": segment["candidate"],
                "reason": " and ".join(term["text"] for term in segment["terms"]),
            }


def _distributions(result: dict[str, Any]) -> Iterator[Row]:
    for curve in result.get("curves", []):
        for ms, *below in zip(curve["ms"], *curve["below"], strict=False):
            yield {
                "row": "distribution",
                **_scope(curve["scope"]),
                "measure": f"share_below_{ms:g}_ms",
                "baseline": below[0],
                "candidate": below[1],
            }


def _looks(watch: Watch) -> Iterator[Row]:
    """How certainty grew: ratios for latency, differences for shares."""
    for one in watch.history:
        name = "difference" if one["measure"].startswith(("error", "status")) else "ratio"
        low, high = one["interval"] or (None, None)
        yield {
            "row": "look",
            **_scope(one["scope"]),
            "measure": one["measure"],
            name: one["value"],
            f"{name}_low": low,
            f"{name}_high": high,
            "verdict": one["verdict"],
            "at": one["at"],
        }


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
