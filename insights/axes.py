"""What all charts over time share: ticks in the environment's zone, changes as marks.

Plotly knows no time zones, so times are drawn in UTC while ticks and hover texts are written here:
right on the days too when clocks change.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from insights.changes import Told
from web import words

STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
SYMBOLS = {"deploy": "square", "flag": "diamond", "marker": "triangle-up"}
COLOURS = {
    "worse": "@worse",
    "better": "@better",
    "no_difference": "@same",
    "unknown": "@unknown",
}
TOLD = ("worse", "better")
MOST_RULES = 60  # vertical lines; beyond it only those of worse and better


def x(time: datetime) -> str:
    """As Plotly reads a time: UTC, without saying so."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def ticks(since: datetime, until: datetime, zone: tzinfo, wanted: int = 7) -> dict[str, Any]:
    """tickvals and ticktext at round local times, with the day's name where a day begins."""
    minutes = (until - since).total_seconds() / 60
    step = next((one for one in STEPS_MIN if minutes / one <= wanted), STEPS_MIN[-1])
    local = since.astimezone(zone)
    start = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    values, texts = [], []
    day = None
    for number in range(int((minutes + 2 * 1440) / step) + 2):
        at = (start + timedelta(minutes=step * number)).replace(tzinfo=zone)
        if at < since:
            continue
        if at > until:
            break
        text = f"{at:%H:%M}" if step < 1440 else f"{at.day} {at:%b}"
        if step < 1440 and day is not None and at.date() != day:
            text = f"{text}<br>{at.day} {at:%b}"
        day = at.date()
        values.append(x(at))
        texts.append(text)
    return {"tickmode": "array", "tickvals": values, "ticktext": texts}


def time_text(time: datetime, zone: tzinfo) -> str:
    """A row's time in tables: "24 Nov 07:42:00"."""
    local = time.astimezone(zone)
    return f"{local.day} {local:%b %H:%M:%S}"


def time_axis(
    since: datetime, until: datetime, zone: tzinfo, *, wanted: int = 7, **more: Any
) -> dict[str, Any]:
    return {
        "type": "date",
        "range": [x(since), x(until)],
        **ticks(since, until, zone, wanted),
        "showgrid": False,
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "solid",
        "spikecolor": "@line-strong",
        **more,
    }


def rule(time: datetime, *, colour: str, dash: str = "solid", width: float = 1) -> dict[str, Any]:
    """A vertical line through the whole picture."""
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": x(time),
        "x1": x(time),
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": colour, "width": width, "dash": dash},
    }


def colour(one: Told) -> str:
    """The verdict's, or the neutral one of marks where nothing is measured."""
    return COLOURS.get(one.verdict or "", "@marker")


def rules(told: Sequence[Told]) -> list[dict[str, Any]]:
    """A line for each change; worse and better in their colour."""
    crowded = len(told) > MOST_RULES
    return [
        rule(
            one.change.time,
            colour=colour(one) if one.verdict in TOLD else "@line-strong",
            dash="dot" if one.change.kind == "flag" else "solid",
        )
        for one in told
        if one.verdict in TOLD or not crowded
    ]


def marks(
    told: Sequence[Told], lane: str, *, yaxis: str, base: str, zone: tzinfo
) -> dict[str, Any]:
    """The changes of one lane as marks that lead to their pages."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x(one.change.time) for one in told],
        "y": [lane] * len(told),
        "yaxis": yaxis,
        "customdata": [f"{base}/changes/{one.change.id}" for one in told],
        "text": [hover(one, zone) for one in told],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": [SYMBOLS.get(one.change.kind, "triangle-up") for one in told],
            "size": 11,
            "color": [colour(one) for one in told],
            "line": {"width": 0},
        },
        "cliponaxis": False,
    }


def hover(one: Told, zone: tzinfo) -> str:
    """A change in a few lines, safe to show: Plotly reads some tags."""
    verdict = words.VERDICTS.get(one.shown or "unknown", "")
    local = one.change.time.astimezone(zone)
    lines = [f"{plain(one.change.title)}", f"{local:%H:%M:%S}, {local.day} {local:%b}"]
    if one.change.kind != "marker":
        lines.append(verdict)
    return "<br>".join(lines)


def plain(text: str, most: int = 60) -> str:
    """Names come from outside: no tags, not too long."""
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def label(text: str, **more: Any) -> dict[str, Any]:
    """Words on the picture, by default placed in parts of the whole."""
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "font": {"size": 12, "color": "@ink", "weight": 600},
        "bgcolor": "@surface",
        "borderpad": 2,
        **more,
    }
