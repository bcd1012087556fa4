"""How values are spread, step by step: a picture, and its twin as a table of times."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate
from typing import Any

import numpy as np

from insights import annotations, axes
from insights.annotations import PANEL
from insights.explore import units
from insights.explore.frame import Frame, Steps, layout_of, x_of
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
    steps = frame.steps()
    ladder, counts = _counted(series, name, steps)
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
            "z": _drawn(counts),
            "hovertemplate": "%{text}<br>%{z} events<extra></extra>",
            "colorscale": SCALE,
            "zmin": 0,
            "zmax": _strongest(counts),
            "showscale": False,
            "hoverongaps": False,
        },
        annotations.trace(frame.groups, zone=frame.zone, base=frame.base, yaxis="y2"),
    ]
    layout["meta"] = {
        "column": field,
        "edges": [[low, high] for low, high in ladder],
        "rows": texts,  # with the clocks what a cell says: static/js/boxes.js puts them together
        "clocks": steps.clocks,
    }
    names, table = _bands(counts, ladder, steps, form)
    sums = counts.sum(axis=1).tolist()

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


def _counted(
    series: Sequence[dict[str, Any]], name: str, steps: Steps
) -> tuple[list[tuple[float, float]], np.ndarray]:
    """(the bins, events by bin and step), the events of every group added up."""
    across = {x: place for place, x in enumerate(steps.xs)}
    columns = [
        (at, point["data"][name])
        for point in series
        if (at := across.get(x_of(point["time"]))) is not None
    ]
    ladder = _ladder(sorted({low: high for _, bins in columns for low, high, _ in bins}.items()))
    rows = {low: number for number, (low, _) in enumerate(ladder)}
    counts = np.zeros((len(ladder), len(steps.xs)))
    # Straight into arrays: a tuple for each of thousands of bins takes half as long again.
    row = np.fromiter((rows[low] for _, bins in columns for low, _, _ in bins), int)
    column = np.fromiter((at for at, bins in columns for _ in bins), int)
    events = np.fromiter((count for _, bins in columns for _, _, count in bins), float)
    np.add.at(counts, (row, column), events)
    return ladder, counts


def _drawn(counts: np.ndarray) -> list[list[float | None]]:
    """Nothing is drawn where nothing is, which is most of a picture."""
    whole = counts.astype(int)
    shown = (whole if (whole == counts).all() else counts).astype(object)
    shown[counts <= 0] = None
    found: list[list[float | None]] = shown.tolist()
    return found


def _bands(
    counts: np.ndarray,
    ladder: Sequence[tuple[float, float]],
    steps: Steps,
    form: str,
) -> tuple[list[str], tuple[tuple[str, ...], ...]]:
    """A heatmap as a table: a row a step, a column each for a few bins together."""
    size = max(1, -(-len(ladder) // MOST_BANDS))
    parts = range(0, len(ladder), size)
    names = [
        f"{units.text(ladder[at][0], form)} to {units.text(ladder[at : at + size][-1][1], form)}"
        for at in parts
    ]
    banded = np.add.reduceat(counts, np.array(parts, int), axis=0)
    rows = [
        ("All of it", banded.sum(axis=1).tolist()),
        *zip(steps.texts, banded.T.tolist(), strict=True),
    ]
    return names, tuple(
        (head, *(words.number(count) for count in (sum(column), *column))) for head, column in rows
    )


def _strongest(counts: np.ndarray) -> float:
    """From how many events on a cell is fully dark: one crowded cell would pale all others."""
    some = np.sort(counts[counts > 0])
    return float(some[int(0.99 * (len(some) - 1))]) if len(some) else 1


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
