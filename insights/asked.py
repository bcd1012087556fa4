"""Comparisons that somebody asks for: any window, any scope, answered at once.

Findings come only from the comparison's own start (a watch): an e-value is valid from one start,
not for the best of many windows that somebody picks.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from events.store.read import Statement, moment, run
from flags.models import Flag
from insights.cohorts import Builds, Comparison, Scope, Variants
from insights.comparison import NothingToCompare, totals
from insights.examine import Result, examined
from insights.exposed import baseline_of, plan_of, seen
from insights.models import Watch
from insights.results import delta_json, finding_json, health_json, mix_json, sample_ratio_json
from projects.models import Environment
from web.errors import ApiError

USUAL_WINDOW = timedelta(hours=24)
YEARS = range(1990, 2101)  # the store's hours begin in 1970, and histories reach back from a window


@dataclass(frozen=True, slots=True)
class Question:
    """A comparison as asked: a flag's variants or a service's builds; blanks are filled in."""

    flag: str = ""
    build: str = ""
    baseline: str = ""
    candidate: str = ""
    since: datetime | None = None
    until: datetime | None = None
    service: str = ""
    route: str = ""


def aware(time: datetime | None, field: str) -> datetime | None:
    """Refuses a time without an offset (whose midnight would it be?), or of no year to ask for."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise ApiError(
            422, "invalid", f"{field} needs an offset, for example {time.isoformat()}Z.", field
        )
    if time.year not in YEARS:
        first, last = YEARS[0], YEARS[-1]
        raise ApiError(422, "invalid", f"{field} must be from {first} to {last}.", field)
    return time.astimezone(UTC)


def compared(environment: Environment, question: Question, now: datetime) -> dict[str, Any]:
    """The contract's answer. Raises ApiError 422 with the reason where there is none."""
    if bool(question.flag) == bool(question.build):
        raise ApiError(422, "invalid", "Name either a flag or a build to compare.", "flag")
    watch = _watch(environment, question)
    until = question.until or now
    since = question.since or (watch.started_at if watch else until - USUAL_WINDOW)
    if since >= until:
        raise ApiError(422, "invalid", "since must be earlier than until.", "since")
    asked = replace(question, since=since, until=until)
    try:
        comparison, flag = _comparison(environment, asked)
        found = totals(comparison)
        result = examined(found, plan_of(found.comparison, flag))
    except NothingToCompare as reason:
        raise ApiError(422, "nothing_to_compare", str(reason)) from reason
    base = f"/{environment.project.slug}/{environment.slug}"
    return _answer(result, watch, base, anchored=_is_anchored(watch, since))


def _watch(environment: Environment, question: Question) -> Watch | None:
    if question.flag:
        found = Watch.objects.filter(
            environment=environment, subject=Watch.Subject.FLAG, flag=question.flag, ended_at=None
        )
    else:
        found = Watch.objects.filter(
            environment=environment, subject=Watch.Subject.BUILD, candidate=question.build
        )
        if question.service:
            found = found.filter(service=question.service)
    if question.candidate:
        found = found.filter(candidate__in=("", question.candidate, question.build))
    return found.first()


def _is_anchored(watch: Watch | None, since: datetime) -> bool:
    """Whether the window begins no later than the comparison's own start."""
    return watch is None or since <= watch.started_at


def _comparison(environment: Environment, asked: Question) -> tuple[Comparison, Flag | None]:
    assert asked.since is not None and asked.until is not None  # noqa: S101, PT018  # filled in
    scope = Scope(asked.service, asked.route)
    window = (asked.since, asked.until)
    if asked.flag:
        flag = Flag.objects.filter(environment=environment, key=asked.flag).first()
        baseline, candidate = _variants(environment, asked, flag)
        cohorts: Variants | Builds = Variants(asked.flag, baseline, candidate)
        return Comparison(environment.id, cohorts, *window, scope), flag
    service, baseline = _build_and_its_baseline(environment, asked)
    cohorts = Builds(service, baseline, asked.build)
    return Comparison(environment.id, cohorts, *window, Scope(service, asked.route)), None


def _variants(environment: Environment, asked: Question, flag: Flag | None) -> tuple[str, str]:
    if asked.baseline and asked.candidate:
        return asked.baseline, asked.candidate
    assert asked.since is not None and asked.until is not None  # noqa: S101, PT018  # filled in
    found = [one.variant for one in seen(environment.id, asked.since, asked.until, asked.flag)]
    if not found:
        raise NothingToCompare(f"No request has seen a variant of {asked.flag} in this window.")
    baseline = asked.baseline or baseline_of(
        [one for one in found if one != asked.candidate] or found, flag
    )
    others = [one for one in found if one != baseline]
    if not asked.candidate and not others:
        raise NothingToCompare(
            f"Every request sees {asked.flag}={baseline}: there is no second variant."
        )
    return baseline, asked.candidate or others[0]


def _build_and_its_baseline(environment: Environment, asked: Question) -> tuple[str, str]:
    """The build's service, and the build that ran beside it most in the window."""
    assert asked.since is not None and asked.until is not None  # noqa: S101, PT018  # filled in
    only = "AND service = {service:String}" if asked.service else ""
    rows = run(
        Statement(
            f"""SELECT service, build_id, count() AS events FROM events
            WHERE environment = {{environment:UInt32}} AND entry AND build_id != ''
              AND time >= {{since:DateTime64(6, 'UTC')}} AND time < {{until:DateTime64(6, 'UTC')}}
              {only}
            GROUP BY service, build_id ORDER BY events DESC""",  # noqa: S608  # constants only
            {
                "environment": environment.id,
                "since": moment(asked.since),
                "until": moment(asked.until),
                "service": asked.service,
            },
        )
    ).rows
    services = [row["service"] for row in rows if row["build_id"] == asked.build]
    if not services:
        raise NothingToCompare(f"Build {asked.build} served no request in this window.")
    others = [
        row["build_id"]
        for row in rows
        if row["service"] == services[0] and row["build_id"] != asked.build
    ]
    baseline = asked.baseline or (others[0] if others else "")
    if not baseline:
        raise NothingToCompare(
            f"No other build of {services[0]} served requests in this window:"
            " widen it to reach back before the deploy."
        )
    return services[0], baseline


def _answer(result: Result, watch: Watch | None, base: str, *, anchored: bool) -> dict[str, Any]:
    comparison = result.comparison
    scope = comparison.scope.as_json()
    baseline, candidate = comparison.labels
    own = [one for one in result.judged if one.delta.scope.whole or comparison.scope.route]
    findings = []
    if watch is None:  # nobody has looked before: this window is the first and only start
        findings = [finding_json(one, comparison, base) for one in result.findings]
    elif anchored:
        findings = [one for one in watch.result.get("findings", []) if _within(one, scope)]
    return {
        "baseline": {"label": baseline, "events": result.events[0], "units": result.units[0]},
        "candidate": {"label": candidate, "events": result.events[1], "units": result.units[1]},
        "since": comparison.since.isoformat(),
        "until": comparison.until.isoformat(),
        "evidence": result.evidence,
        "note": result.note,
        "traffic_mix": mix_json(result),
        "anchored": anchored,
        "sample_ratio": sample_ratio_json(result),
        "health": health_json(result),
        "deltas": [{**delta_json(one), "scope": scope} for one in own],
        "findings": findings,
        "events_read": result.read_rows,
        "took_ms": round(result.took_ms, 1),
    }


def _within(finding: dict[str, Any], scope: dict[str, str]) -> bool:
    """Whether a finding lies inside the scope that was asked for."""
    return all(finding["scope"].get(name) in (None, value) for name, value in scope.items())
