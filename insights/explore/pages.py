"""Pages of Explore: the form whose address is the question, and its answer.

The page comes at once and asks for its answer by itself, so that a long one shows how far it is
and can be stopped. Without script the page sends the browser on to itself with `inline=1`.
"""

import secrets
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from events.query.answer import answer
from events.query.spec import QueryError
from events.store import progress
from events.store.read import QueryTooLarge
from insights.explore import keeping
from insights.explore.answers import Answered, Later, answer_of, drawn, first_of
from insights.explore.asking import UNANSWERED, asker, unanswered
from insights.explore.build import form_of
from insights.explore.meant import window
from insights.explore.partial import ONE_IN, part_of
from insights.explore.place import Place, place
from insights.explore.question import ALSO, Question, read, written
from insights.explore.said import in_words
from projects.access import Access, environment_for
from web.pages import page, page_in_two
from web.request import wants_fragment, whole

VALUES = 30
MOST_SAVED = 100
KEPT_S = 300
QUICK_MS = 200  # rows that came sooner wait for their pictures: one request less


@require_GET
def show_explore(request: HttpRequest, project: str, environment: str) -> HttpResponseBase:
    here = place(request, project, environment)
    context = here.context(form=form_of(here.question, here.now, here.access.environment.zone))
    where, user = here.access.environment, here.access.user
    context["saved"] = keeping.saved(where, user)[:MOST_SAVED]
    context["boards"] = keeping.boards(where, user)[:MOST_SAVED]
    context["comments"] = keeping.comments(where, here.question.address())
    context["said"] = in_words(here.question)
    context["fresh"] = wants_fragment(request)
    keeping.remember(where, user, here.question.address(), here.now)
    inline = request.GET.get("inline") == "1"
    if inline:
        context |= _answered(here)
        context["known"] = here.offered()
    else:
        context["token"] = secrets.token_hex(8)
    address = here.question.address()
    context["address"] = address
    if not inline:
        asked = "&".join(part for part in (address, f"token={context['token']}") if part)
        context["asks"] = f"{here.base}/explore/answer?{asked}"
        if here.question.view == "result":
            context["part_asks"] = f"{here.base}/explore/part?{asked}"
    shown = page_in_two(
        request, "insights/explore/explore.html", context, fragment="insights/explore/_explore.html"
    )
    if getattr(request, "htmx", False):
        shown["HX-Push-Url"] = f"{request.path}?{address}" if address else request.path
    return shown


