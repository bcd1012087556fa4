"""Ways into Explore: the requests behind a number, the two cohorts of a watch side by side."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from django.utils.dateparse import parse_datetime

from insights.explore.question import MOST_TEXT, Question, Where
from insights.models import Watch


def beside(watch: Watch, scope: dict[str, Any]) -> str:
    """The query of /cohorts for a watch's sides within a scope, in the time that they share; "" for
    before and after."""
    if watch.subject == Watch.Subject.FLAG:
        field = f"flags.{watch.flag}"
    elif watch.subject == Watch.Subject.BUILD:
        field = "build_id"
    else:
        return ""
    service = scope.get("service") or watch.service
    where = [Where(name, "=", value) for name, value in (("service", service),) if value]
    if route := scope.get("route"):
        where.append(Where("route", "=", route))
    zone = watch.environment.zone
    until = _local(watch.result.get("until", ""), zone)
    sides = [
        (f"{side}.{part}", value)
        for side, name in (("a", watch.candidate), ("b", watch.baseline))
        for part, value in (("field", field), ("is", "="), ("value", name))
    ]
    since = _local(watch.result.get("since") or watch.started_at.isoformat(), zone)
    asked = Question(where=tuple(where), since=since, until=until)
    return f"{asked.address()}&{urlencode(sides)}"


REQUESTS = {
    "service": "service",
    "route": "route",
    "build": "build_id",
    "status": "status_code",
    "user": "user_id",
}


def requests_address(get: Mapping[str, str], zone: tzinfo, now: datetime) -> str:
    """The raw events of `/requests?flag=…&variant=…&status=…&since=…`: a question's address.

    What can't be understood stays as it is, and Explore says what is wrong with it.
    """
    where = [
        Where(field, "=", get[name][:MOST_TEXT])
        for name, field in REQUESTS.items()
        if get.get(name)
    ]
    if get.get("error") == "1":
        where.append(Where("error", "=", "true"))
    if flag := get.get("flag", "")[:MOST_TEXT]:
        variant = get.get("variant", "")[:MOST_TEXT]
        where.append(Where(f"flags.{flag}", "=" if variant else "exists", variant))
    since, until = (_local(get.get(name, ""), zone) for name in ("since", "until"))
    asked = Question(where=tuple(where), view="events", window="1h")
    if since or until:
        if not since and (ended := parse_datetime(until)):
            since = (ended - timedelta(hours=1)).isoformat()
        asked = replace(asked, since=since or until, until=until)
    return asked.address()


def _local(text: str, zone: tzinfo) -> str:
    """A time with its offset as the environment's own; else as it is."""
    try:
        found = parse_datetime(text.replace(" ", "+")) if text else None
    except ValueError:
        found = None
    if found is None:
        return text[:MOST_TEXT]
    return found.astimezone(zone).replace(tzinfo=None).isoformat() if found.tzinfo else text
