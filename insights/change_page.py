"""The Change page: what one change did, in words first, then what proves it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from insights import annotations, charts
from insights.beside import AROUND, Beside, beside
from insights.cohorts import Scope
from insights.models import Watch
from insights.series import lines
from insights.shown import Shown, shown
from projects.models import Environment
from releases.models import Change
from web.charts import Chart


@dataclass(frozen=True, slots=True)
class ChangePage:
    change: Change
    shown: Shown
    over_time: list[Chart]
    beside: list[Beside]
    requests_url: str


def change_page(
    environment: Environment,
    change: Change,
    now: datetime,
    *,
    base: str,
    candidate: str = "",
    marks: str = "",
) -> ChangePage:
    """Joins a change with its watches' latest looks and draws what they saw.

    `candidate`: the variant that it is about; else the one that most is known of.
    `marks`: which changes stand on the pictures, one of annotations.MARKS.
    """
    of = shown(
        Watch.objects.filter(change=change).order_by("id"),
        candidate,
        environment,
        base=base,
        marks=marks,
        labels=("before", "after"),
    )
    scope = Scope.from_json(of.findings[0]["scope"]) if of.findings else Scope(change.service)
    return ChangePage(
        change=change,
        shown=of,
        over_time=_over_time(environment, change, of.watch, scope, now, base=base, marks=marks),
        beside=beside(environment, change, of.reasons.get("same_time", [])),
        requests_url=_requests_url(change, of.findings, base),
    )


def _over_time(
    environment: Environment,
    change: Change,
    watch: Watch | None,
    scope: Scope,
    now: datetime,
    *,
    base: str,
    marks: str,
) -> list[Chart]:
    """Before and after in the finding's scope: both cohorts where there are two."""
    since, until = change.time - AROUND, min(now, change.time + AROUND)
    by, flag = "", ""
    if change.kind == Change.Kind.FLAG and watch and watch.candidate:
        by, flag = "variant", change.flag
    elif change.kind == Change.Kind.DEPLOY:
        by = "build_id"
    found = lines(environment.id, since, until, scope=scope, by=by, flag=flag)
    if not found:
        return []
    marked = annotations.changes(environment.id, since, until, marks)
    where = scope.route or scope.service or "all requests"
    measures = (("p95", "p95 latency"), ("errors", "Error rate"), ("requests", "Requests"))
    return [
        charts.over_time(
            found,
            marked,
            id=f"over-time-{measure}",
            title=f"{name} of {where}, before and after",
            measure=measure,
            since=since,
            until=until,
            zone=environment.zone,
            base=base,
            mark=change.time,
            baseline=watch.baseline if watch and by else "",
            verdict=watch.verdict if watch else "",
        )
        for measure, name in measures
    ]


def _requests_url(change: Change, findings: list[dict[str, Any]], base: str) -> str:
    if findings:
        return str(findings[0]["query"])
    since = change.time.isoformat().replace("+", "%2B")
    parts = [f"since={since}"]
    if change.service:
        parts.append(f"service={change.service}")
    if change.build_id:
        parts.append(f"build={change.build_id}")
    return f"{base}/requests?{'&'.join(parts)}"
