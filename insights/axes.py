"""What all charts over time share: ticks in the environment's zone, rules, labels.

Plotly knows no time zones, so times are drawn in UTC while ticks and hover texts are written here:
right on the days too when clocks change.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
SYMBOLS = {"deploy": "square", "flag": "diamond", "marker": "triangle-up"}
COLOURS = {
    "worse": "@worse",
    "better": "@better",
    "no_difference": "@same",
    "unknown": "@unknown",
}
TOLD = ("worse", "better")


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


def plain(text: str, most: int = 60) -> str:
    """Names come from outside: no tags, not too long."""
    return _escaped(text if len(text) <= most else f"{text[: most - 1]}…")


def narrow(text: str, most: int) -> str:
    """The same, cut in the middle: names that begin alike differ at their ends."""
    end = (most - 1) // 2
    return _escaped(text if len(text) <= most else f"{text[: most - 1 - end]}…{text[-end:]}")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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
