"""Programs that ask thousands of times a second go straight to their view.

Their addresses (settings.STRAIGHT) need no session, user, form token, message or policy for pages,
and looking for them behind all of a project's pages took longer than to answer. Errors are
answered as everywhere; an address that is not listed goes the usual way.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, get_resolver

from web.errors import ErrorMiddleware

BARE = (204, 304)  # answers without a body
Answers = Callable[[HttpRequest], HttpResponse]


class StraightMiddleware:
    """The first of all; STRAIGHT_URLCONF is where such addresses lead."""

    def __init__(self, get_response: Answers) -> None:
        self._usual = get_response
        self._begins = tuple(settings.STRAIGHT)
        self._resolver = get_resolver(settings.STRAIGHT_URLCONF)
        self._errors = ErrorMiddleware(self._view)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(self._begins):
            return self._usual(request)
        try:
            request.resolver_match = self._resolver.resolve(request.path_info)
        except Resolver404:
            return self._usual(request)
        response = self._errors(request)
        response["X-Content-Type-Options"] = "nosniff"
        if response.status_code not in BARE:
            response["Content-Length"] = str(len(response.content))
        return response

    def _view(self, request: HttpRequest) -> HttpResponse:
        match = request.resolver_match
        assert match is not None  # noqa: S101  # set right before
        try:
            found: HttpResponse = match.func(request, *match.args, **match.kwargs)
            return found
        except Exception as error:
            answer = self._errors.process_exception(request, error)
            if answer is None:
                raise
            return answer
