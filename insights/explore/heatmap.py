"""How values are spread, step by step: a picture, and its twin as a table of times."""

from collections.abc import Sequence
from datetime import timedelta, tzinfo
from itertools import accumulate
from typing import Any

from insights import axes
from insights.explore import annotations, units
from insights.explore.frame import PANEL, Frame, Steps, layout_of, x_of
from insights.explore.question import split
from web import words
from web.charts import Chart

MOST_BANDS = 8  # columns of the table
SCALE = [[0, "@surface"], [0.02, "@link/20"], [0.35, "@link/60"], [1, "@ink"]]


def heatmap(
    series: Sequence[dict[str, Any]], name: str, frame: Frame, place: int = 0, column: str = ""
) -> Chart:
    """Time × value, darker where more events are. Its box can be dragged: `data-box`."""
    field = column or split(name)[1]
    bins = sorted({(low, high) for point in series for low, high, _ in point["data"][name]})
    steps = frame.steps()
    columns: dict[str, dict[tuple[float, float], float]] = {}
    for point in series:  # of every group, added up
        column_of = columns.setdefault(x_of(point["time"]), {})
        for low, high, count in point["data"][name]:
            column_of[low, high] = column_of.get((low, high), 0) + count
    ladder = _ladder(bins)
    rows = {pair: number for number, pair in enumerate(ladder)}
    z: list[list[float | None]] = [[None] * len(steps.xs) for _ in ladder]
    for across, at in enumerate(steps.xs):
        for pair, count in columns.get(at, {}).items():
            z[rows[pair]][across] = count
    form = f"MAX({field})"
    texts = [f"{units.text(low, form)} to {units.text(high, form)}" for low, high in ladder]
    edges = [low for low, _ in ladder]
    layout = layout_of(frame)
    layout["yaxis"] = {
        "domain": PANEL,
        "tickmode": "array",
        "tickvals": [number - 0.5 for number in _some(len(ladder))],
        "ticktext": [units.text(edges[number], form) for number in _some(len(ladder))],
        "range": [-0.5, max(len(ladder), 1) - 0.5],
        "showgrid": False,
    }
    middle = timedelta(seconds=frame.step_s / 2)
    traces = [
        {
            "type": "heatmap",
            "x": [axes.x(start + middle) for start in steps.starts],
            "y": list(range(len(ladder))),
            "z": z,
            "text": [  # none where nothing is, which is most of a picture
                [
                    f"{at}<br>{text}" if count is not None else ""
                    for at, count in zip(steps.clocks, row, strict=True)
                ]
                for text, row in zip(texts, z, strict=True)
            ],
            "hovertemplate": "%{text}<br>%{z} events<extra></extra>",
            "colorscale": SCALE,
            "zmin": 0,
            "zmax": _strongest(z),
            "showscale": False,
            "hoverongaps": False,
        },
        annotations.trace(frame.groups, zone=frame.zone, base=frame.base, yaxis="y2"),
    ]
    layout["meta"] = {
        "column": field,
        "edges": [[low, high] for low, high in ladder],
        "rows": texts,  # for those who choose a box by keyboard
    }
    names, table = _bands(z, ladder, steps, frame.zone, form)
    sums = [sum(filter(None, row)) for row in z]

    def within(share: float) -> str:
        reached = accumulate(sums)
        tops = (
            high for (_, high), seen in zip(ladder, reached, strict=True) if seen >= share * total
        )
        return units.text(next(tops, None), form)

    total = sum(sums)
    return Chart(
        id=f"{frame.prefix}picture-{place}",
        title=f"{field} over time, the stronger the more events",
        summary=(
            f"{words.plural(total, 'event')}, half of them up to {within(0.5)} and 99% up to"
            f" {within(0.99)}; a column each {words.duration(frame.step_s)}."
            f" {annotations.said(frame.groups)}"
        ).strip(),
        figure={"data": traces, "layout": layout},
        columns=("Time", "Events", *names),
        rows=table,
        height="medium",
        marks=annotations.listed(frame.groups, zone=frame.zone, base=frame.base),
    )


def _bands(
    z: Sequence[Sequence[float | None]],
    ladder: Sequence[tuple[float, float]],
    steps: Steps,
    zone: tzinfo,
    form: str,
) -> tuple[list[str], tuple[tuple[str, ...], ...]]:
    """A heatmap as a table: a row a step, a column each for a few bins together."""
    size = max(1, -(-len(ladder) // MOST_BANDS))
    parts = [range(at, min(at + size, len(ladder))) for at in range(0, len(ladder), size)]
    names = [
        f"{units.text(ladder[part[0]][0], form)} to {units.text(ladder[part[-1]][1], form)}"
        for part in parts
    ]
    columns = [
        [sum(z[row][at] or 0 for row in part) for part in parts] for at in range(len(steps.xs))
    ]
    whole = [sum(counts) for counts in zip(*columns, strict=True)]
    rows = [("All of it", whole)] + [
        (axes.time_text(start, zone), counts)
        for start, counts in zip(steps.starts, columns, strict=True)
    ]
    return names, tuple(
        (head, *(words.number(count) for count in (sum(counts), *counts))) for head, counts in rows
    )


def _strongest(z: Sequence[Sequence[float | None]]) -> float:
    """From how many events on a cell is fully dark: one crowded cell would pale all others."""
    counts = sorted(count for row in z for count in row if count)
    return counts[int(0.99 * (len(counts) - 1))] if counts else 1


def _ladder(bins: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The bins with those between them that are empty, so that height tells the value."""
    if not bins:
        return []
    full = [bins[0]]
    for low, high in bins[1:]:
        while full[-1][1] > 0 and full[-1][1] < low * 0.999:
            start = full[-1][1]
            full.append((start, start * (high / low) if low > 0 else high))
            if len(full) > 400:
                break
        if full[-1][0] < low * 0.999 or low <= 0:
            full.append((low, high))
        else:
            full[-1] = (low, high)
    return full


def _some(count: int, wanted: int = 7) -> list[int]:
    step = max(1, -(-count // wanted))
    return list(range(0, count, step))
