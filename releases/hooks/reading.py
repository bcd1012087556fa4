"""Careful readers for other people's JSON: whatever is there, no wrong shape raises."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from releases.hooks.frame import Delivery, Unreadable

MILLISECONDS_FROM = 1e11  # seconds reach it in the year 5138
AHEAD = timedelta(hours=1)  # a sender's clock that is ahead by more is not believed


def fields(delivery: Delivery) -> dict[str, Any]:
    """The body as an object: JSON, or JSON in the form field `payload`. Raises Unreadable."""
    body = delivery.body
    if delivery.header("content-type").startswith("application/x-www-form-urlencoded"):
        form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=100)
        if "payload" not in form:
            return {name: values[-1] for name, values in form.items()}
        body = form["payload"][-1].encode()
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"The body is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise Unreadable("The body is not a JSON object.")
    return found


def inner(found: Any, *names: str) -> Any:
    """What stands at a path of names; None where the path ends early."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def text(found: Any, *names: str, longest: int = 200) -> str:
    """A text or number at a path, cut to what a column holds; "" for anything else."""
    value = inner(found, *names)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).replace("\x00", "").strip()[:longest]


def link(found: Any, *names: str) -> str:
    """A web address at a path, or ""."""
    url = text(found, *names, longest=2001)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if len(url) <= 2000 and parts.scheme in ("http", "https") and parts.netloc else ""


def moment(value: Any, now: datetime) -> datetime | None:
    """RFC 3339, `2021-04-28 21:50:00 +0200`, `… UTC`, or a Unix time in seconds to nanoseconds."""
    try:
        found = _moment(value)
    except (ValueError, OverflowError, OSError):
        return None
    if found is None:
        return None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return now if found > now + AHEAD else found


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str) and value.strip().lstrip("-").replace(".", "", 1).isdecimal():
        value = float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value == math.inf:  # a digit too many for a float, and no division makes it less
            return None
        while value >= MILLISECONDS_FROM:
            value /= 1000
        return datetime.fromtimestamp(value, UTC) if value > 0 else None
    if not isinstance(value, str) or not value.strip():
        return None
    words = value.strip()
    if words.endswith(" UTC"):
        words = words[:-4] + "+00:00"
    date, _, rest = words.partition(" ")
    return datetime.fromisoformat(f"{date}T{rest.replace(' ', '')}" if rest else words)
