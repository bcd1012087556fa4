"""The JSON API of findings: changes, one change, comparisons."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Path, Query, Router, Schema

from insights import asked, gates, report_pages
from insights.changes import change_json, distinct, told
from insights.models import Watch
from projects.access import api_environment
from releases.changes import timeline
from releases.models import Change
from web.errors import ApiError

router = Router(tags=["insights"])
PAGE = 100


class ChangesQuery(Schema):
    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    service: str | None = None
    before: int | None = None
    limit: int = PAGE


@router.get("/changes", summary="The timeline, newest first")
def list_changes(
    request: HttpRequest, project: Path[str], environment: Path[str], query: Query[ChangesQuery]
) -> dict[str, Any]:
    place = api_environment(request, project, environment)
    kinds = tuple(query.kind.split(",")) if query.kind else ()
    if wrong := set(kinds) - set(Change.Kind.values):
        raise ApiError(
            422,
            "invalid",
            f"kind: {', '.join(sorted(wrong))} is none of {', '.join(Change.Kind.values)}.",
            "kind",
        )
    limit = min(max(query.limit, 1), 1000)
    found = timeline(
        place.id,
        since=asked.aware(query.since, "since"),
        until=asked.aware(query.until, "until"),
        kinds=kinds,
        service=query.service,
        before_id=query.before,
        limit=limit + 1,
    )
    page = found[:limit]
    answer: dict[str, Any] = {"changes": [change_json(one) for one in told(page)]}
    if len(found) > limit:
        answer["next"] = f"?before={page[-1].id}"
    return answer


@router.get("/changes/{change_id}", summary="One change with its findings and deltas")
def one_change(
    request: HttpRequest, project: Path[str], environment: Path[str], change_id: int
) -> dict[str, Any]:
    place = api_environment(request, project, environment)
    change = Change.objects.filter(environment=place, id=change_id).first()
    if change is None:
        raise ApiError(404, "not_found", f"There is no change {change_id} in {environment}.")
    watches = distinct(Watch.objects.filter(change=change))
    findings = [one for watch in watches for one in watch.result.get("findings", [])]
    deltas = [one for watch in watches for one in watch.result.get("deltas", [])]
    builds = [found for watch in watches if (found := watch.result.get("builds"))]
    mixes = [found for watch in watches if (found := watch.result.get("mix"))]
    return {
        **change_json(told([change])[0]),
        "findings": findings,
        "deltas": deltas,
        "builds": builds,
        "traffic_mix": mixes,
        "comparisons": [_comparison(watch) for watch in watches if watch.looks],
    }


def _comparison(watch: Watch) -> dict[str, Any]:
    """What the page shows of one comparison beside its deltas and findings."""
    names = ("since", "until", "baseline", "candidate", "evidence", "note", "sample_ratio")
    result = {name: watch.result.get(name) for name in (*names, "health", "callers", "curves")}
    about = {"verdict": watch.verdict, "headline": watch.headline, "looks": watch.looks}
    return about | result | {"certainty": watch.history}


@router.get("/changes/{change_id}/report", summary="One change as Markdown or CSV")
def report(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    change_id: int,
    format: str = "markdown",
) -> HttpResponse:
    place = api_environment(request, project, environment)
    change = Change.objects.filter(environment=place, id=change_id).first()
    if change is None:
        raise ApiError(404, "not_found", f"There is no change {change_id} in {environment}.")
    if format not in report_pages.FORMATS:
        raise ApiError(
            422, "invalid", f"format is one of {', '.join(report_pages.FORMATS)}.", "format"
        )
    return report_pages.report(change, format)


class GateQuery(Schema):
    flag: str = ""
    build: str = ""
    service: str = ""
    candidate: str = ""
    margin: float = gates.MARGIN
    decide_by: datetime | None = None


@router.get("/gate", summary="May a pipeline go on? pass, fail or unknown")
def ask_gate(
    request: HttpRequest, project: Path[str], environment: Path[str], query: Query[GateQuery]
) -> dict[str, Any]:
    place = api_environment(request, project, environment)
    if bool(query.flag) == bool(query.build):
        raise ApiError(422, "invalid", "Name either a flag or a build.", "flag")
    if not 0 < query.margin <= 1:
        raise ApiError(
            422, "invalid", "margin is the share of harm that is tolerated: 0.02 is 2%.", "margin"
        )
    given = query.dict() | {"decide_by": asked.aware(query.decide_by, "decide_by")}
    try:
        found = gates.gate(place, **given)
    except gates.NothingToGate as reason:
        raise ApiError(404, "not_found", str(reason)) from reason
    return found.as_json(f"{settings.PUBLIC_URL}/{project}/{environment}")


class ComparisonQuery(Schema):
    flag: str | None = None
    build: str | None = None
    baseline: str | None = None
    candidate: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    service: str | None = None
    route: str | None = None


@router.get("/comparisons", summary="Two variants of a flag, or two builds, side by side")
def compare(
    request: HttpRequest, project: Path[str], environment: Path[str], query: Query[ComparisonQuery]
) -> dict[str, Any]:
    place = api_environment(request, project, environment)
    return asked.compared(
        place,
        asked.Question(
            flag=query.flag or "",
            build=query.build or "",
            baseline=query.baseline or "",
            candidate=query.candidate or "",
            since=asked.aware(query.since, "since"),
            until=asked.aware(query.until, "until"),
            service=query.service or "",
            route=query.route or "",
        ),
        timezone.now(),
    )
