"""Traffic, errors and latency over time: lines for charts, one scan of the raw events each."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from events.query.flags import variant_of_trace
from events.store.read import Statement, run
from insights.cohorts import Scope
from insights.entries import entries

STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One line's points, equally spaced: None where nothing came in. Latency in ms, rates 0–1."""

    label: str
    times: tuple[datetime, ...]
    per_second: tuple[float | None, ...]
    error_rate: tuple[float | None, ...]
    p50_ms: tuple[float | None, ...]
    p95_ms: tuple[float | None, ...]
    events: float
    step_s: int = 60


def step_seconds(since: datetime, until: datetime, points: int) -> int:
    """The smallest usual step that keeps the line within `points`."""
    wanted = (until - since).total_seconds() / points
    return next((step for step in STEPS_S if step >= wanted), STEPS_S[-1])


def lines(
    environment_id: int,
    since: datetime,
    until: datetime,
    *,
    scope: Scope = Scope(),  # noqa: B008  # frozen
    by: str = "",
    flag: str = "",
    points: int = 120,
) -> list[Line]:
    """Entry events over time; `by` is "", "service", "build_id" or "variant" (of `flag`).

    Busiest lines first, at most MOST_LINES. The newest step is left out while it is under way, so
    that a line never ends in a drop that is not there.
    """
    step = step_seconds(since, until, points)
    label = {"": "''", "service": "service", "build_id": "build_id", "variant": "seen.variant"}[by]
    where, parameters = _where(environment_id, since, until, scope)
    parameters |= {"step": step, "flag": flag}
    source = f"(SELECT * FROM events WHERE {where}) AS hit"  # noqa: S608  # constants only
    if by == "variant":
        source = f"{variant_of_trace()} AS seen INNER JOIN {source} ON seen.trace = hit.trace"
    rows = run(
        Statement(
            f"""SELECT {label} AS label,
                intDiv(toUnixTimestamp(time), {{step:UInt32}}) * {{step:UInt32}} AS start,
                sum(sample_rate) AS n, sum(sample_rate * error) / n AS error_rate,
                quantilesTDigestWeighted(0.5, 0.95)(
                    duration_ms, toUInt32(greatest(round(least(sample_rate, 4e6) * 100), 1))
                ) AS q
            FROM {source} GROUP BY label, start ORDER BY label, start""",  # noqa: S608
            parameters,
        )
    ).rows
    return _as_lines(rows, since, until, step)


def _where(
    environment_id: int, since: datetime, until: datetime, scope: Scope
) -> tuple[str, dict[str, Any]]:
    where, parameters = entries(environment_id, since, until)
    for name in ("service", "route"):
        if value := getattr(scope, name):
            where.append(f"{name} = {{{name}:String}}")
            parameters[name] = value
    return " AND ".join(where), parameters


def _as_lines(
    rows: list[dict[str, Any]], since: datetime, until: datetime, step: int
) -> list[Line]:
    first = math.ceil(since.timestamp() / step) * step
    last = math.floor(until.timestamp() / step) * step - step
    starts = range(first, last + 1, step)
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row["label"]), {})[int(row["start"])] = row
    made = []
    for label, points in found.items():
        kept = [points.get(start) for start in starts]
        made.append(
            Line(
                label=label,
                times=tuple(datetime.fromtimestamp(start, UTC) for start in starts),
                per_second=tuple(float(p["n"]) / step if p else 0.0 for p in kept),
                error_rate=tuple(float(p["error_rate"]) if p else None for p in kept),
                p50_ms=tuple(float(p["q"][0]) if p else None for p in kept),
                p95_ms=tuple(float(p["q"][1]) if p else None for p in kept),
                events=sum(float(p["n"]) for p in points.values()),
                step_s=step,
            )
        )
    made.sort(key=lambda line: -line.events)
    return made[:MOST_LINES]


WINDOWS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "3d": timedelta(days=3),
    "14d": timedelta(days=14),
}
