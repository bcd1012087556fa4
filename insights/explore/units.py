"""Units from fields' names: how a value of a calculation is written, and what an axis says."""

from functools import lru_cache
from typing import Any

from insights.explore.question import split
from web import words

NANOSECONDS = ("_ns", ".ns", "_nanos", "_nanoseconds", "_nsec")
MICROSECONDS = ("_us", ".us", "_micros", "_microseconds", "_usec")
MILLISECONDS = ("_ms", ".ms", "_millis", "_milliseconds", "_msec")
SECONDS = ("_s", "_sec", "_secs", "_seconds", ".seconds", "_duration", ".duration")
MINUTES = ("_minutes",)
HOURS = ("_hours",)
BYTES = ("bytes", "body.size")
PERCENT = ("_percent", "_pct", "_percentage")
SHARES = ("_share", "_ratio", "_fraction")
ENDS = {
    **{"ns": NANOSECONDS, "us": MICROSECONDS, "ms": MILLISECONDS, "s": SECONDS, "min": MINUTES},
    **{"h": HOURS, "bytes": BYTES, "%": PERCENT, "share": SHARES},
}
IN_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1}
IN_S = {"s": 1, "min": 60, "h": 3600}
UNITLESS = ("COUNT", "COUNT_DISTINCT", "CONCURRENCY")


@lru_cache(maxsize=1024)  # asked for each of thousands of values
def unit(calculation: str) -> str:
    """ns, us, ms, s, min, h, bytes, %, share or nothing."""
    op, column = split(calculation)
    if op in UNITLESS or not column:
        return ""
    name = column.lower()
    for found, ends in ENDS.items():
        if name.endswith(ends):
            return found
    return "share" if column == "error" and op == "AVG" else ""


def text(value: Any, calculation: str = "") -> str:
    """A value in words: of a calculation, or a breakdown's."""
    if value is None:
        return words.MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return words.plural(sum(one[2] for one in value), "event")
    kind = unit(calculation)
    if kind in IN_MS:
        return words.milliseconds(float(value) * IN_MS[kind])
    if kind in IN_S:
        seconds = float(value) * IN_S[kind]
        return words.milliseconds(seconds * 1000) if abs(seconds) < 60 else words.duration(seconds)
    if kind == "bytes":
        return words.data(float(value))
    if kind == "%":
        return f"{words.number(value)}%"
    if kind == "share":
        return words.percent(float(value))
    return words.number(value)


def axis(calculation: str) -> dict[str, Any]:
    """How a value axis writes its ticks."""
    forms: dict[str, dict[str, Any]] = {
        **{
            one: {"tickformat": ",~r", "ticksuffix": f" {one.replace('us', 'µs')}"}
            for one in (*IN_MS, *IN_S)
        },
        "%": {"tickformat": ",~r", "ticksuffix": "%"},
        "bytes": {"tickformat": "~s", "ticksuffix": "B"},
        "share": {"tickformat": "~%"},
    }
    return forms.get(unit(calculation), {"tickformat": ",~r"})


def named(calculation: str) -> str:
    """A calculation for people: "p95 of duration_ms", "count"."""
    op, column = split(calculation)
    names = {
        "COUNT": "count",
        "CONCURRENCY": "under way at once",
        "COUNT_DISTINCT": "distinct",
        "AVG": "mean",
        "SUM": "sum",
        "MIN": "least",
        "MAX": "most",
        "HEATMAP": "distribution",
        "RATE_AVG": "change of the mean",
        "RATE_SUM": "change of the sum",
        "RATE_MAX": "change of the most",
    }
    name = names.get(op, op.lower())
    return f"{name} of {column}" if column else name
