"""The intake over HTTP: authorise, unpack, decode, accept, answer as the sender's protocol wants.

A success means stored. Our own trouble is 503 with Retry-After, the one status that every client
sends again; 500, 502 and 413 make one or the other drop data.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import orjson
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from events import otlp_answers, refusals
from events.event import Decoded, DecodeError, Notes
from events.ingest import Accepted, accept, token_of
from events.store.client import RETRY_AFTER_S, StoreUnavailable
from events.wire import otlp_json, otlp_protobuf, plain
from events.wire.body import BodyError, checked_length, unpacked
from projects.keys import KeyHolder, find, secret_of

Decode = Callable[[bytes], Decoded]


class Problem(Exception):
    """Why a request was not taken, and with which status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def _stored(request: HttpRequest, form: str, decode: Callable[[bytes, str], Decoded]) -> Accepted:
    """Takes a request's events. Raises Problem, and counts it where the environment is known."""
    if request.method != "POST":
        raise Problem(405, "method_not_allowed", "Send a POST request.")
    holder = _holder(request)
    assert holder.environment_id is not None  # noqa: S101  # ingest keys belong to one
    environment_id = holder.environment_id
    now = datetime.now(UTC)
    try:
        packed = _body(request)
        body = unpacked(
            packed,
            request.headers.get("Content-Encoding", ""),
            settings.INGEST_MAX_UNPACKED_BYTES,
        )
        token = token_of(environment_id, request.path, body)
        return accept(
            environment_id,
            decode(body, token),
            token=token,
            now=now,
            size=len(packed),
            client=request.headers.get("User-Agent", "").split(" ")[0],
        )
    except BodyError as error:
        problem = Problem(error.status, error.reason, str(error))
    except DecodeError as error:
        problem = Problem(400, "body_unreadable", str(error))
    except StoreUnavailable:
        problem = Problem(
            503, "store_unavailable", "The event store can't take events now. Send them again."
        )
    notes = Notes()
    notes.add("request", problem.code, problem.message)
    refusals.refused(environment_id, form, notes, now=now)
    raise problem


def _holder(request: HttpRequest) -> KeyHolder:
    secret = secret_of(request)
    try:
        holder = find(secret, kinds=("ingest",)) if secret else None
    except DatabaseError:
        raise Problem(
            503, "keys_unavailable", "Keys can't be checked now. Send the events again."
        ) from None
    if holder is None or holder.environment_id is None:
        raise Problem(
            401,
            "unauthorized",
            "Give a valid ingest key as Authorization: Bearer, X-API-Key or X-Honeycomb-Team.",
        )
    return holder


def _body(request: HttpRequest) -> bytes:
    limit = settings.INGEST_MAX_BODY_BYTES
    length = request.META.get("CONTENT_LENGTH") or ""
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    expected = int(length) if length.isdigit() else 0
    checked_length(expected, limit)
    try:
        if chunked and not length:
            body: bytes = request.META["wsgi.input"].read(limit + 1)
        else:
            body = request.read()
    except (UnreadablePostError, OSError) as error:
        raise BodyError(400, "body_cut", "The body ended before its length.") from error
    checked_length(len(body), limit)
    if len(body) < expected:
        raise BodyError(400, "body_cut", f"The body is cut: {len(body)} of {expected} bytes came.")
    return body


def _otlp(request: HttpRequest, signal: str, protobuf: Decode, json: Decode) -> HttpResponse:
    content_type = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    encoding = otlp_answers.ENCODINGS.get(content_type)
    if encoding is None and request.method == "POST":
        message = "Content-Type must be application/x-protobuf or application/json."
        return otlp_answers.failed(415, message, otlp_answers.JSON)
    encoding = encoding or otlp_answers.JSON
    read = protobuf if encoding == otlp_answers.PROTOBUF else json
    name = "json" if encoding == otlp_answers.JSON else "protobuf"
    try:
        accepted = _stored(request, f"otlp {signal}, {name}", lambda body, _token: read(body))
    except Problem as problem:
        return _headed(otlp_answers.failed(problem.status, problem.message, encoding), problem)
    return otlp_answers.stored(signal, accepted.notes, encoding)


def _headed(response: HttpResponse, problem: Problem) -> HttpResponse:
    if problem.status == 503:
        response["Retry-After"] = str(RETRY_AFTER_S)
    elif problem.status == 405:
        response["Allow"] = "POST"
    elif problem.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


@csrf_exempt
def traces(request: HttpRequest) -> HttpResponse:
    return _otlp(request, "traces", otlp_protobuf.traces, otlp_json.traces)


@csrf_exempt
def logs(request: HttpRequest) -> HttpResponse:
    return _otlp(request, "logs", otlp_protobuf.logs, otlp_json.logs)


@csrf_exempt
def events(request: HttpRequest) -> HttpResponse:
    now_us = int(datetime.now(UTC).timestamp() * 1_000_000)

    def decode(body: bytes, token: str) -> Decoded:
        return plain.decode(body, now_us=now_us, seed=sha256(token.encode()).digest())

    try:
        accepted = _stored(request, "events, json", decode)
    except Problem as problem:
        error = {"code": problem.code, "message": problem.message}
        return _headed(JsonResponse({"error": error}, status=problem.status), problem)
    rejected = sorted(accepted.rejected, key=lambda one: one.index)
    answer = {
        "accepted": accepted.events,
        "rejected": [{"index": one.index, "error": one.error} for one in rejected],
    }
    return HttpResponse(orjson.dumps(answer), content_type="application/json")