@require_GET
def show_answer(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """The answer alone, which its page asks for: the rows, which ask for their pictures."""
    here = place(request, project, environment)
    token = request.GET.get("token", "")
    context = here.context(
        address=here.question.address(),
        said=in_words(here.question),
        fresh=wants_fragment(request),
    )
    if not _good(token):
        context |= _answered(here)
    else:
        context |= _begun(here, token)
    return page(
        request,
        "insights/explore/answer.html",
        context,
        fragment="insights/explore/_answer.html",
    )


@require_GET
def show_part(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """The newest part of an answer that is under way; nothing where there is none."""
    here = place(request, project, environment)
    token, number = request.GET.get("token", ""), whole(request.GET.get("part", "0"))
    if number is None or number >= len(ONE_IN) or not _good(token):
        return HttpResponse(status=204)
    where = here.access.environment
    ask = asker(where.id, token)
    try:
        part = part_of(where, here.question, here.kinds, number, now=here.now, ask=ask)
    except UNANSWERED:
        return HttpResponse(status=204)  # the answer itself will say so
    context = here.context(part=part)
    if number + 1 < len(ONE_IN):
        asked = here.question.address(extra={"token": token, "part": str(number + 1)})
        context["part_asks"] = f"{here.base}/explore/part?{asked}"
    return render(request, "insights/explore/_part.html", context)


@require_GET
def show_pictures(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """The pictures of an answer whose rows are there already."""
    here = place(request, project, environment)
    token = request.GET.get("token", "")
    later = cache.get(_kept(here, token)) if _good(token) else None
    context = here.context(address=here.question.address(), drawn=True)
    where = here.access.environment
    ask = asker(where.id, token)
    try:
        if later is None:  # it was kept for some minutes only
            _, later = first_of(where, here.question, here.kinds, now=here.now, ask=ask)
        if later is not None:
            context["answer"] = drawn(
                where, here.question, here.kinds, later, ask=ask, base=here.base
            )
    except UNANSWERED as error:
        context |= unanswered(error)
    return page(
        request,
        "insights/explore/answer.html",
        context,
        fragment="insights/explore/_pictures.html",
    )


def _kept(here: Place, token: str) -> str:
    return f"begun:{here.access.environment.id}:{token}"


def _begun(here: Place, token: str) -> dict[str, Any]:
    """`answer` with its pictures, or with `pictures_ask`, where they can be asked for."""
    where = here.access.environment
    ask = asker(where.id, token)
    try:
        first, later = first_of(where, here.question, here.kinds, now=here.now, ask=ask)
        if later is None or _at_once(first, later):
            if later is not None:
                first = drawn(
                    where, here.question, here.kinds, later, first, ask=ask, base=here.base
                )
            return {"answer": first}
    except UNANSWERED as error:
        return unanswered(error)
    cache.set(_kept(here, token), later, KEPT_S)
    asked = "&".join(part for part in (here.question.address(), f"token={token}") if part)
    return {
        "answer": first,
        "token": token,
        "pictures_ask": f"{here.base}/explore/pictures?{asked}",
    }


def _at_once(first: Answered, later: Later) -> bool:
    """Whether the pictures come with the rows."""
    nothing_to_ask = not later.missing.steps or not first.rows or later.stepwise
    return nothing_to_ask or later.given["took_ms"] < QUICK_MS


def _answered(here: Place) -> dict[str, Any]:
    """`answer`, or `problem` in words with the `field` that is wrong."""
    environment = here.access.environment
    ask = asker(environment.id, "")
    try:
        return {
            "answer": answer_of(
                environment, here.question, here.kinds, now=here.now, ask=ask, base=here.base
            )
        }
    except UNANSWERED as error:
        return unanswered(error)


@require_GET
def show_fields(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """Every field that may be asked about, as options: the page need not wait for them."""
    here = place(request, project, environment)
    return render(request, "insights/explore/_fields.html", {"known": here.offered()})


@require_GET
def show_progress(request: HttpRequest, project: str, environment: str, token: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    found = progress.progress(access.environment.id, token) if _good(token) else None
    return render(request, "insights/explore/_progress.html", {"progress": found})


@require_POST
def stop_answer(request: HttpRequest, project: str, environment: str, token: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    if _good(token):
        progress.stop(access.environment.id, token)
    return HttpResponse(status=204)


def _good(token: str) -> bool:
    return progress.TOKEN.match(token) is not None


@require_GET
def show_values(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    """The commonest values of a field, as options of a form's field."""
    access = environment_for(request, project, environment)
    prefix = request.GET.get("prefix", "")
    prefix = prefix if prefix in (ALSO, "a.", "b.") else ""  # of forms with filters of two sorts
    names = request.GET.getlist(f"{prefix}field")
    texts = request.GET.getlist(f"{prefix}value")
    number = whole(request.GET.get("at", "0")) or 0
    number = number if number < len(names) else 0
    name = names[number].strip() if names else ""
    text = texts[number].strip() if number < len(texts) else ""
    values: list[str] = []
    question = read(request.GET)
    if name:
        spec: dict[str, Any] = {
            "breakdowns": [name],
            "filters": [{"column": name, "op": "exists"}],
            "limit": VALUES,
            "time_range": 86_400,
            "end_time": _end(access, question),
            "disable_series": True,
            "calculated_fields": [
                {"name": own, "expression": expression}
                for own, expression in question.derived
                if own == name
            ],
        }
        if text:
            holding = {"column": name, "op": "contains", "value": text}
            values = _commonest(access, {**spec, "filters": [holding]}, name)
        values = values or _commonest(access, spec, name)
    return render(request, "insights/explore/_values.html", {"values": values})


def _end(access: Access, question: Question) -> float:
    """To when a question asks: what is offered there is what was there."""
    now = timezone.now()
    try:
        return window(question, now=now, zone=access.environment.zone)[1].timestamp()
    except QueryError:
        return now.timestamp()


def _commonest(access: Access, spec: dict[str, Any], name: str) -> list[str]:
    try:
        rows = answer(access.environment.id, spec)["results"]
    except (QueryError, QueryTooLarge):
        return []
    return [written(row["data"][name]) for row in rows]
