"""The page of trials: ask for one, see how far it is, read what it found."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from insights.trials import said
from insights.trials.models import Trial
from insights.trials.work import HOURS, begin
from projects.access import environment_for
from web.pages import page
from web.request import whole

SHOWN = 6


@require_http_methods(["GET", "POST"])
def show_trials(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    role = "editor" if request.method == "POST" else "viewer"
    access = environment_for(request, project, environment, role)
    place, problem = access.environment, ""
    if request.method == "POST":
        hours = whole(request.POST.get("hours", ""))
        if hours in HOURS:
            begin(place, hours, access.user.email, timezone.now())
            return HttpResponseRedirect(request.path)
        problem = "Choose how many hours: 1, 6 or 24."
    trials = list(Trial.objects.filter(environment=place)[: SHOWN + 1])
    newest = trials[0] if trials else None
    context = {
        "access": access,
        "section": "flags",
        "base": f"/{project}/{environment}",
        "trial": newest,
        "answer": said.answer(newest) if newest else "",
        "plain": said.plain(newest) if newest and newest.done else "",
        "power": said.power(newest) if newest and newest.done else "",
        "left": said.left(newest, timezone.now()) if newest else "",
        "earlier": [(one, said.answer(one)) for one in trials[1:]],
        "hours": HOURS,
        "problem": problem,
        "may_edit": access.can("editor"),
    }
    return page(
        request,
        "insights/trials.html",
        context,
        fragment="insights/_trials.html",
        status=422 if problem else 200,
    )
