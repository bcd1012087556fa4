"""GET /healthz: whether this process reaches the database, the cache and the event store."""

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from events.store.client import client


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    cache.get("healthz")


def _events() -> None:
    client().command("SELECT 1")


@require_GET
def healthz(_request: HttpRequest) -> JsonResponse:
    """200 `{"status":"ok"}`, or 503 with the parts that do not answer."""
    failed = {}
    for name, check in (("database", _database), ("cache", _cache), ("events", _events)):
        try:
            check()
        except Exception as error:  # a health check reports every kind of failure
            failed[name] = type(error).__name__
    if failed:
        return JsonResponse({"status": "failing", "failing": failed}, status=503)
    return JsonResponse({"status": "ok"})
