"""`POST /1/events/{dataset}`, `POST /1/batch/{dataset}` and `GET /1/auth`, answered as Honeycomb's.

libhoney for Python and Go read `error` of an item, libhoney for JavaScript `err`: both are given.
"""

from datetime import UTC, datetime

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse

from events.cors import from_browsers_too
from events.event import Decoded
from events.intake import Problem, headed, key_holder, stored
from events.wire import honeycomb
from projects.models import Environment

ACCESS = ("boards", "columns", "create_datasets", "queries", "recipients", "slos", "triggers")
UNKNOWN_KEY = "unknown API key - check your credentials"


def _failed(problem: Problem) -> HttpResponse:
    message = UNKNOWN_KEY if problem.status == 401 else problem.message
    return headed(JsonResponse({"error": message}, status=problem.status), problem)


def _packing(request: HttpRequest) -> str:
    return request.headers.get("Content-Type", "").split(";")[0].strip().lower()


def _now_us() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)


@from_browsers_too
def batch(request: HttpRequest, dataset: str) -> HttpResponse:
    packing, now_us, items = _packing(request), _now_us(), 0

    def decode(body: bytes, seed: bytes) -> Decoded:
        nonlocal items
        decoded = honeycomb.batch(body, dataset=dataset, packing=packing, now_us=now_us, seed=seed)
        items = decoded.items
        return decoded

    try:
        accepted = stored(request, "honeycomb, json", decode)
    except Problem as problem:
        return _failed(problem)
    statuses: list[dict[str, object]] = [{"status": 202}] * items
    for one in accepted.rejected:
        statuses[one.index] = {"status": 400, "error": one.error, "err": one.error}
    return HttpResponse(orjson.dumps(statuses), content_type="application/json")


@from_browsers_too
def event(request: HttpRequest, dataset: str) -> HttpResponse:
    packing, now_us, headers = _packing(request), _now_us(), request.headers

    def decode(body: bytes, seed: bytes) -> Decoded:
        return honeycomb.one(
            body, dataset=dataset, packing=packing, headers=headers, now_us=now_us, seed=seed
        )

    told = "\n".join(
        headers.get(name, "") for name in ("X-Honeycomb-Event-Time", "X-Honeycomb-Samplerate")
    )
    try:
        accepted = stored(request, "honeycomb, json", decode, told=told.strip())
    except Problem as problem:
        return _failed(problem)
    if accepted.rejected:
        return _failed(Problem(400, "malformed", accepted.rejected[0].error))
    return HttpResponse(content_type="application/json")


@from_browsers_too
def auth(request: HttpRequest) -> HttpResponse:
    """What a key may do and where it belongs: clients ask this when they start."""
    if request.method not in ("GET", "HEAD"):
        response = JsonResponse({"error": "Send a GET request."}, status=405)
        response["Allow"] = "GET"
        return response
    try:
        holder = key_holder(request)
    except Problem as problem:
        return _failed(problem)
    environment = Environment.objects.select_related("project").get(pk=holder.environment_id or 0)
    project = environment.project
    may = {"events": True, "markers": True} | dict.fromkeys(ACCESS, False)
    return JsonResponse(
        {
            "id": f"key-{holder.key_id}",
            "type": "ingest",
            "api_key_access": may,
            "environment": {"name": environment.name, "slug": environment.slug},
            "team": {"name": project.name, "slug": project.slug},
        }
    )
