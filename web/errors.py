"""Errors → answers: JSON for programs, pages for people, a message for fragments.

The one place where an exception becomes a status. Every error body of an API is
`{"error":{"code","message","field"?}}`.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from kombu.exceptions import OperationalError as BrokerError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, AuthorizationError, HttpError, ValidationError
from redis.exceptions import RedisError

log = logging.getLogger("flipscope.web")

PROGRAMS = ("/api/", "/v1/", "/1/", "/ofrep/", "/flagd/", "/hooks/")
CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "too_many",
    500: "internal",
    503: "unavailable",
}


class ApiError(Exception):
    """An answer other than success: status, a code for programs, a message for people.

    `field` names the part of the input that was wrong. `retry_after_s` becomes Retry-After.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        *,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field
        self.retry_after_s = retry_after_s


class QuestionTooLarge(Exception):
    """A question that takes more time or memory than it may; the message says what to ask."""


class SignInFirst(Exception):
    """Nobody is signed in; `answer` is the redirect that leads back here afterwards."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__("sign in first")
        self.answer = answer


class StoreAway(Exception):
    """Raised by no one here: rooms' own "cannot be reached" errors derive from it.

    The store being away is answered 503 with Retry-After, never 500, so that clients keep what
    they hold and try again.
    """


STORE, CACHE, DATABASE = "The event store", "The cache", "The database"


def part_away(error: BaseException | None) -> str:
    """Which part does not answer, where that is what the error came of; else ""."""
    while error is not None:
        if isinstance(error, StoreAway):
            return STORE
        if isinstance(error, (RedisError, BrokerError)):
            return CACHE
        if isinstance(error, (OperationalError, InterfaceError)):
            return DATABASE
        error = error.__cause__
    return ""


def body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The JSON shape of every error."""
    error: dict[str, Any] = {"code": code, "message": message}
    if field:
        error["field"] = field
    return {"error": error}


