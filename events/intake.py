"""A request to the intake: authorise, unpack, decode, store; or a Problem that names its status.

A success means stored. Our own trouble is 503 with Retry-After, the one status that every client
sends again; 500, 502 and 413 make one or the other drop data.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from events import limits, refusals
from events.admission import Busy, admitted, decoding
from events.event import Decoded, DecodeError, Notes
from events.ingest import Accepted, accept, token_of
from events.limits import TooFast
from events.store.client import RETRY_AFTER_S, StoreUnavailable
from events.store.space import StoreFull
from events.wire.body import BodyError, checked_length, unpacked
from projects.keys import KeyHolder, find, secret_of
from web.errors import StoreAway

UNAVAILABLE = "The event store can't take events now. Send them again."


class Problem(Exception):
    """Why a request was not taken, and with which status."""

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_s: int = RETRY_AFTER_S
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


# Reads a body; the seed makes the ids that items lack, the same when the body is sent again.
Decode = Callable[[bytes, bytes], Decoded]


def stored(request: HttpRequest, form: str, decode: Decode, *, told: str = "") -> Accepted:
    """Takes a request's events. Raises Problem, and counts it where the environment is known.

    `told` is what headers say of the events: it belongs to what makes two requests the same.
    """
    if request.method != "POST":
        raise Problem(405, "method_not_allowed", "Send a POST request.")
    holder = key_holder(request)
    assert holder.environment_id is not None  # noqa: S101  # ingest keys belong to one
    environment_id = holder.environment_id
    now = datetime.now(UTC)
    allowed = limits.of(holder.key_id)
    try:
        limits.spend(holder.key_id, 0, allowed.events_per_minute)
        packed = _body(request, allowed.body_bytes)
        encoding = request.headers.get("Content-Encoding", "")
        with admitted(len(packed), packed=bool(encoding)):
            with decoding():
                body = unpacked(packed, encoding, allowed.unpacked_bytes)
                token = token_of(environment_id, request.path + told, body)
                decoded = decode(body, sha256(token.encode()).digest())
            limits.spend(holder.key_id, len(decoded.events), allowed.events_per_minute)
            return accept(
                environment_id,
                decoded,
                limits=allowed,
                token=token,
                now=now,
                size=len(packed),
                client=_client(request),
            )
    except BodyError as error:
        problem = Problem(error.status, error.reason, str(error))
    except DecodeError as error:
        problem = Problem(400, "body_unreadable", str(error))
    except TooFast as error:
        problem = Problem(429, "too_fast", str(error), retry_after_s=error.retry_after_s)
    except StoreFull as error:
        problem = Problem(503, "store_full", str(error))
    except StoreUnavailable:
        problem = Problem(503, "store_unavailable", UNAVAILABLE)
    except Busy:
        problem = Problem(503, "busy", "More comes in than can be taken now. Send it again.")
    notes = Notes()
    notes.add("request", problem.code, problem.message)
    refusals.refused(environment_id, form, notes, now=now)
    raise problem


def _client(request: HttpRequest) -> str:
    """Name and version; a browser's libhoney can't set User-Agent and has a header of its own."""
    named = request.headers.get("X-Honeycomb-UserAgent") or request.headers.get("User-Agent", "")
    return named.split(" ")[0]


def key_holder(request: HttpRequest) -> KeyHolder:
    """Whose ingest key a request carries. Raises Problem."""
    secret = secret_of(request)
    try:
        holder = find(secret, kinds=("ingest",)) if secret else None
    except (DatabaseError, StoreAway):
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


def _body(request: HttpRequest, limit: int) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or ""
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    expected = int(length) if length.isdecimal() else 0
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


def headed(response: HttpResponse, problem: Problem) -> HttpResponse:
    """With the headers that a problem's status asks for."""
    if problem.status in (429, 503):
        response["Retry-After"] = str(problem.retry_after_s)
    elif problem.status == 405:
        response["Allow"] = "POST"
    elif problem.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
