"""An answer → pictures over time, one a calculation, each with the changes as annotations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from insights import axes
from insights.explore import annotations, units
from insights.explore.annotations import Group
from insights.explore.question import split
from web import words
from web.charts import Chart

MOST_LINES = 6
MOST_PICTURES = 6
SHADES = ("@ink", "@link", "@baseline", "@ink/60", "@link/60", "@baseline/60")
DASHES = ("solid", "solid", "dash", "dot", "dot", "dashdot")
PANEL, LANE = [0.13, 1], [0, 0.07]
SCALE = [[0, "@surface"], [0.02, "@link/20"], [0.35, "@link/60"], [1, "@ink"]]


@dataclass(frozen=True, slots=True)
class Frame:
    """What every picture of one answer shares."""

    since: datetime
    until: datetime
    step_s: int
    zone: tzinfo
    base: str
    groups: tuple[Group, ...] = ()
    prefix: str = ""  # of the pictures' ids, where a page has several answers
    read_since: datetime | None = None  # where only the steps from there on are known

    @property
    def starts(self) -> list[datetime]:
        """Every step of the window, so that a line shows where nothing came in."""
        first = int((self.read_since or self.since).timestamp()) // self.step_s * self.step_s
        # The step under way is left out, so that no line ends in a drop that is not there.
        last = int(self.until.timestamp()) - self.step_s + 1
        return [datetime.fromtimestamp(at, UTC) for at in range(first, last, self.step_s)]


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


def lines(answer: dict[str, Any], name: str, by: Sequence[str], frame: Frame, place: int) -> Chart:
    """One line a group, the first few of the table; the earlier time dashed in grey."""
    shown = [group_name(row["data"], by) for row in answer["results"][:MOST_LINES]]
    now = _points(answer["series"], name, by)
    before = _points(answer.get("compare", {}).get("series", []), name, by)
    starts = frame.starts
    zero = 0 if split(name)[0] in ("COUNT", "COUNT_DISTINCT", "CONCURRENCY") else None
    traces = []
    tops = []
    for number, group in enumerate(shown):
        if before and number < 2:
            old = [before.get(group, {}).get(axes.x(start), zero) for start in starts]
            traces.append(
                _line(starts, old, f"{group} earlier".strip(), name, frame, "@baseline/70", "dot")
            )
            tops += old
        values = [now.get(group, {}).get(axes.x(start), zero) for start in starts]
        colour, dash = SHADES[number], DASHES[number]
        traces.append(_line(starts, values, group, name, frame, colour, dash))
        tops += values
    known = [value for value in tops if value is not None]
    top = max(known, default=0) * 1.12 or 1
    low = min(0.0, min(known, default=0) * 1.12)
    layout = _layout(frame)
    layout["yaxis"] = {"domain": PANEL, "nticks": 5, "range": [low, top], **units.axis(name)}
    layout["annotations"] = _names(shown, now, starts, top - low) if by else []
    if by:
        layout["margin"]["r"] = 110
    traces.append(annotations.trace(frame.groups, zone=frame.zone, base=frame.base, yaxis="y2"))
    return Chart(
        id=f"{frame.prefix}picture-{place}",
        title=f"{units.named(name).capitalize()} over time",
        summary=_summary(answer, name, by, shown, frame),
        figure={"data": traces, "layout": layout},
        columns=("Time", *((group or units.named(name)) for group in shown)),
        rows=tuple(
            (
                axes.time_text(start, frame.zone),
                *(units.text(now.get(group, {}).get(axes.x(start), zero), name) for group in shown),
            )
            for start in starts
        ),
        height="medium",
        marks=annotations.listed(frame.groups, zone=frame.zone, base=frame.base),
    )


def _points(
    series: Sequence[dict[str, Any]], name: str, by: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Values by group and by the text of their time."""
    found: dict[str, dict[str, Any]] = {}
    for point in series:
        group = group_name(point["data"], by)
        at = axes.x(datetime.fromisoformat(point["time"]))
        found.setdefault(group, {})[at] = point["data"].get(name)
    return found


