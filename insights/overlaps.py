"""Finding → which other change explains it, acts together with it, or can't be told apart.

The others are whatever changed around the same time, and every other flag of which requests saw
more than one variant: two flags behind one rule are confounded however long ago they were set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from events.query.flags import SEPARATOR
from events.store.read import Statement, columns, moment
from insights import scan
from insights.cohorts import Builds, Callers, Comparison, Instances, Moment, Variants
from insights.comparison import cut_of
from insights.deltas import Delta
from insights.exposed import seen
from insights.slices import step_of
from insights.statistics.strata import Checked, checked
from insights.totals import BUCKETS, CAP, Cut
from insights.where import narrowed, outcome
from releases.changes import timeline
from releases.models import Change

AROUND = timedelta(hours=1)
MOST = 24  # others that are held fixed
HARDLY = 0.03  # of the requests: cohorts that differ in fewer have an other alike
MOST_VALUES = 6
MOST_EVENTS = 500_000


@dataclass(frozen=True, slots=True)
class Other:
    """Another flag, or another service's builds, and the change of it nearby, if there is one."""

    kind: str  # flag or build
    name: str  # the flag's key or the service
    change_id: int | None = None
    title: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind[0]}{self.name}"


@dataclass(frozen=True, slots=True)
class Overlap:
    """What one other has to do with a finding; `value` is its variant or build, for only_with."""

    other: Other
    checked: Checked
    value: str = ""


def overlaps(comparison: Comparison, delta: Delta) -> list[Overlap]:
    """Each other's part, explaining ones first. Raises StoreUnavailable and QueryTooLarge."""
    inside = replace(comparison, scope=narrowed(comparison, delta.scope))
    others = around(inside)
    if not others or delta.scope.route == scan.OTHER_ROUTES or delta.measure == "traffic":
        return []
    cut, events = cut_of([inside])
    if not cut.places:
        return []
    if len(others) > MOST:
        others = most_entangled(inside, cut, others, events)
    mean = delta.measure in ("latency_mean", "latency_p50")
    if isinstance(inside.cohorts, Moment):
        inside = replace(inside, slice_s=step_of(inside))
    values = _by_value(inside, cut, others, outcome(delta, cut), mean=mean, events=events)
    found = []
    for other, (names, weight, value) in zip(others, values, strict=True):
        known = [name for name in names if name]
        if not known or (len(known) < 2 and other.change_id is None):
            continue  # no request tells which it had, so nothing can be held fixed
        answer = checked(weight, value, mean=mean, by_time=isinstance(comparison.cohorts, Moment))
        name = names[answer.with_value] if answer.with_value is not None else ""
        if answer.answer == "only_with" and not name:
            continue  # only where the other was never asked for: its absence is no cause
        found.append(Overlap(other, answer, name))
    order = ("explains", "only_with", "partly", "inseparable", "too_little", "independent")
    found.sort(key=lambda one: (order.index(one.checked.answer), abs(one.checked.within or 0.0)))
    return found


def around(comparison: Comparison) -> list[Other]:
    """Flags and services changed around the comparison's time, then the other flags in use."""
    of = comparison.cohorts
    own_flag = of.flag if isinstance(of, Variants | Moment) else ""
    own_service = of.service if isinstance(of, Builds | Callers | Instances | Moment) else ""
    begin = of.at if isinstance(of, Moment) else comparison.since
    found: dict[tuple[str, str], Other] = {}
    for change in timeline(
        comparison.environment_id, since=begin - AROUND, until=comparison.until, limit=200
    ):
        kind, name = named(change)
        if kind and (kind, name) not in (("flag", own_flag), ("build", own_service)):
            found.setdefault((kind, name), Other(kind, name, change.id, change.title))
    variants: dict[str, int] = {}
    for one in seen(comparison.environment_id, comparison.since, comparison.until):
        variants[one.flag] = variants.get(one.flag, 0) + 1
    for flag, count in sorted(variants.items()):
        if count > 1 and flag != own_flag:
            found.setdefault(("flag", flag), Other("flag", flag))
    return list(found.values())


