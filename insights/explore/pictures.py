"""An answer → pictures over time, one a calculation, each with the changes as annotations."""

from collections.abc import Sequence
from typing import Any

from insights import annotations, axes
from insights.annotations import PANEL
from insights.explore import units
from insights.explore.frame import Frame, Steps, layout_of, x_of
from insights.explore.heatmap import heatmap
from insights.explore.question import split
from web import words
from web.charts import Chart

Key = tuple[Any, ...]  # a group: its values
MOST_LINES = 6
MOST_PICTURES = 6
MOST_EARLIER = 2  # groups whose earlier time is drawn
SHADES = ("@ink", "@link", "@baseline", "@ink/60", "@link/60", "@baseline/60")
DASHES = ("solid", "solid", "dash", "dot", "dot", "dashdot")


def pictures(answer: dict[str, Any], by: Sequence[str], frame: Frame) -> list[Chart]:
    """One chart for each calculation of an answer, MOST_PICTURES at most."""
    keys = _keys(answer, by)[:MOST_PICTURES]
    return [
        heatmap(answer["series"], name, frame, place)
        if split(name)[0] == "HEATMAP"
        else lines(answer, name, by, frame, place)
        for place, name in enumerate(keys)
    ]


def _keys(answer: dict[str, Any], by: Sequence[str]) -> list[str]:
    first: dict[str, Any] = next((row["data"] for row in answer["results"]), {})
    return [name for name in first if name not in by]


def group_name(data: dict[str, Any], by: Sequence[str]) -> str:
    return ", ".join(units.text(data[name]) if data[name] is not None else "none" for name in by)


def _told_apart(rows: Sequence[dict[str, Any]], by: Sequence[str]) -> list[str]:
    """Names of groups without what all of them have."""
    differ = [name for name in by if len({row["data"][name] for row in rows}) > 1]
    return [group_name(row["data"], differ or by) for row in rows]


def lines(answer: dict[str, Any], name: str, by: Sequence[str], frame: Frame, place: int) -> Chart:
    """One line a group, the first few of the table; the earlier time dashed in grey."""
    keys = [_key(row["data"], by) for row in answer["results"][:MOST_LINES]]
    shown = [group_name(row["data"], by) for row in answer["results"][:MOST_LINES]]
    now = _points(answer["series"], name, by)
    before = _points(answer.get("compare", {}).get("series", []), name, by)
    steps = frame.steps()
    zero = 0 if split(name)[0] in ("COUNT", "COUNT_DISTINCT", "CONCURRENCY") else None

    def along(points: dict[Key, dict[str, Any]], key: Key) -> list[Any]:
        known = points.get(key, {})
        return [known.get(at, zero) for at in steps.xs]

    values = [along(now, key) for key in keys]
    table: list[tuple[str, list[str]]] = []
    traces = []
    tops = []
    for number, group in enumerate(shown):
        texts = [units.text(value, name) for value in values[number]]
        table.append((group or units.named(name), texts))
        if before and number < MOST_EARLIER:
            old = along(before, keys[number])
            title = f"{group} earlier".strip()
            then = [units.text(value, name) for value in old]
            table.append((title.capitalize() if title == "earlier" else title, then))
            traces.append(_line(steps, old, then, title, "@baseline/70", "dot"))
            tops += old
        colour, dash = SHADES[number], DASHES[number]
        traces.append(_line(steps, values[number], texts, group, colour, dash))
        tops += values[number]
    known = [value for value in tops if value is not None]
    top = max(known, default=0) * 1.12 or 1
    low = min(0.0, min(known, default=0) * 1.12)
    layout = layout_of(frame)
    layout["yaxis"] = {"domain": PANEL, "nticks": 5, "range": [low, top], **units.axis(name)}
    layout["annotations"] = []
    if by:
        ends = _told_apart(answer["results"][:MOST_LINES], by)
        layout["annotations"] = _names(ends, values, steps, top - low)
        layout["margin"]["r"] = 110
    traces.append(annotations.trace(frame.groups, zone=frame.zone, base=frame.base, yaxis="y2"))
    return Chart(
        id=f"{frame.prefix}picture-{place}",
        title=f"{units.named(name).capitalize()} over time",
        summary=_summary(answer, name, by, shown, frame),
        figure={"data": traces, "layout": layout},
        columns=("Time", *(title for title, _ in table)),
        rows=tuple(zip(steps.texts, *(texts for _, texts in table), strict=True)),
        unit=units.unit(name),
        height="medium",
        marks=annotations.listed(frame.groups, zone=frame.zone, base=frame.base),
    )


def _points(
    series: Sequence[dict[str, Any]], name: str, by: Sequence[str]
) -> dict[Key, dict[str, Any]]:
    """Values by group and by the text of their time, as Plotly reads it."""
    found: dict[Key, dict[str, Any]] = {}
    for point in series:
        data = point["data"]
        found.setdefault(_key(data, by), {})[x_of(point["time"])] = data.get(name)
    return found


def _key(data: dict[str, Any], by: Sequence[str]) -> Key:
    return tuple([data[one] for one in by])


def _line(
    steps: Steps, values: Sequence[Any], texts: Sequence[str], group: str, colour: str, dash: str
) -> dict[str, Any]:
    label = axes.plain(group, 40)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label,
        "x": steps.xs,
        "y": [None if value is None else float(f"{value:.6g}") for value in values],
        "text": [
            f"{label}<br>{clock} {text}" for clock, text in zip(steps.clocks, texts, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": colour, "width": 1.7, "dash": dash},
    }


def _names(
    shown: Sequence[str], values: Sequence[Sequence[Any]], steps: Steps, height: float
) -> list[dict[str, Any]]:
    """Each line's name at its end, pushed apart."""
    ends = []
    for place, (group, line) in enumerate(zip(shown, values, strict=True)):
        last = next((at for at in reversed(range(len(line))) if line[at] is not None), None)
        if last is not None:
            # Words are never as faint as a line may be.
            ends.append((line[last], steps.xs[last], group, SHADES[place].partition("/")[0]))
    notes, floor = [], float("-inf")
    for value, at, group, colour in sorted(ends, key=lambda end: end[0]):
        floor = max(value, floor + height * 0.08)
        notes.append(
            {
                "text": axes.narrow(group or "all", 14), "showarrow": False, "x": at,
                "y": floor, "xanchor": "left", "xshift": 6,
                "font": {"size": 11, "color": colour, "weight": 600},
            }
        )  # fmt: skip
    return notes


def _summary(
    answer: dict[str, Any], name: str, by: Sequence[str], shown: Sequence[str], frame: Frame
) -> str:
    step = words.duration(frame.step_s)
    parts = []
    for row, group in list(zip(answer["results"], shown, strict=False))[:3]:
        value = units.text(row["data"][name], name)
        parts.append(f"{value} for {axes_free(group)}" if by else value)
    head = f"{units.named(name).capitalize()}: {words.joined(parts)} in all, a point each {step}."
    more = len(answer["results"]) - len(shown)
    if more > 0:
        head += f" The first {len(shown)} groups are drawn, {more} more are in the table."
    if answer.get("compare", {}).get("series"):
        whose = " of the first two groups" if len(shown) > MOST_EARLIER else ""
        head += f" Dotted: the earlier time{whose}, moved to now."
    return f"{head} {annotations.said(frame.groups)}".strip()


def axes_free(group: str) -> str:
    return group if len(group) <= 60 else f"{group[:59]}…"
