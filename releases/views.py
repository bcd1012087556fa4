"""POST /api/v1/deploys and /api/v1/markers: what a pipeline or a person tells us changed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from projects.keys import find, secret_of
from releases import posted
from releases.changes import NewChange, as_json, record
from web.errors import ApiError

Reader = Callable[[int, dict[str, Any], str, datetime], NewChange]


def _recorded(request: HttpRequest, reader: Reader) -> HttpResponse:
    if request.method != "POST":
        raise ApiError(405, "method_not_allowed", "Send this as POST.")
    key = find(secret_of(request), kinds=("ingest",))
    if key is None or key.environment_id is None:
        raise ApiError(401, "unauthenticated", "Send an ingest key as 'Authorization: Bearer …'.")
    body = posted.read(request.body)
    change, created = record(reader(key.environment_id, body, key.actor, timezone.now()))
    return JsonResponse(as_json(change), status=201 if created else 200)


@csrf_exempt
def post_deploy(request: HttpRequest) -> HttpResponse:
    return _recorded(request, posted.deploy)


@csrf_exempt
def post_marker(request: HttpRequest) -> HttpResponse:
    return _recorded(request, posted.marker)
