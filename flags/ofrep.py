"""OFREP 0.3, single and bulk, and flagd's own document over HTTP.

Real providers break on answers that the specification allows, so every success has `variant` and
one of OpenFeature's reasons, whole floats are sent with a point, every failure has both
`errorCode` and `errorDetails`, and a request without a context is answered.
"""

import hashlib
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from flags.documents import document_for, document_since
from flags.evaluate import Document, Evaluation, context_of, evaluate, evaluate_all
from flags.tickets import event_stream
from projects.keys import KeyHolder, find, secret_of
from web.errors import ApiError
from web.request import whole

LARGEST_CONTEXT = 1024 * 1024
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Retry-After",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, X-API-Key",
    "Access-Control-Max-Age": "3600",
}


class Refusal(Exception):
    """A failure of the whole request in OFREP's terms."""

    def __init__(self, status: int, code: str, details: str) -> None:
        super().__init__(details)
        self.status, self.code, self.details = status, code, details


@csrf_exempt
@require_http_methods(["POST", "OPTIONS"])
def evaluate_one(request: HttpRequest, key: str) -> HttpResponse:
    if request.method == "OPTIONS":
        return _preflight()
    try:
        holder, context = _asked(request)
    except Refusal as refusal:
        return _refused(refusal, {"key": key})
    document = document_for(_environment(holder))
    found = evaluate(document, key, context)
    status = 200 if not found.error_code else 404 if found.error_code == "FLAG_NOT_FOUND" else 400
    return _answer(_item(document, found), status, holder)


@csrf_exempt
@require_http_methods(["POST", "OPTIONS"])
def evaluate_all_flags(request: HttpRequest) -> HttpResponse:
    if request.method == "OPTIONS":
        return _preflight()
    try:
        holder, context = _asked(request)
    except Refusal as refusal:
        return _refused(refusal, {})
    document = document_since(_environment(holder), _generation(request))
    items = b",".join([_item(document, one) for one in evaluate_all(document, context)])
    about = orjson.dumps({"flagSetId": document.flag_set_id})
    # A hash of the result: rules, every attribute and time itself may change it.
    etag = f'"{hashlib.sha256(items + about).hexdigest()[:32]}"'
    if _matches(request.headers.get("If-None-Match", ""), etag):
        response = _answer(b"", 304, holder)
        del response["Content-Type"]
    else:
        streams = orjson.dumps([event_stream(request, holder)])
        body = b'{"flags":[%b],"metadata":%b,"eventStreams":%b}' % (items, about, streams)
        response = _answer(body, 200, holder)
    response["ETag"] = etag
    return response


@require_safe
def flagd_document(request: HttpRequest) -> HttpResponse:
    """The environment's flags as flagd reads them, rules included: for server keys alone."""
    holder = find(secret_of(request), kinds=("server", "client"))
    if holder is None:
        raise ApiError(401, "unauthenticated", "Send a server key as 'Authorization: Bearer …'.")
    if holder.kind != "server":
        raise ApiError(403, "forbidden", "Rules are for server keys; a client key may evaluate.")
    document = document_for(_environment(holder))
    etag = f'"{document.etag}"'
    if _matches(request.headers.get("If-None-Match", ""), etag):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(document.text, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["Vary"] = "Authorization, X-API-Key"
    return response


def _asked(request: HttpRequest) -> tuple[KeyHolder, dict[str, Any]]:
    holder = find(secret_of(request), kinds=("server", "client"))
    if holder is None:
        raise Refusal(
            401, "GENERAL", "Send a server or client key as 'Authorization: Bearer …' or X-API-Key."
        )
    return holder, context_of(_context(_body(request)))


def _generation(request: HttpRequest) -> int:
    """What a client was told of in an event: its answer must not be older than that."""
    told = request.GET.get("flagConfigEtag", "").strip('"').removeprefix("g")
    return whole(told) or 0


def _environment(holder: KeyHolder) -> int:
    assert holder.environment_id is not None  # noqa: S101  # these kinds of keys belong to one
    return holder.environment_id


def _body(request: HttpRequest) -> bytes:
    try:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.body if length <= LARGEST_CONTEXT else b""
    except (UnreadablePostError, ValueError):
        raise Refusal(400, "PARSE_ERROR", "The body was cut off.") from None
    if max(length, len(body)) > LARGEST_CONTEXT:
        raise Refusal(413, "GENERAL", f"A context may have {LARGEST_CONTEXT:,} bytes at most.")
    return body


def _context(body: bytes) -> dict[str, Any]:
    """The evaluation context; nothing at all, {} and null are a context that says nothing."""
    try:
        sent = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "PARSE_ERROR", f"The body is not JSON: {error}.") from None
    if not isinstance(sent, dict):
        raise Refusal(400, "PARSE_ERROR", 'The body must be an object: {"context": {…}}.')
    context = sent.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise Refusal(400, "INVALID_CONTEXT", "context must be an object.")
    unit = context.get("targetingKey")
    if isinstance(unit, (int, float)) and not isinstance(unit, bool):
        return context | {"targetingKey": str(unit)}  # ids are numbers in many databases
    if unit is not None and not isinstance(unit, str):
        raise Refusal(400, "INVALID_CONTEXT", "targetingKey must be a string.")
    return context


def _item(document: Document, found: Evaluation) -> bytes:
    """One flag's answer, written once for each outcome that it has had."""
    outcome = (found.key, found.variant, found.reason, found.metadata.get("version", ""))
    if found.error_code:
        return orjson.dumps(
            {
                "key": found.key,
                "errorCode": found.error_code,
                "errorDetails": found.error_details or found.error_code,
            }
        )
    if (known := document.rendered.get(outcome)) is not None:
        return known
    item = {
        "key": found.key,
        "reason": found.reason,
        "variant": found.variant,
        "metadata": found.metadata,
    }
    written = orjson.dumps(item | {"value": found.value} if found.variant else item)
    document.rendered[outcome] = written
    return written


def _answer(body: bytes, status: int, holder: KeyHolder | None) -> HttpResponse:
    """JSON that browsers elsewhere may read, unless a server key asked: it is not for browsers."""
    response = HttpResponse(body, status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    if holder is None or holder.kind == "client":
        for name, value in CORS.items():
            response[name] = value
    return response


def _refused(refusal: Refusal, named: dict[str, str]) -> HttpResponse:
    body = named | {"errorCode": refusal.code, "errorDetails": refusal.details}
    response = _answer(orjson.dumps(body), refusal.status, None)
    if refusal.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _preflight() -> HttpResponse:
    return HttpResponse(status=204, headers=CORS | PREFLIGHT)


def _matches(sent: str, etag: str) -> bool:
    """If-None-Match as clients write it: a list, weak, `*`, or without its quotes."""
    named = [one.strip().removeprefix("W/").strip('"') for one in sent.split(",")]
    return "*" in named or etag.strip('"') in named
