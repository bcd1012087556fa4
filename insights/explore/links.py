"""Ways from findings into Explore: the two cohorts of a watch side by side."""

from typing import Any
from urllib.parse import urlencode

from insights.explore.question import Question, Where
from insights.models import Watch


def beside(watch: Watch, scope: dict[str, Any]) -> str:
    """The query of /cohorts for a watch's sides within a scope; "" for before and after."""
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
    since = watch.started_at.astimezone(watch.environment.zone).replace(tzinfo=None)
    sides = [
        (f"{side}.{part}", value)
        for side, name in (("a", watch.candidate), ("b", watch.baseline))
        for part, value in (("field", field), ("is", "="), ("value", name))
    ]
    asked = Question(where=tuple(where), since=since.isoformat(timespec="seconds"))
    return f"{asked.address()}&{urlencode(sides)}"
