"""Units from fields' names: how a value of a calculation is written, and what an axis says."""

from functools import lru_cache
from typing import Any

from insights.explore.question import split
from web import words

MILLISECONDS = ("_ms", ".ms", "_millis", "_milliseconds", "_msec")
SECONDS = ("_s", "_sec", "_secs", "_seconds", ".seconds", "_duration", ".duration")
BYTES = ("bytes", "body.size")
SHARES = ("_share", "_ratio", "_fraction")
UNITLESS = ("COUNT", "COUNT_DISTINCT", "CONCURRENCY")


@lru_cache(maxsize=1024)  # asked for each of thousands of values
def unit(calculation: str) -> str:
    """ms, s, bytes, share or nothing."""
    op, column = split(calculation)
    if op in UNITLESS or not column:
        return ""
    name = column.lower()
    for ends, found in ((MILLISECONDS, "ms"), (SECONDS, "s"), (BYTES, "bytes"), (SHARES, "share")):
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
    if kind == "ms":
        return words.milliseconds(float(value))
    if kind == "s":
        return words.milliseconds(float(value) * 1000) if abs(value) < 60 else words.duration(value)
    if kind == "bytes":
        return words.data(float(value))
    if kind == "share":
        return words.percent(float(value))
    return words.number(value)


def axis(calculation: str) -> dict[str, Any]:
    """How a value axis writes its ticks."""
    forms: dict[str, dict[str, Any]] = {
        "ms": {"tickformat": ",~r", "ticksuffix": " ms"},
        "s": {"tickformat": ",~r", "ticksuffix": " s"},
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
