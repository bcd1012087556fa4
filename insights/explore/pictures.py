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

    def steps(self) -> "Steps":
        """Every step of the window, so that a line shows where nothing came in."""
        first = int((self.read_since or self.since).timestamp()) // self.step_s * self.step_s
        # The step under way is left out, so that no line ends in a drop that is not there.
        last = int(self.until.timestamp()) - self.step_s + 1
        starts = [datetime.fromtimestamp(at, UTC) for at in range(first, last, self.step_s)]
        return Steps(
            starts,
            [axes.x(start) for start in starts],
            [f"{start.astimezone(self.zone):%H:%M:%S}" for start in starts],
        )


@dataclass(frozen=True, slots=True)
class Steps:
    """Where the steps of a picture begin: as times, as Plotly reads them, on the local clock."""

    starts: list[datetime]
    xs: list[str]
    clocks: list[str]


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
    steps = frame.steps()
    zero = 0 if split(name)[0] in ("COUNT", "COUNT_DISTINCT", "CONCURRENCY") else None

    def along(points: dict[str, dict[str, Any]], group: str) -> list[Any]:
        known = points.get(group, {})
        return [known.get(at, zero) for at in steps.xs]

    values = [along(now, group) for group in shown]
    written = [[units.text(value, name) for value in line] for line in values]
    traces = []
    tops = []
    for number, group in enumerate(shown):
        if before and number < 2:
            old = along(before, group)
            texts = [units.text(value, name) for value in old]
            title = f"{group} earlier".strip()
            traces.append(_line(steps, old, texts, title, "@baseline/70", "dot"))
            tops += old
        colour, dash = SHADES[number], DASHES[number]
        traces.append(_line(steps, values[number], written[number], group, colour, dash))
        tops += values[number]
    known = [value for value in tops if value is not None]
    top = max(known, default=0) * 1.12 or 1
    low = min(0.0, min(known, default=0) * 1.12)
    layout = _layout(frame)
    layout["yaxis"] = {"domain": PANEL, "nticks": 5, "range": [low, top], **units.axis(name)}
    layout["annotations"] = _names(shown, values, steps, top - low) if by else []
    if by:
        layout["margin"]["r"] = 110
    traces.append(annotations.trace(frame.groups, zone=frame.zone, base=frame.base, yaxis="y2"))
    times = [axes.time_text(start, frame.zone) for start in steps.starts]
    return Chart(
        id=f"{frame.prefix}picture-{place}",
        title=f"{units.named(name).capitalize()} over time",
        summary=_summary(answer, name, by, shown, frame),
        figure={"data": traces, "layout": layout},
        columns=("Time", *((group or units.named(name)) for group in shown)),
        rows=tuple(zip(times, *written, strict=True)),
        unit=units.unit(name),
        height="medium",
        marks=annotations.listed(frame.groups, zone=frame.zone, base=frame.base),
    )


def _points(
    series: Sequence[dict[str, Any]], name: str, by: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Values by group and by the text of their time, as Plotly reads it."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for point in series:
        data = point["data"]
        found.setdefault(tuple([data[one] for one in by]), {})[_x(point["time"])] = data.get(name)
    return {
        group_name(dict(zip(by, key, strict=True)), by): points for key, points in found.items()
    }


def _x(time: str) -> str:
    """A time of an answer, always UTC and whole seconds, as `axes.x` writes it."""
    return time.removesuffix("Z")


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


def _layout(frame: Frame) -> dict[str, Any]:
    return {
        "xaxis": axes.time_axis(frame.since, frame.until, frame.zone, anchor="y2"),
        "yaxis2": {"domain": LANE, "range": [-1, 1], "visible": False},
        "hovermode": "closest",
        "shapes": annotations.rules(frame.groups),
        "margin": {"l": 70, "r": 14, "t": 10, "b": 34},
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
                "text": axes.plain(group or "all", 14), "showarrow": False, "x": at,
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
    steps = frame.steps()
    columns: dict[str, dict[tuple[float, float], float]] = {}
    for point in series:  # of every group, added up
        column_of = columns.setdefault(_x(point["time"]), {})
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
    layout["meta"] = {"column": field, "edges": [[low, high] for low, high in ladder]}
    sums = [sum(filter(None, row)) for row in z]
    return Chart(
        id=f"{frame.prefix}picture-{place}",
        title=f"{field} over time, the stronger the more events",
        summary=(
            f"{words.plural(sum(sums), 'event')}; a column each {words.duration(frame.step_s)}."
            f" {annotations.said(frame.groups)}"
        ).strip(),
        figure={"data": traces, "layout": layout},
        columns=(field, "Events"),
        rows=tuple((text, words.number(total)) for text, total in zip(texts, sums, strict=True)),
        height="medium",
        marks=annotations.listed(frame.groups, zone=frame.zone, base=frame.base),
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
