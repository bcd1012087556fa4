"""The page of what is different inside a box: findings with the ways on from each."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from insights import axes
from insights.explore import units
from insights.explore.asking import UNANSWERED, asker, unanswered
from insights.explore.box import PARTS, Different, different
from insights.explore.different import Difference
from insights.explore.place import Place, place
from insights.explore.question import Question, Where
from web import words
from web.charts import Chart
from web.pages import page
from web.request import wants_fragment


@dataclass(frozen=True, slots=True)
class Row:
    """One finding with the addresses of what can be asked next."""

    one: Difference
    only: str
    without: str
    beside: str
    chart: Chart | None


@require_GET
def show_difference(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    here = place(request, project, environment)
    parts = {name: request.GET.get(name, "")[:100].strip() for name in PARTS}
    context = here.context(parts=parts, address=here.question.address())
    token = request.GET.get("token", "")
    if wants_fragment(request) or request.GET.get("inline") == "1":
        context |= _found(here, parts, token)
    else:  # the page comes at once, and asks for its findings by itself
        context["token"] = secrets.token_hex(8)
        context["asks"] = f"{request.get_full_path()}&token={context['token']}"
        context["whole"] = f"{request.get_full_path()}&inline=1"
    return page(
        request,
        "insights/explore/difference.html",
        context,
        fragment="insights/explore/_difference.html",
    )


def _found(here: Place, parts: dict[str, str], token: str) -> dict[str, Any]:
    environment = here.access.environment
    ask = asker(environment.id, token)
    try:
        found = different(environment, here.question, here.kinds, parts, now=here.now, ask=ask)
    except UNANSWERED as error:
        return unanswered(error)
    inside = here.question.narrowed(*found.box.filters)
    zone = environment.zone
    window = {
        "since": found.box.since.astimezone(zone).replace(tzinfo=None).isoformat(),
        "until": found.box.until.astimezone(zone).replace(tzinfo=None).isoformat(),
    }
    rows = [finding(place, one, here.question, found) for place, one in enumerate(found.findings)]
    return {
        "different": found,
        "rows": rows,
        "first": sentence(found) if rows else "",
        "inside_address": inside.address(view="events", show=(), by=(), **window),
    }


def sentence(found: Different) -> str:
    """The strongest finding in words: 98% of what is inside has plan = pro, against 12%.

    Where that is neither flag nor build, the strongest of these is told as well.
    """
    one = max(found.findings, key=lambda one: one.score)
    text = (
        f"{words.percent(one.inside).capitalize()} of what is inside the box has {one.said},"
        f" against {words.percent(one.outside)} of the rest"
    )
    ours = [other for other in found.findings if other.kind != "field"]
    if one.kind == "field" and ours:
        best = max(ours, key=lambda other: other.score)
        text += (
            f"; {words.percent(best.inside)} has {best.said}, against {words.percent(best.outside)}"
        )
    return f"{text}."


def tests_of(one: Difference) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """A finding as filters: (these, all but these)."""
    name = f"flags.{one.field}" if one.kind == "flag" else one.field
    if one.test.kind == "absent":
        return (name, "does-not-exist", ""), (name, "exists", "")
    if one.test.kind in ("above", "below"):
        bound = f"{one.test.bound:.12g}"
        both = (name, ">=", bound), (name, "<", bound)
        return both if one.test.kind == "above" else both[::-1]
    return (name, "=", one.test.value), (name, "!=", one.test.value)


def finding(place: int, one: Difference, question: Question, found: Different) -> Row:
    """One finding with the ways on from it."""
    these, others = tests_of(one)
    asked = question.address(show=(), by=())
    sides = [("a.field", these[0]), ("a.is", these[1]), ("a.value", these[2])]
    sides += [("b.field", others[0]), ("b.is", others[1]), ("b.value", others[2])]
    spread = found.found.bins.get(one.field) if one.test.kind in ("above", "below") else None
    return Row(
        one=one,
        only=question.narrowed(Where(*these)).address(),
        without=question.narrowed(Where(*others)).address(),
        beside="&".join(part for part in (asked, urlencode(sides)) if part),
        chart=distribution(f"spread-of-{place}", one.field, spread) if spread else None,
    )


def distribution(
    id: str,
    field: str,
    spread: tuple[tuple[float, float, float, float], ...],
    names: tuple[str, str] = ("outside", "inside"),
) -> Chart:
    """A number's bins on both sides as bars beside each other."""
    form = f"MAX({field})"
    texts = [units.text(low, form) for low, *_ in spread]
    bars = [
        {
            "type": "bar",
            "name": axes.plain(name),
            "x": texts,
            "y": [one[2 + side] for one in spread],
            "marker": {"color": colour},
            "hovertemplate": f"{axes.plain(name)}: %{{x}}<br>%{{y:.1%}}<extra></extra>",
        }
        for side, (name, colour) in enumerate(zip(names, ("@baseline", "@link"), strict=True))
    ]
    return Chart(
        id=id,
        title=f"{field} of both sides",
        summary=f"Grey: {names[0]}; coloured: {names[1]}. Each bar is a share of its own side.",
        figure={
            "data": bars,
            "layout": {
                "barmode": "group",
                "bargap": 0.15,
                "xaxis": {"type": "category", "nticks": 5, "tickangle": 0},
                "yaxis": {"tickformat": ".0%", "rangemode": "tozero"},
                "margin": {"l": 60, "r": 12, "t": 10, "b": 34},
            },
        },
        columns=(field, names[0].capitalize(), names[1].capitalize()),
        rows=tuple(
            (text, words.percent(one[2]), words.percent(one[3]))
            for text, one in zip(texts, spread, strict=True)
        ),
        height="low",
    )
