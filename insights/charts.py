"""Lines over time → pictures with the sentence and the table that say the same. Pure functions.

Colour means a verdict: the baseline is grey and dashed, the candidate solid in the verdict's
colour, everything else ink. What compares two cohorts at once is in `insights.cohort_charts`.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from insights import annotations, axes
from insights.annotations import PANEL, Group
from insights.changes import Told
from insights.cohort_charts import certainty, distribution, statuses
from insights.series import Line
from web import words
from web.charts import Chart

__all__ = ["certainty", "distribution", "over_time", "overview", "statuses"]

SHADES = ("@ink", "@baseline", "@line-strong", "@ink/60", "@baseline/70", "@baseline/50")
DASHES = ("solid", "solid", "solid", "dot", "dot", "dash")
NAME_WIDTH = 0.0085  # of the picture's width: one letter of a mark's name
LANES = {"deploy": "Deploys", "flag": "Flags", "marker": "Markers"}
PANELS = (
    ("Requests", "per_second", (0.80, 0.97)),
    ("Error rate", "error_rate", (0.525, 0.695)),
    ("Latency p95", "p95_ms", (0.25, 0.42)),
)
MEASURES = {
    "requests": ("requests a second", "per_second"),
    "errors": ("error rate", "error_rate"),
    "p50": ("p50 latency", "p50_ms"),
    "p95": ("p95 latency", "p95_ms"),
}


def _text(name: str, value: float | None) -> str:
    """A point of a line in words."""
    if value is None:
        return words.MISSING
    if name == "error_rate":
        return words.percent(value)
    return words.milliseconds(value) if name.endswith("_ms") else f"{words.number(value)} /s"


def _y_axis(name: str, **more: Any) -> dict[str, Any]:
    form = {"error_rate": {"tickformat": "~%"}, "per_second": {"tickformat": ",~r"}}
    axis = form.get(name, {"tickformat": ",~r", "ticksuffix": " ms"})
    return {"rangemode": "tozero", "nticks": 4, **axis, **more}


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _peak(lines: Sequence[Line], name: str) -> float:
    return max((v for line in lines for v in getattr(line, name) if v is not None), default=0)


def _point_texts(line: Line, zone: tzinfo) -> list[str]:
    who = f"{axes.plain(line.label)} " if line.label else ""
    return [
        f"{who}{time.astimezone(zone):%H:%M}<br>{_text('per_second', rate)}, "
        f"{_text('error_rate', errors)} errors<br>p95 {_text('p95_ms', p95)}"
        for time, rate, errors, p95 in zip(
            line.times, line.per_second, line.error_rate, line.p95_ms, strict=True
        )
    ]


def _trace(of: Line, name: str, texts: list[str], **more: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": axes.plain(of.label),
        "x": [axes.x(time) for time in of.times],
        "y": [_rounded(value) for value in getattr(of, name)],
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        **more,
    }


def _rounded(value: float | None) -> float | None:
    """Enough digits for a picture; the words are made from the whole number."""
    return None if value is None else float(f"{value:.5g}")


def overview(
    lines: Sequence[Line],
    told: Sequence[Told],
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    zone: tzinfo,
    base: str,
) -> Chart:
    """Requests, errors and latency above each other on one time axis, changes in lanes beneath."""
    traces: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "xaxis": axes.time_axis(since, until, zone, anchor="y4", domain=[0, 1]),
        "hovermode": "closest",
        "margin": {"l": 66, "r": 12, "t": 20, "b": 34},
    }
    texts = [_point_texts(line, zone) for line in lines]
    for number, (title, name, domain) in enumerate(PANELS, start=1):
        axis = "y" if number == 1 else f"y{number}"
        top = _peak(lines, name) * 1.12 or 1
        layout[axis.replace("y", "yaxis")] = _y_axis(name, domain=domain, range=[0, top])
        notes.append(axes.label(f"{title}", x=0, xanchor="left", y=domain[1], yanchor="bottom"))
        notes.append(_panel_end(lines, name, domain[1]))
        traces.extend(
            _trace(
                line,
                name,
                texts[place],
                yaxis=axis,
                line={"color": SHADES[place], "width": 1.7, "dash": DASHES[place]},
            )
            for place, line in reversed(list(enumerate(lines)))
        )
    groups = annotations.grouped(told, since, until)
    lanes = [
        kind for kind in LANES if kind != "marker" or any(group.kind == kind for group in groups)
    ]
    layout["yaxis4"] = {
        "domain": [0, 0.13],
        "type": "category",
        "categoryorder": "array",
        "categoryarray": [LANES[kind] for kind in reversed(lanes)],
        "range": [-0.6, len(lanes) - 0.4],
        "showgrid": True,
    }
    traces.append(annotations.trace(groups, zone=zone, base=base, yaxis="y4", lanes=LANES))
    for kind in lanes:
        notes.extend(_names([group for group in groups if group.kind == kind], since, until))
    layout["shapes"] = annotations.rules(groups)
    if now < until:
        layout["shapes"].append(axes.rule(now, colour="@now", width=1.5))
    layout["annotations"] = notes
    return Chart(
        id="overview-chart",
        title="Requests, error rate and latency over time",
        summary=_overview_summary(lines, groups),
        figure={"data": traces, "layout": layout},
        columns=_columns(lines),
        rows=_rows(lines, zone),
        height="tall",
        marks=annotations.listed(groups, zone=zone, base=base),
    )


def _panel_end(lines: Sequence[Line], name: str, top: float) -> dict[str, Any]:
    """The newest value of each line, in the line's own shade."""
    parts = []
    for line in lines[:3]:
        text = _text(name, _last(getattr(line, name)))
        parts.append(f"{axes.plain(line.label, 20)} {text}" if len(lines) > 1 else text)
    text = " · ".join(parts) if len(lines) > 1 else f"{''.join(parts)}"
    name = "wide" if len(lines) > 1 else ""
    return axes.label(text, name=name, x=1, xanchor="right", y=top, yanchor="bottom")


