"""How many events one event stands for, from every place where clients say it.

OpenTelemetry: specification/trace/tracestate-probability-sampling.md. The threshold `th` is up to
14 hexadecimal digits, padded on the right: weight = 2**56 / (2**56 - threshold).
"""

import math
import re

from events.event import NAMES, Notes
from events.wire.values import Attributes

THRESHOLD = re.compile(r"(?:^|[,;])\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?=[;,\s]|$)")
POWER = re.compile(r"(?:^|[,;])\s*ot=(?:[^,]*;)?p:(\d{1,2})(?=[;,\s]|$)")
# One event that stands for more is a mistake or a bad joke, and would be all that a chart shows.
LARGEST = 1e6


def weight(attributes: Attributes, tracestate: str, notes: Notes) -> float:
    """The sample rate, at least 1; takes its attribute away. Unknown counts as 1."""
    for name in NAMES["sample_rate"]:
        value = attributes.number(name)
        if value is not None:
            return rate(value, notes)
    if tracestate:
        if found := THRESHOLD.search(tracestate):
            threshold = int(found[1].ljust(14, "0"), 16)
            return rate(2**56 / (2**56 - threshold), notes)
        if found := POWER.search(tracestate):
            return rate(2.0 ** int(found[1]), notes)
    return 1.0


def rate(value: float, notes: Notes) -> float:
    """Within bounds; below 1 and what is no number count as 1, as every vendor does."""
    if not math.isfinite(value) or value < 1:
        if value != 0:
            notes.add("value", "sample_rate_below_one", value)
        return 1.0
    if value > LARGEST:
        notes.add("value", "sample_rate_too_large", value)
        return LARGEST
    return value
