"""Honeycomb's markers, as honeymarker and its libraries post them: they are changes here.

A marker of a dataset belongs to the service of that name, one of `__all__` to the environment.
PUT changes only what is given: honeymarker leaves out what is empty. GET, PUT and DELETE answer
exactly 200, POST 201.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from projects.keys import KeyHolder, find, secret_of
from releases import posted
from releases.changes import NewChange, record
from releases.models import Change
from web.errors import ApiError

EVERYWHERE = "__all__"
LISTED = 1000
FIELDS = {"message": "title", "type": "marker_kind", "url": "url"}


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@csrf_exempt
def markers(request: HttpRequest, dataset: str, marker_id: int | None = None) -> HttpResponse:
    try:
        holder = _holder(request)
        return _answered(request, holder, dataset, marker_id)
    except _Refused as refused:
        return JsonResponse({"error": str(refused)}, status=refused.status)
    except ApiError as error:
        return JsonResponse({"error": error.message}, status=error.status)


def _holder(request: HttpRequest) -> KeyHolder:
    # honeymarker may send an Authorization header of another kind beside the key.
    secret = request.headers.get("X-Honeycomb-Team") or secret_of(request)
    holder = find(secret, kinds=("ingest",))
    if holder is None or holder.environment_id is None:
        raise _Refused(401, "unknown API key - check your credentials")
    return holder


def _answered(
    request: HttpRequest, holder: KeyHolder, dataset: str, marker_id: int | None
) -> HttpResponse:
    assert holder.environment_id is not None  # noqa: S101  # checked by _holder
    service = "" if dataset == EVERYWHERE else dataset[:200]
    mine = Change.objects.filter(
        environment_id=holder.environment_id,
        kind=Change.Kind.MARKER,
        service=service,
        details__provider="honeycomb",
    )
    method = request.method
    if marker_id is None and method == "GET":
        return _json([_marker(change) for change in mine[:LISTED]])
    if marker_id is None and method == "POST":
        return _json(_marker(_posted(request, holder, service)), 201)
    if marker_id is None or method not in ("PUT", "DELETE"):
        raise _Refused(405, "Send GET or POST, or PUT or DELETE with the marker's id.")
    change = mine.filter(id=marker_id).first()
    if change is None:
        raise _Refused(404, "There is no such marker in this dataset.")
    answer = _marker(change)
    if method == "DELETE":
        change.delete()
        return _json(answer)
    return _json(_marker(_edited(change, posted.read(request.body))))


def _json(found: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(found), content_type="application/json", status=status)


def _posted(request: HttpRequest, holder: KeyHolder, service: str) -> Change:
    now = timezone.now()
    body = posted.read(request.body)
    told = _told(body)
    time = _seconds(body, "start_time", now) or now
    title = told.get("title") or told.get("marker_kind") or "Marker"
    words = "\x1f".join((service, title, told.get("marker_kind", ""), str(int(time.timestamp()))))
    assert holder.environment_id is not None  # noqa: S101  # checked by _holder
    change, _ = record(
        NewChange(
            environment_id=holder.environment_id,
            kind=Change.Kind.MARKER,
            time=time,
            end_time=_end(body, time, now),
            title=title,
            marker_kind=told.get("marker_kind") or "marker",
            service=service,
            url=told.get("url", ""),
            actor=holder.actor,
            source="honeycomb",
            external_id=posted.fingerprint("honeycomb", words),
            details={"provider": "honeycomb"},
        )
    )
    return change


def _edited(change: Change, body: dict[str, Any]) -> Change:
    now = timezone.now()
    for name, value in _told(body).items():
        setattr(change, name, value)
    change.time = _seconds(body, "start_time", now) or change.time
    change.end_time = _end(body, change.time, now) or change.end_time
    change.save()
    return change


def _told(body: dict[str, Any]) -> dict[str, str]:
    told = {}
    for name, column in FIELDS.items():
        value = posted.url(body) if name == "url" else posted.text(body, name)
        if value:
            told[column] = value
    return told


def _seconds(body: dict[str, Any], name: str, now: datetime) -> datetime | None:
    return posted.time(body, name, now) if body.get(name) else None


def _end(body: dict[str, Any], start: datetime, now: datetime) -> datetime | None:
    end = _seconds(body, "end_time", now)
    if end is not None and end < start - timedelta(seconds=1):
        raise _Refused(422, "end_time must not be earlier than start_time.")
    return max(end, start) if end is not None else None


def _marker(change: Change) -> dict[str, Any]:
    made = change.recorded_at or datetime.now(UTC)
    return {
        "id": str(change.id),
        "message": change.title,
        "type": change.marker_kind,
        "url": change.url,
        "start_time": int(change.time.timestamp()),
        **({"end_time": int(change.end_time.timestamp())} if change.end_time else {}),
        "created_at": made.isoformat().replace("+00:00", "Z"),
        "updated_at": made.isoformat().replace("+00:00", "Z"),
    }
