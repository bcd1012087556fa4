"""Two cohorts' pictures over time, and how latency is spread: the second grey and dashed."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from events.query.calculations import bounds
from insights import annotations, axes
from insights.annotations import PANEL, Group
from insights.explore.cohorts import Cohorts, Measures
from insights.explore.difference_page import distribution
from web import words
from web.charts import Chart

LINES = (
    ("p95", "Latency p95", {"tickformat": ",~r", "ticksuffix": " ms"}),
    ("errors", "Error rate", {"tickformat": "~%"}),
    ("n", "Requests", {"tickformat": ",~r"}),
)
MOST_SPANS = 8
STYLES = ({"color": "@link", "width": 1.9}, {"color": "@baseline", "width": 1.9, "dash": "dash"})


def pictures(found: Cohorts, groups: Sequence[Group], *, zone: tzinfo, base: str) -> list[Chart]:
    """Three over time, then the distribution of latency."""
    charts = [
        _over_time(found, name, title, form, groups, zone, base) for name, title, form in LINES
    ]
    return [*charts, _latency(found)] if found.bins else charts


def _value(measures: Measures, name: str) -> float | None:
    if not measures.n and name != "n":
        return None
    value: float | None = getattr(measures, name)
    return value


def text(name: str, value: float | None) -> str:
    """A measure in words."""
    if name == "errors":
        return words.percent(value)
    return words.number(value) if name in ("n", "users") else words.milliseconds(value)


def _over_time(
    found: Cohorts, name: str, title: str, form: dict[str, Any], groups: Sequence[Group],
    zone: tzinfo, base: str,
) -> Chart:  # fmt: skip
    traces = []
    for side, (label, style) in enumerate(zip(found.names, STYLES, strict=True)):
        values = [_value(step[2] if side else step[1], name) for step in found.steps]
        who = axes.plain(label)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": axes.plain(label),
                "x": [axes.x(step[0]) for step in found.steps],
                "y": values,
                "text": [
                    f"{who}<br>{step[0].astimezone(zone):%H:%M:%S} {text(name, value)}"
                    for step, value in zip(found.steps, values, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "line": style,
            }
        )
    traces.append(annotations.trace(groups, zone=zone, base=base, yaxis="y2"))
    first, second = (text(name, _value(one, name)) for one in found.measures)
    return Chart(
        id=f"beside-{name}",
        title=title,
        summary=(
            f"Solid: {found.names[0]}, {first}. Dashed: {found.names[1]}, {second}."
            f" {annotations.said(groups)}"
        ).strip(),
        figure={
            "data": traces,
            "layout": {
                "xaxis": axes.time_axis(found.meant.since, found.meant.until, zone, anchor="y2"),
                "yaxis": {"domain": PANEL, "rangemode": "tozero", "nticks": 4, **form},
                "yaxis2": annotations.lane(),
                "shapes": annotations.rules(groups),
                "hovermode": "closest",
                "margin": {"l": 66, "r": 12, "t": 10, "b": 34},
            },
        },
        columns=("Time", *found.names),
        rows=tuple(
            (
                axes.time_text(step[0], zone),
                *(text(name, _value(one, name)) for one in step[1:]),
            )
            for step in found.steps
        ),
        marks=annotations.listed(groups, zone=zone, base=base),
    )


def _latency(found: Cohorts) -> Chart:
    first, second = (max(one.n, 1e-9) for one in found.measures)
    spread = tuple(
        (*bounds(place), pair[1] / second, pair[0] / first) for place, pair in found.bins.items()
    )
    return distribution("beside-spread", "duration_ms", spread, (found.names[1], found.names[0]))


def own_times(found: Cohorts) -> Chart:
    """The kinds of span that differ most: time of their own a trace, a bar for each side."""
    shown = found.spans[:MOST_SPANS][::-1]  # bars are drawn from below
    names = [axes.plain(f"{one.what}, {one.service}", 44) for one in shown]
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": axes.plain(found.heads[side]),
            "y": list(range(len(shown))),
            "x": [round(one.own_ms[side], 3) for one in shown],
            "text": [
                f"{axes.plain(found.heads[side])}<br>{name}<br>{words.milliseconds(one.own_ms[side])}"
                for one, name in zip(shown, names, strict=True)
            ],
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"color": colour},
        }
        for side, colour in ((1, "@baseline"), (0, "@link"))
    ]
    return Chart(
        id="beside-spans",
        title="Time of its own that a trace spends in each kind of span",
        summary=f"Coloured: {found.names[0]}. Grey: {found.names[1]}. What differs most is first.",
        figure={
            "data": bars,
            "layout": {
                "barmode": "group",
                "bargap": 0.25,
                "xaxis": {"rangemode": "tozero", "tickformat": ",~r", "ticksuffix": " ms"},
                "yaxis": {
                    "tickmode": "array",
                    "tickvals": list(range(len(shown))),
                    "ticktext": names,
                    "automargin": True,
                    "showgrid": False,
                },
                "margin": {"l": 20, "r": 16, "t": 10, "b": 34},
            },
        },
        columns=("Span", *found.heads),
        rows=tuple(
            (f"{one.what}, {one.service}", *map(words.milliseconds, one.own_ms))
            for one in shown[::-1]
        ),
    )