def _line(
    starts: Sequence[datetime], values: Sequence[Any], group: str, name: str, frame: Frame,
    colour: str, dash: str,
) -> dict[str, Any]:  # fmt: skip
    label = axes.plain(group, 40)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label,
        "x": [axes.x(start) for start in starts],
        "y": [None if value is None else float(f"{value:.6g}") for value in values],
        "text": [
            f"{label}<br>{start.astimezone(frame.zone):%H:%M:%S} {units.text(value, name)}"
            for start, value in zip(starts, values, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": colour, "width": 1.7, "dash": dash},
    }


def _layout(frame: Frame) -> dict[str, Any]:
    return {
        "xaxis": axes.time_axis(frame.since, frame.until, frame.zone, anchor="y2"),
        "yaxis2": {"domain": LANE, "range": [-1, 1], "visible": False},
        "hovermode": "closest",
        "shapes": annotations.rules(frame.groups),
        "margin": {"l": 70, "r": 14, "t": 10, "b": 34},
    }


def _names(
    shown: Sequence[str],
    points: dict[str, dict[str, Any]],
    starts: Sequence[datetime],
    height: float,
) -> list[dict[str, Any]]:
    """Each line's name at its end, pushed apart."""
    ends = []
    for place, group in enumerate(shown):
        known = [
            (start, value)
            for start in starts
            if (value := points.get(group, {}).get(axes.x(start))) is not None
        ]
        if known:
            ends.append((known[-1][1], known[-1][0], group, SHADES[place]))
    notes, floor = [], float("-inf")
    for value, at, group, colour in sorted(ends, key=lambda end: end[0]):
        floor = max(value, floor + height * 0.08)
        notes.append(
            {
                "text": axes.plain(group or "all", 14), "showarrow": False, "x": axes.x(at),
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
    return f"{head} {annotations.said(frame.groups)}".strip()


def axes_free(group: str) -> str:
    return group if len(group) <= 60 else f"{group[:59]}…"


def heatmap(
    series: Sequence[dict[str, Any]], name: str, frame: Frame, place: int = 0, column: str = ""
) -> Chart:
    """Time × value, darker where more events are. Its box can be dragged: `data-box`."""
    field = column or split(name)[1]
    bins = sorted({(low, high) for point in series for low, high, _ in point["data"][name]})
    starts = frame.starts
    columns: dict[str, dict[tuple[float, float], float]] = {}
    for point in series:  # of every group, added up
        column_of = columns.setdefault(axes.x(datetime.fromisoformat(point["time"])), {})
        for low, high, count in point["data"][name]:
            column_of[low, high] = column_of.get((low, high), 0) + count
    ladder = _ladder(bins)
    rows = {pair: number for number, pair in enumerate(ladder)}
    z: list[list[float | None]] = [[None] * len(starts) for _ in ladder]
    for across, start in enumerate(starts):
        for pair, count in columns.get(axes.x(start), {}).items():
            z[rows[pair]][across] = count
    form = f"MAX({field})"
    texts = [f"{units.text(low, form)} to {units.text(high, form)}" for low, high in ladder]
    clock = [f"{start.astimezone(frame.zone):%H:%M:%S}" for start in starts]
    edges = [low for low, _ in ladder]
    layout = _layout(frame)
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
            "x": [axes.x(start + middle) for start in starts],
            "y": list(range(len(ladder))),
            "z": z,
            "text": [  # none where nothing is, which is most of a picture
                [
                    f"{at}<br>{text}" if count is not None else ""
                    for at, count in zip(clock, row, strict=True)
                ]
                for text, row in zip(texts, z, strict=True)
            ],
            "hovertemplate": "%{text}<br>%{z} events<extra></extra>",
            "colorscale": SCALE,
            "showscale": False,
            "hoverongaps": False,
        },
        annotations.trace(frame.groups, zone=frame.zone, base=frame.base, yaxis="y2"),
    ]
    layout["meta"] = {"column": field, "edges": [[low, high] for low, high in ladder]}
    total = sum(count for point in series for *_, count in point["data"][name])
    return Chart(
        id=f"{frame.prefix}picture-{place}",
        title=f"{field} over time, the stronger the more events",
        summary=(
            f"{words.plural(total, 'event')}; a column each {words.duration(frame.step_s)}."
            f" {annotations.said(frame.groups)}"
        ).strip(),
        figure={"data": traces, "layout": layout},
        columns=(field, "Events"),
        rows=tuple(
            (text, words.number(sum(value or 0 for value in row)))
            for text, row in zip(texts, z, strict=True)
        ),
        height="medium",
        marks=annotations.listed(frame.groups, zone=frame.zone, base=frame.base),
    )


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