def _names(groups: Sequence[Group], since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Names of what made things worse or better in one lane, where they hide no mark or name."""
    at = [(group.at - since) / (until - since) for group in groups]
    taken = -1.0
    notes = []
    for place, group in enumerate(groups):
        one = next((one for one in group.told if one.verdict in axes.TOLD), None)
        if one is None:
            continue
        name = axes.plain(one.change.flag or one.change.build_id or one.change.title, 24)
        if len(group.told) > 1:
            name = f"{name} +{len(group.told) - 1}"
        width = NAME_WIDTH * (len(name) + 2)
        right = at[place] > 0.62
        begins, ends = (at[place] - width, at[place]) if right else (at[place], at[place] + width)
        beside = at[:place] if right else at[place + 1 :]
        if begins < taken or any(begins < other < ends for other in beside):
            continue
        taken = ends
        notes.append(
            {
                "name": "wide",
                "text": name,
                "showarrow": False,
                "xref": "x",
                "yref": "y4",
                "x": axes.x(group.at),
                "y": LANES[group.kind],
                "xanchor": "right" if right else "left",
                "xshift": -10 if right else 10,
                "bgcolor": "@surface",
                "borderpad": 1,
                "font": {"size": 11, "color": group.colour, "weight": 600},
            }
        )
    return notes


def _overview_summary(lines: Sequence[Line], groups: Sequence[Group]) -> str:
    parts = [annotations.said(groups) or "Nothing is marked."]
    if len(lines) > 1:
        names = words.joined([line.label for line in lines])
        parts.insert(0, f"One line a service: {names}, busiest strongest.")
    if any(group.colour in annotations.STRONG for group in groups):
        parts.append("Orange made things worse, green better.")
    return " ".join(parts)


def _columns(lines: Sequence[Line]) -> tuple[str, ...]:
    heads = ["Time"]
    for line in lines:
        name = f"{line.label} " if len(lines) > 1 else ""
        heads += [f"{name}requests".strip(), f"{name}errors".strip(), f"{name}p95".strip()]
    return tuple(heads)


def _rows(lines: Sequence[Line], zone: tzinfo) -> tuple[tuple[str, ...], ...]:
    if not lines:
        return ()
    rows = []
    for place, time in enumerate(lines[0].times):
        values = [
            _text(name, getattr(line, name)[place]) for line in lines for _, name, _ in PANELS
        ]
        rows.append((axes.time_text(time, zone), *values))
    return tuple(rows)


def over_time(
    lines: Sequence[Line],
    told: Sequence[Told],
    *,
    id: str,
    title: str,
    measure: str,
    since: datetime,
    until: datetime,
    zone: tzinfo,
    base: str,
    mark: datetime | None = None,
    marked: str = "the change",
    baseline: str = "",
    verdict: str = "",
) -> Chart:
    """One measure of each cohort over time; `mark` is the moment that the page is about."""
    what, name = MEASURES[measure]
    styles = [
        _cohort_style(line, place, lines, baseline, verdict) for place, line in enumerate(lines)
    ]
    traces = [
        _trace(line, name, _point_texts(line, zone), line=style)
        for line, style in zip(lines, styles, strict=True)
    ]
    top = _peak(lines, name) * 1.15 or 1
    notes = _line_names(lines, name, [style["color"] for style in styles], top)
    groups = annotations.grouped(told, since, until)
    others = annotations.grouped([one for one in told if one.change.time != mark], since, until)
    layout = {
        "xaxis": axes.time_axis(since, until, zone, wanted=4, anchor="y2"),
        "yaxis": _y_axis(name, domain=PANEL, range=[-0.03 * top, top]),
        "yaxis2": annotations.lane(),
        "hovermode": "closest",
        "shapes": [
            *annotations.rules(others),
            *([axes.rule(mark, colour="@now", width=1.5)] if mark else []),
        ],
        "annotations": notes,
        "margin": {"l": 66, "r": 76 if len(lines) > 1 else 12, "t": 12, "b": 34},
    }
    traces.append(annotations.trace(groups, zone=zone, base=base, yaxis="y2"))
    said = _over_time_summary(lines, name, what, mark, marked)
    return Chart(
        id=id,
        title=title,
        summary=f"{said} {annotations.said(groups)}".strip(),
        figure={"data": traces, "layout": layout},
        columns=("Time", *(f"{line.label or 'all'} {what}" for line in lines)),
        rows=tuple(
            (
                axes.time_text(time, zone),
                *(_text(name, getattr(line, name)[place]) for line in lines),
            )
            for place, time in enumerate(lines[0].times if lines else ())
        ),
        marks=annotations.listed(groups, zone=zone, base=base),
    )


def _cohort_style(
    line: Line, place: int, lines: Sequence[Line], baseline: str, verdict: str
) -> dict[str, Any]:
    if len(lines) == 1:
        return {"color": "@ink", "width": 1.7}
    if line.label == baseline:
        return {"color": "@baseline", "width": 1.7, "dash": "dash"}
    if baseline:
        return {"color": axes.COLOURS.get(verdict, "@ink"), "width": 1.9}
    return {"color": SHADES[place], "width": 1.7, "dash": DASHES[place]}


def _line_names(
    lines: Sequence[Line], name: str, colours: Sequence[str], top: float
) -> list[dict[str, Any]]:
    """Each line's name at its end, pushed apart, so that no legend has to be read."""
    ends = []
    for line, colour in zip(lines, colours, strict=True):
        values = getattr(line, name)
        last = next((i for i in range(len(values) - 1, -1, -1) if values[i] is not None), None)
        if last is not None and len(lines) > 1:
            ends.append((values[last], line.times[last], line.label, colour))
    notes = []
    floor = -math.inf
    for value, time, label, colour in sorted(ends, key=lambda end: end[0]):
        height = max(value, floor)
        floor = height + top * 0.08
        notes.append(
            {
                "text": axes.narrow(label, 12),
                "showarrow": False,
                "x": axes.x(time),
                "y": height,
                "xanchor": "left",
                "xshift": 6,
                "font": {"size": 12, "color": colour, "weight": 600},
            }
        )
    return notes


def _over_time_summary(
    lines: Sequence[Line], name: str, what: str, mark: datetime | None, marked: str
) -> str:
    if not lines:
        return f"No {what} in this time."
    how = "over all requests" if name == "error_rate" else "medians of the points"
    if mark and len(lines) == 1:
        line = lines[0]
        before = _usual(line, name, until=mark)
        after = _usual(line, name, since=mark)
        return (
            f"Usually {_text(name, before)} before the bar, {_text(name, after)} after it"
            f" ({how}). The bar is {marked}."
        )
    said = [
        f"{_text(name, _usual(line, name, since=times[0], until=times[1]))}"
        f" with {line.label or 'no value'}"
        for line in lines
        if (times := _served(line, mark))
    ]
    if not said:
        return "No request since the change."
    begins = "Since the change:" if mark else "Usually"
    return f"{begins} {words.joined(said)} ({how})."


def _served(line: Line, since: datetime | None) -> tuple[datetime, datetime] | None:
    """From a line's first request on to after its last: the time around it says nothing of it."""
    pairs = zip(line.times, line.per_second, strict=True)
    heard = [time for time, rate in pairs if rate and (not since or time >= since)]
    return (heard[0], heard[-1] + timedelta(seconds=line.step_s)) if heard else None


def _usual(
    line: Line, name: str, *, since: datetime | None = None, until: datetime | None = None
) -> float | None:
    """The median of its points; failures are rare, so they are told as a share of all requests."""
    points: list[tuple[float, float]] = [
        (value, rate or 0)
        for time, value, rate in zip(line.times, getattr(line, name), line.per_second, strict=True)
        if value is not None and (not since or time >= since) and (not until or time < until)
    ]
    requests = sum(rate for _, rate in points)
    if name == "error_rate" and requests:
        return sum(value * rate for value, rate in points) / requests
    found = sorted(value for value, _ in points)
    return found[len(found) // 2] if found else None
