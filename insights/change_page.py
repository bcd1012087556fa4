"""The Change page: what one change did, in words first, then what proves it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from insights import annotations, charts
from insights.beside import AROUND, Beside, beside
from insights.changes import distinct, most_telling
from insights.cohorts import Scope
from insights.models import Watch
from insights.series import lines
from insights.verdicts import FIRST_CODE_OF_ERRORS
from projects.models import Environment
from releases.models import Change
from web.charts import Chart

SECOND = timedelta(seconds=1)
ROWS_SHOWN = 9


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Everything the page shows; deltas and findings are the JSON of `insights.results`."""

    change: Change
    compared: list[Watch]  # each variant with the baseline
    watch: Watch | None  # the one that the page is about
    findings: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    more_rows: list[dict[str, Any]]
    labels: tuple[str, str]
    builds: dict[str, Any] | None
    pictures: list[Chart]
    over_time: list[Chart]
    certainty: Chart | None
    where: dict[str, Any] | None
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
    compared = distinct(Watch.objects.filter(change=change).order_by("id"))
    watch = chosen(compared, candidate)
    result = watch.result if watch else {}
    findings = result.get("findings", [])
    labels = _labels(result)
    rows = ordered(result.get("deltas", []), findings)
    scope = Scope.from_json(findings[0]["scope"]) if findings else Scope(change.service)
    return ChangePage(
        change=change,
        compared=compared,
        watch=watch,
        findings=said_once(findings),
        rows=rows[:ROWS_SHOWN],
        more_rows=rows[ROWS_SHOWN:],
        labels=labels,
        builds=result.get("builds"),
        pictures=pictures(result, labels, findings),
        over_time=_over_time(environment, change, watch, scope, now, base=base, marks=marks),
        certainty=certainty(watch, environment, base=base, marks=marks),
        where=reasons_of(findings).get("where"),
        beside=beside(environment, change, reasons_of(findings).get("same_time", [])),
        requests_url=_requests_url(change, findings, base),
    )


def chosen(compared: list[Watch], candidate: str) -> Watch | None:
    """The comparison of this variant, else the most telling one."""
    named = (watch for watch in compared if candidate and watch.candidate == candidate)
    return next(named, None) or most_telling(compared)


def certainty(
    watch: Watch | None, environment: Environment, *, base: str, marks: str
) -> Chart | None:
    """How the interval of what is told narrowed, look by look; `marks` is one of MARKS."""
    if watch is None or len(watch.history) < 2:
        return None
    first, last = (datetime.fromisoformat(watch.history[place]["at"]) for place in (0, -1))
    told = annotations.changes(environment.id, first, last + SECOND, marks)
    return charts.certainty(watch.history, told, id="certainty", zone=environment.zone, base=base)


def said_once(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first finding of each scope and verdict: its sentence carries what the others say."""
    first: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in findings:
        first.setdefault((one["verdict"], *sorted(one["scope"].values())), one)
    return list(first.values())


def _labels(result: dict[str, Any]) -> tuple[str, str]:
    return (
        result.get("baseline", {}).get("label", "before"),
        result.get("candidate", {}).get("label", "after"),
    )


def ordered(deltas: list[dict[str, Any]], findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the table: found scopes first, then the whole, then by traffic; worse first inside.

    Shares of successful status codes and traffic are in the table last of their scope.
    """
    found = [one["scope"] for one in findings]

    def place(delta: dict[str, Any]) -> tuple[Any, ...]:
        scope = delta["scope"]
        rank = found.index(scope) if scope in found else len(found)
        late = delta["measure"] == "traffic" or (
            delta["measure"].startswith("status_code:") and int(delta["measure"][12:]) < 400
        )
        verdict = ("worse", "better", "no_difference", "unknown").index(delta["verdict"])
        return rank, bool(scope) and rank == len(found), -sum(delta["events"]), late, verdict

    return sorted(deltas, key=place)


def pictures(
    result: dict[str, Any], labels: tuple[str, str], findings: list[dict[str, Any]]
) -> list[Chart]:
    """Distribution of latency and status codes, for the first scope that has a finding."""
    curves = result.get("curves", [])
    if not curves:
        return []
    wanted = findings[0]["scope"] if findings else {}
    curve = next((one for one in curves if one["scope"] == wanted), curves[0])
    verdict = findings[0]["verdict"] if findings else result.get("verdict", "unknown")
    return [
        charts.distribution(curve, labels, id="distribution", verdict=verdict),
        charts.statuses(curve, labels, id="statuses", verdicts=_by_code(result, curve["scope"])),
    ]


def _by_code(result: dict[str, Any], scope: dict[str, str]) -> dict[str, str]:
    """The verdict on each share of failures in a scope; successes mirror them."""
    by_code = {
        one["measure"].partition(":")[2]: one["verdict"]
        for one in result.get("deltas", [])
        if one["scope"] == scope and one["measure"].startswith("status_code:")
    }
    return {code: verdict for code, verdict in by_code.items() if int(code) >= FIRST_CODE_OF_ERRORS}


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
    shown = (("p95", "p95 latency"), ("errors", "Error rate"), ("requests", "Requests"))
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
        for measure, name in shown
    ]


def reasons_of(findings: list[dict[str, Any]]) -> dict[str, Any]:
    """What is known of the leading finding beyond its numbers."""
    return next((one["reasons"] for one in findings if one.get("reasons")), {})


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
