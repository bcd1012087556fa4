"""A change's report as an answer: Markdown or CSV, over the same findings as its page."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from insights import reports, sheets
from insights.changes import distinct
from insights.models import Watch
from projects.access import environment_for
from releases.models import Change

FORMATS = {"markdown": "text/markdown; charset=utf-8", "csv": "text/csv; charset=utf-8"}
ENDINGS = {"md": "markdown", "csv": "csv"}


def report(change: Change, format: str) -> HttpResponse:
    """The report of a change; `format` is a key of FORMATS."""
    watches = distinct(Watch.objects.filter(change=change).order_by("id"))
    place = change.environment
    if format == "csv":
        text = sheets.csv_text(watches)
    else:
        address = f"{settings.PUBLIC_URL}/{place.project.slug}/{place.slug}/changes/{change.id}"
        text = reports.markdown(change, watches, address)
    ending = next(ending for ending, name in ENDINGS.items() if name == format)
    response = HttpResponse(text, content_type=FORMATS[format])
    name = f"change-{change.id}.{ending}"
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response


@require_GET
def show_report(
    request: HttpRequest, project: str, environment: str, change_id: int, ending: str
) -> HttpResponse:
    access = environment_for(request, project, environment)
    if ending not in ENDINGS:
        raise Http404("A report ends in .md or .csv.")
    change = get_object_or_404(Change, environment=access.environment, id=change_id)
    return report(change, ENDINGS[ending])
