"""What a page shows of one change's or one flag's comparisons, and of the one it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from insights import annotations, charts
from insights.changes import distinct, most_telling
from insights.models import Watch
from insights.verdicts import FIRST_CODE_OF_ERRORS
from projects.models import Environment
from web.charts import Chart

SECOND = timedelta(seconds=1)
ROWS_SHOWN = 9


@dataclass(frozen=True, slots=True)
class Shown:
    """Deltas and findings are the JSON of `insights.results`."""

    compared: list[Watch]  # each variant with the baseline
    watch: Watch | None  # the one that the page is about
    findings: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    more_rows: list[dict[str, Any]]
    labels: tuple[str, str]
    builds: dict[str, Any] | None
    pictures: list[Chart]
    certainty: Chart | None
    reasons: dict[str, Any]  # what is known of the leading finding beyond its numbers


def shown(
    watches: Iterable[Watch],
    candidate: str,
    environment: Environment,
    *,
    base: str,
    marks: str,
    labels: tuple[str, str],
) -> Shown:
    """`candidate`: the variant that it is about; else the one that most is known of.

    `marks`: which changes stand on the pictures, one of annotations.MARKS; `labels`: what the
    cohorts are called before the first look.
    """
    compared = distinct(watches)
    watch = chosen(compared, candidate)
    result = watch.result if watch else {}
    findings = result.get("findings", [])
    rows = ordered(result.get("deltas", []), findings)
    labels = (
        result.get("baseline", {}).get("label", labels[0]),
        result.get("candidate", {}).get("label", labels[1]),
    )
    return Shown(
        compared=compared,
        watch=watch,
        findings=_said_once(findings),
        rows=rows[:ROWS_SHOWN],
        more_rows=rows[ROWS_SHOWN:],
        labels=labels,
        builds=result.get("builds"),
        pictures=_pictures(result, labels, findings),
        certainty=_certainty(watch, environment, base=base, marks=marks),
        reasons=next((one["reasons"] for one in findings if one.get("reasons")), {}),
    )


def chosen(compared: list[Watch], candidate: str) -> Watch | None:
    """The comparison of this variant, else the most telling one."""
    named = (watch for watch in compared if candidate and watch.candidate == candidate)
    return next(named, None) or most_telling(compared)


def _certainty(
    watch: Watch | None, environment: Environment, *, base: str, marks: str
) -> Chart | None:
    """How the interval of what is told narrowed, look by look; `marks` is one of MARKS."""
    if watch is None or len(watch.history) < 2:
        return None
    first, last = (datetime.fromisoformat(watch.history[place]["at"]) for place in (0, -1))
    told = annotations.changes(environment.id, first, last + SECOND, marks)
    return charts.certainty(watch.history, told, id="certainty", zone=environment.zone, base=base)


def _said_once(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first finding of each scope and verdict: its sentence carries what the others say."""
    first: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in findings:
        first.setdefault((one["verdict"], *sorted(one["scope"].values())), one)
    return list(first.values())


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


def _pictures(
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
