"""The page of flags to tidy up."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from insights.hygiene import untidy
from projects.access import environment_for
from web.pages import page


@require_GET
def show_hygiene(request: HttpRequest, project: str, environment: str) -> HttpResponse:
    access = environment_for(request, project, environment)
    rows = untidy(access.environment, timezone.now())
    context = {
        "access": access,
        "section": "flags",
        "base": f"/{project}/{environment}",
        "rows": rows,
        "any_seen": any(row.last_seen for row in rows),
    }
    return page(request, "insights/hygiene.html", context)
