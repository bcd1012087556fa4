"""The page of two cohorts side by side; its address holds the question and both sides' filters."""

import secrets
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from events.query.spec import FILTER_OPERATORS
from insights import annotations
from insights.explore.asking import UNANSWERED, asker, unanswered
from insights.explore.build import form_of, where_lines
from insights.explore.cohort_pictures import own_times, pictures, text
from insights.explore.cohorts import Cohorts, Measures, cohorts
from insights.explore.difference_page import finding
from insights.explore.place import Place, place
from insights.explore.question import Question, Where, read
from web import words
from web.pages import page
from web.request import wants_fragment

TABLE = (
    ("n", "Requests"),
    ("users", "Users"),
    ("errors", "Error rate"),
    ("mean", "Latency, mean"),
    ("p50", "Latency p50"),
    ("p95", "Latency p95"),
    ("p99", "Latency p99"),
)
MOST_ALIKE = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of both; `change` is the first against the second."""

    name: str
    first: str
    second: str
    change: str
    key: str = ""
    events: tuple[str, str] = ("", "")


@require_GET
def show_cohorts(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    here = place(request, project, environment)
    first, second = read(request.GET, "a.").where, read(request.GET, "b.").where
    by = [name.strip()[:500] for name in request.GET.getlist("alike") if name.strip()][:5]
    context = here.context(
        form=form_of(here.question, here.now, here.access.environment.zone),
        a_lines=where_lines(first),
        b_lines=where_lines(second),
        alike=by,
        operators=FILTER_OPERATORS,
        asked=bool(first or second),
    )
    if (first or second) and (wants_fragment(request) or request.GET.get("inline") == "1"):
        context |= _found(here, first, second, by, request.GET.get("token", ""))
    elif first or second:
        context["token"] = secrets.token_hex(8)
        context["asks"] = f"{request.get_full_path()}&token={context['token']}"
        context["whole"] = f"{request.get_full_path()}&inline=1"
    return page(
        request,
        "insights/explore/cohorts.html",
        context,
        # Without two groups there is nothing to be a part of the page.
        fragment="insights/explore/_cohorts.html" if first or second else None,
    )


def _found(
    here: Place, first: tuple[Where, ...], second: tuple[Where, ...], by: list[str], token: str
) -> dict[str, Any]:
    environment = here.access.environment
    ask = asker(environment.id, token)
    try:
        found = cohorts(
            environment, here.question, first, second, here.kinds, by=by, now=here.now, ask=ask
        )
    except UNANSWERED as error:
        return unanswered(error)
    zone = environment.zone
    marks = annotations.changes(
        environment.id, found.meant.since, found.meant.until, here.question.marks
    )
    groups = annotations.grouped(marks, found.meant.since, found.meant.until)
    return {
        "cohorts": found,
        "sentence": sentence(found),
        "table": [_line(name, label, found.measures) for name, label in TABLE],
        "statuses": _statuses(found),
        "alike_rows": [_alike(one, found, here.question, first, second) for one in found.matched][
            :MOST_ALIKE
        ],
        "slower": slower(found),
        "slower_picture": own_times(found) if found.spans else None,
        "pictures": pictures(found, groups, zone=zone, base=here.base),
        "findings": [
            finding(at, one, here.question, found.different)
            for at, one in enumerate(found.different.findings[:8])
        ],
        "flag": _flag(first, second),
        "events_of": [
            here.question.beside(*side, view="events", by=(), show=()).address()
            for side in (first, second)
        ],
    }


def sentence(found: Cohorts) -> str:
    """Both in one sentence, alike requests first, as a mix of routes is no latency."""
    first, second = found.measures
    if not first.n or not second.n:
        missing = found.names[0] if not first.n else found.names[1]
        return f"No request of this time has {missing}."
    pair = found.adjusted or found.measures
    what = "Alike requests" if found.adjusted else "Requests"
    speed = words.ratio_words((pair[0].mean or 0) / (pair[1].mean or 1), "slower", "faster")
    errors = (
        f"{words.percent(pair[0].errors)} of them fail, against {words.percent(pair[1].errors)}"
    )
    speed = "as fast" if speed == "the same" else f"{speed} on average"
    return f"{what} with {found.names[0]} are {speed} than with {found.names[1]}; {errors}."


def slower(found: Cohorts) -> str:
    """The kind of span that tells most of the difference, in words."""
    if not found.spans:
        return ""
    one, (first, second) = found.spans[0], found.names
    if not one.more_ms:
        return "No kind of span takes longer on either side."
    size = f"{words.milliseconds(abs(one.more_ms))} {'more' if one.more_ms > 0 else 'less'}"
    both = " against ".join(map(words.milliseconds, one.own_ms))
    return (
        f"A trace with {first} spends {size} in {one.what} of {one.service} itself"
        f" than one with {second}: {both}."
    )


def _change(name: str, first: float | None, second: float | None) -> str:
    if first is None or second is None:
        return words.MISSING
    if name == "errors":
        return words.points(first - second, signed=True)
    return words.ratio_cell(first / second) if second else words.MISSING


def _line(name: str, label: str, pair: tuple[Measures, Measures]) -> Line:
    first, second = (getattr(one, name) if one.n else None for one in pair)
    return Line(label, text(name, first), text(name, second), _change(name, first, second))


def _statuses(found: Cohorts) -> list[Line]:
    first, second = (max(one.n, 1e-9) for one in found.measures)
    lines = []
    for code, (a, b) in found.statuses.items():
        one, other = a / first, b / second
        lines.append(
            Line(
                str(code or "none"),
                words.percent(one),
                words.percent(other),
                words.points(one - other, signed=True),
            )
        )
    return lines


def _alike(
    one: Any,
    found: Cohorts,
    question: Question,
    first: tuple[Where, ...],
    second: tuple[Where, ...],
) -> Line:
    same = [
        Where(name, "=", value) if value else Where(name, "does-not-exist")
        for name, value in zip(found.by, one.key, strict=True)
    ]
    links = tuple(
        question.beside(*same, *side, view="traces", order="slowest", by=(), show=()).address()
        for side in (first, second)
    )
    return Line(
        name=" ".join(part for part in one.key if part) or "other requests",
        first=f"{words.milliseconds(one.first.p50)}, {words.percent(one.first.errors)} fail",
        second=f"{words.milliseconds(one.second.p50)}, {words.percent(one.second.errors)} fail",
        change=_change("p50", one.first.p50, one.second.p50),
        key=f"{words.number(one.first.n)} and {words.number(one.second.n)}",
        events=(links[0], links[1]),
    )


def _flag(first: tuple[Where, ...], second: tuple[Where, ...]) -> str:
    """The flag that two cohorts are variants of, which has a verdict of its own."""
    names = {one.field for one in (*first, *second)}
    (name, *others) = names or {""}
    return name.removeprefix("flags.") if not others and name.startswith("flags.") else ""