def most_entangled(
    comparison: Comparison, cut: Cut, others: Sequence[Other], events: int
) -> list[Other]:
    """Those whose values the two cohorts differ in most, then the first: what both cohorts have
    alike can act together with a change, but never explain it."""
    thin = max(events // MOST_EVENTS, 1)
    source = scan.source([comparison], cut, thin=thin)
    rows = columns(
        Statement(
            f"""SELECT arrayJoin(saw) AS pair, cohort, sum(w) AS weight
            FROM {source.sql} AS hit INNER JOIN ({_SAW}) AS other ON hit.trace = other.trace
            GROUP BY pair, cohort""",  # noqa: S608  # constant fragments only
            source.parameters | _parameters(comparison, others, thin),
        )
    ).columns
    weights: dict[str, dict[str, list[float]]] = {}
    for pair, cohort, weight in zip(*(rows[name] for name in ("pair", "cohort", "weight")),
                                    strict=True):  # fmt: skip
        key, _, value = pair.partition("\x1f")
        weights.setdefault(key, {}).setdefault(value, [0.0, 0.0])[int(cohort) - 1] += float(weight)
    return sorted(others, key=lambda one: -_apart(weights.get(one.key, {})))[:MOST]


def _apart(weights: dict[str, list[float]]) -> float:
    """By how much two cohorts differ in the shares of their values, 0 where by hardly anything."""
    totals = [sum(own[arm] for own in weights.values()) or 1.0 for arm in (0, 1)]
    apart = sum(abs(own[1] / totals[1] - own[0] / totals[0]) for own in weights.values()) / 2
    return apart if apart > HARDLY else 0.0


def named(change: Change) -> tuple[str, str]:
    """What a change is held fixed by: (flag or build, its name); empty for a marker."""
    if change.kind == Change.Kind.FLAG:
        return "flag", change.flag
    if change.kind == Change.Kind.DEPLOY:
        return "build", change.service
    return "", ""


def _by_value(
    comparison: Comparison,
    cut: Cut,
    others: Sequence[Other],
    hit: str,
    *,
    mean: bool,
    events: int,
) -> list[tuple[list[str], Any, Any]]:
    """For each other: its values, and Σw and Σw·y by (cohort, value, slice, bucket)."""
    thin = max(events // MOST_EVENTS, 1)
    y = f"least(duration_ms, {float(cut.thresholds[CAP][-1])!r})" if mean else f"toFloat64({hit})"
    source = scan.source([comparison], cut, thin=thin, extra=(f"{y} AS y",))
    parameters = source.parameters | _parameters(comparison, others, thin)
    parameters["keys_of"] = [one.key for one in others]
    rows = columns(
        Statement(
            f"""SELECT number, value, cohort, slice, bucket, sum(w) AS weight, sum(w * y) AS total
            FROM (
                SELECT cohort, slice, bucket, w, y, arrayMap(key -> arrayElement(arrayMap(
                    pair -> substring(pair, length(key) + 2), arrayFilter(
                        pair -> startsWith(pair, concat(key, '{SEPARATOR}')), saw)), 1),
                    {{keys_of:Array(String)}}) AS found
                FROM {source.sql} AS hit LEFT JOIN ({_SAW}) AS other ON hit.trace = other.trace)
            ARRAY JOIN found AS value, arrayEnumerate(found) AS number
            GROUP BY number, value, cohort, slice, bucket""",  # noqa: S608  # constant fragments
            parameters,
        )
    ).columns
    return [_grid(rows, number + 1) for number in range(len(others))]


def _parameters(comparison: Comparison, others: Sequence[Other], thin: int) -> dict[str, Any]:
    """What `_SAW` binds."""
    return {
        "thin": thin,
        "flags_of": [one.name for one in others if one.kind == "flag"],
        "services_of": [one.name for one in others if one.kind == "build"],
        "seen_since": moment(comparison.since),
        "seen_until": moment(comparison.until),
    }


_SAW = f"""
    SELECT trace, groupUniqArrayArray(pairs) AS saw FROM (
        SELECT trace, arrayMap(pair -> concat('f', pair), arrayFilter(
            pair -> has({{flags_of:Array(String)}}, splitByChar('{SEPARATOR}', pair)[1]), pairs
        )) AS pairs
        FROM exposures
        WHERE environment = {{environment:UInt32}} AND trace % {{thin:UInt32}} = 0 AND trace != 0
            AND hour >= toStartOfHour({{seen_since:DateTime64(6, 'UTC')}}) - INTERVAL 1 HOUR
            AND hour <= {{seen_until:DateTime64(6, 'UTC')}} + INTERVAL 1 HOUR
            AND hasAny(flags, {{flags_of:Array(String)}})
        UNION ALL
        SELECT trace, [concat('b', service, '{SEPARATOR}', build_id)] AS pairs
        FROM events
        WHERE environment = {{environment:UInt32}} AND entry AND trace % {{thin:UInt32}} = 0
            AND time >= {{seen_since:DateTime64(6, 'UTC')}}
            AND time < {{seen_until:DateTime64(6, 'UTC')}}
            AND build_id != '' AND has({{services_of:Array(String)}}, service)
    ) GROUP BY trace"""  # noqa: S608  # constant fragments only


def _grid(rows: dict[str, Any], number: int) -> tuple[list[str], Any, Any]:
    mine = np.asarray(rows.get("number", ()), dtype=np.int64) == number
    value = np.asarray(rows.get("value", ()), dtype=object)[mine]
    slice = np.asarray(rows.get("slice", ()), dtype=np.int64)[mine]
    weight = np.asarray(rows.get("weight", ()), dtype=np.float64)[mine]
    total = np.asarray(rows.get("total", ()), dtype=np.float64)[mine]
    cohort = np.asarray(rows.get("cohort", ()), dtype=np.int64)[mine] - 1
    bucket = np.asarray(rows.get("bucket", ()), dtype=np.int64)[mine]
    traffic: dict[str, float] = {}
    for name, part in zip(value.tolist(), weight.tolist(), strict=True):
        traffic[name] = traffic.get(name, 0.0) + part
    names = sorted(traffic, key=lambda name: -traffic[name])[:MOST_VALUES]
    place = {name: i for i, name in enumerate(names)}
    kept = np.array([name in place for name in value.tolist()], dtype=bool)
    slices, at = np.unique(slice, return_inverse=True)
    grids = np.zeros((2, 2, max(len(names), 1), max(len(slices), 1), BUCKETS))
    index = (
        cohort[kept],
        np.array([place[name] for name in value[kept].tolist()], dtype=np.int64),
        at[kept],
        bucket[kept],
    )
    np.add.at(grids[0], index, weight[kept])
    np.add.at(grids[1], index, total[kept])
    return names, grids[0], grids[1]
