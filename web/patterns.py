"""Example data for the page that shows every component (`/-/patterns`)."""

from datetime import datetime, timedelta
from typing import Any

from web import words
from web.charts import Chart

ROWS: tuple[dict[str, Any], ...] = (
    {"name": "/export p95", "ratio": 3.01, "bounds": (2.82, 3.21), "verdict": "worse"},
    {"name": "/export mean", "ratio": 9.4, "bounds": (7.1, 12.4), "verdict": "worse"},
    {"name": "/export errors", "ratio": 1.02, "bounds": (0.85, 1.22), "verdict": "no_difference"},
    {"name": "/search p95", "ratio": 1.3, "bounds": (0.2, 6.0), "verdict": "unknown"},
    {"name": "/login p95", "ratio": 0.92, "bounds": (0.89, 0.95), "verdict": "better"},
    {"name": "/payment p95", "ratio": None, "bounds": None, "verdict": "unknown"},
)


def examples(now: datetime) -> dict[str, Any]:
    """The context of web/patterns.html at a time."""
    return {
        "rows": ROWS,
        "verdicts": tuple(words.VERDICTS),
        "kinds": ("deploy", "flag", "marker"),
        "chart": _chart(),
        "times": [now - timedelta(seconds=age) for age in (4, 200, 25_000, 90_000, 900_000)],
        "empty": {
            "title": "No flags yet",
            "text": "Flags appear here when requests report them, or when you make one.",
            "snippet": 'client.get_boolean_value("NEW_SEARCH", False)',
            "href": "/",
            "link": "How to send your data",
        },
    }


def _chart() -> Chart:
    steps = range(40)
    lines = {"off": [220 + step % 5 for step in steps], "on": [220 + step * 6 for step in steps]}
    styles = {
        "off": {"color": "@baseline", "dash": "dash"},
        "on": {"color": "@worse"},
    }
    return Chart(
        id="example",
        title="Latency p95 of each cohort",
        summary="With the flag on, p95 grows from 220 ms to 454 ms; with it off it stays.",
        figure={
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": list(steps),
                    "y": values,
                    "line": styles[name],
                }
                for name, values in lines.items()
            ],
            "layout": {"yaxis": {"rangemode": "tozero", "ticksuffix": " ms"}},
        },
        columns=("Minute", *lines),
        rows=tuple(
            (str(step), *(words.milliseconds(values[step]) for values in lines.values()))
            for step in steps
        ),
    )
