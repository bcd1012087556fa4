"""The intake's addresses: each answers as its sender's protocol wants it."""

from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse

from events import otlp_answers
from events.cors import from_browsers_too
from events.event import Decoded
from events.ingest import Accepted
from events.intake import Decode, Problem, headed, stored
from events.wire import exposures_json, otlp_json, otlp_protobuf, plain


def _otlp(
    request: HttpRequest,
    signal: str,
    protobuf: Callable[[bytes], Decoded],
    json: Callable[[bytes], Decoded],
) -> HttpResponse:
    content_type = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    encoding = otlp_answers.ENCODINGS.get(content_type)
    if encoding is None and request.method == "POST":
        message = "Content-Type must be application/x-protobuf or application/json."
        return otlp_answers.failed(415, message, otlp_answers.JSON)
    encoding = encoding or otlp_answers.JSON
    read = protobuf if encoding == otlp_answers.PROTOBUF else json
    name = "json" if encoding == otlp_answers.JSON else "protobuf"
    try:
        accepted = stored(request, f"otlp {signal}, {name}", lambda body, _seed: read(body))
    except Problem as problem:
        return headed(otlp_answers.failed(problem.status, problem.message, encoding), problem)
    return otlp_answers.stored(signal, accepted.notes, encoding)


@from_browsers_too
def traces(request: HttpRequest) -> HttpResponse:
    return _otlp(request, "traces", otlp_protobuf.traces, otlp_json.traces)


@from_browsers_too
def logs(request: HttpRequest) -> HttpResponse:
    return _otlp(request, "logs", otlp_protobuf.logs, otlp_json.logs)


def _json(
    request: HttpRequest, form: str, decode: Decode, taken: Callable[[Accepted], int]
) -> HttpResponse:
    try:
        accepted = stored(request, form, decode)
    except Problem as problem:
        error = {"code": problem.code, "message": problem.message}
        return headed(JsonResponse({"error": error}, status=problem.status), problem)
    rejected = sorted(accepted.rejected, key=lambda one: one.index)
    answer = {
        "accepted": taken(accepted),
        "rejected": [{"index": one.index, "error": one.error} for one in rejected],
    }
    return HttpResponse(orjson.dumps(answer), content_type="application/json")


def _now_us() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)


@from_browsers_too
def events(request: HttpRequest) -> HttpResponse:
    now_us = _now_us()
    return _json(
        request,
        "events, json",
        lambda body, seed: plain.decode(body, now_us=now_us, seed=seed),
        lambda accepted: accepted.events,
    )


@from_browsers_too
def exposures(request: HttpRequest) -> HttpResponse:
    now_us = _now_us()
    return _json(
        request,
        "exposures, json",
        lambda body, _seed: exposures_json.decode(body, now_us=now_us),
        lambda accepted: accepted.exposures,
    )