def answer(error: ApiError) -> JsonResponse:
    """An ApiError as JSON."""
    response = JsonResponse(body(error.code, error.message, error.field), status=error.status)
    if error.retry_after_s is not None:
        response["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def for_program(request: HttpRequest) -> bool:
    """Whether a program asks, by the address."""
    return request.path.startswith(PROGRAMS)


class ErrorMiddleware:
    """Turns ApiError and StoreAway, wherever raised, into an answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 405:
            return _only(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, ApiError):
            if for_program(request):
                return answer(error)
            return _told(request, error.status, error.message)
        if isinstance(error, QuestionTooLarge):
            if for_program(request):
                return answer(ApiError(422, "too_large", str(error)))
            return _told(request, 422, str(error))
        if isinstance(error, SignInFirst):
            return _signed_out(request, error.answer)
        if isinstance(error, DataError):
            # What no form or schema caught: every value of PostgreSQL's types has such limits.
            message = "A value can't be used: it holds a NUL character, or a number is too large."
            if for_program(request):
                return answer(ApiError(422, "invalid", message))
            return _told(request, 400, message)
        part = part_away(error)
        # A page's header would need the database, too.
        return _away(request, part, bare=part == DATABASE) if part else None


def _away(request: HttpRequest, part: str, *, bare: bool) -> HttpResponse:
    """503 with Retry-After: the status that makes clients keep what they hold.

    A `bare` page needs no part at all.
    """
    if part != STORE:  # its own trouble is logged where it is met
        entry = "cache.away" if part == CACHE else "database.away"
        log.error(entry, extra={"path": request.path})
    message = f"{part} does not answer right now. Try again in a few seconds."
    if for_program(request):
        return answer(ApiError(503, "unavailable", message, retry_after_s=2))
    if not bare:
        response = _told(request, 503, message)
    elif getattr(request, "htmx", False):
        response = render(None, "web/_error.html", {"message": message}, status=503)
        response["HX-Retarget"] = "#messages"
        response["HX-Reswap"] = "innerHTML"
    else:
        again = request.get_full_path() if request.method == "GET" else ""
        response = render(None, "away.html", {"part": part, "again": again}, status=503)
    response["Retry-After"] = "2"
    return response


def _only(request: HttpRequest, refused: HttpResponse) -> HttpResponse:
    """A wrong method in the shape of all other errors, with the methods that are allowed."""
    allowed = refused.get("Allow", "")
    message = f"{request.method} does not work here, only {allowed or 'other methods'}."
    if for_program(request):
        response: HttpResponse = answer(ApiError(405, CODES[405], message))
    else:
        response = _told(request, 405, message)
    if allowed:
        response["Allow"] = allowed
    return response


def _signed_out(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """htmx follows no redirect to a whole page by itself: it is told to go there."""
    if getattr(request, "htmx", False):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = answer["Location"]
        return response
    return answer


def register(api: NinjaAPI) -> None:
    """Gives the API the same error shape for everything that django-ninja raises itself."""

    def told(status: int, message: str, field: str | None = None) -> HttpResponse:
        return answer(ApiError(status, CODES.get(status, "error"), message, field))

    api.add_exception_handler(ApiError, lambda _request, error: answer(cast("ApiError", error)))
    api.add_exception_handler(
        AuthenticationError,
        lambda _request, _error: told(401, "Send a valid API token as 'Authorization: Bearer …'."),
    )
    api.add_exception_handler(
        AuthorizationError, lambda _request, _error: told(403, "This token may not do that.")
    )
    api.add_exception_handler(
        Http404, lambda _request, _error: told(404, "There is nothing here, or it is not yours.")
    )
    api.add_exception_handler(
        HttpError, lambda _request, error: told(cast("HttpError", error).status_code, str(error))
    )
    api.add_exception_handler(
        ValidationError, lambda _request, error: answer(_invalid(cast("ValidationError", error)))
    )


def _invalid(error: ValidationError) -> ApiError:
    first = error.errors[0] if error.errors else {"loc": (), "msg": "could not be read"}
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    names = [part for part in place if part not in ("payload", "data")] or place
    field = ".".join(names) or None
    status = 400 if first.get("type") == "json_invalid" else 422
    code = CODES[status]
    return ApiError(status, code, f"{field or 'The body'}: {first['msg']}.", field)


def _told(request: HttpRequest, status: int, message: str = "") -> HttpResponse:
    """A page, or for htmx a message put where messages are shown."""
    if getattr(request, "htmx", False):
        response = render(
            request, "web/_error.html", {"message": message or WORDS[status]}, status=status
        )
        response["HX-Retarget"] = "#messages"
        response["HX-Reswap"] = "innerHTML"
        return response
    name = f"{status}.html" if status in (400, 403, 404) else "error.html"
    return render(request, name, {"message": message, "status": status}, status=status)


WORDS = {
    400: "That request could not be read.",
    403: "Your role in this project does not allow that.",
    404: "There is nothing here, or it is not yours.",
    500: "Something went wrong on our side. It has been logged.",
}


def _handler(status: int) -> Callable[..., HttpResponse]:
    def handle(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        said = str(exception) if isinstance(exception, (Http404, PermissionDenied)) else ""
        if said.startswith("{") or said.endswith("matches the given query."):
            said = ""  # Django's own account of it, which means nothing to people
        if for_program(request):
            return answer(ApiError(status, CODES[status], said or WORDS[status]))
        return _told(request, status, said)

    return handle


handler400 = _handler(400)
handler403 = _handler(403)
handler404 = _handler(404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Settings name it: a form that was open for too long, or sent from another site."""
    log.warning("form.refused", extra={"reason": reason})
    message = "This form is too old or came from elsewhere. Go back, reload the page, try again."
    return _told(request, 403, message)


def handler500(request: HttpRequest) -> HttpResponse:
    """Needs nothing that may be broken: no session, no context processor.

    What a middleware or an error's own page raised comes here too: a part may be away.
    """
    if part := part_away(sys.exc_info()[1]):
        return _away(request, part, bare=True)
    if for_program(request):
        return JsonResponse(body("internal", WORDS[500]), status=500)
    return render(None, "500.html", status=500)
