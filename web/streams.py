"""Where browsers find the process that streams: another port of the same host, unless set."""

import contextlib
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse


def origin(request: HttpRequest) -> str:
    """Scheme, host and port of the streams, without a slash at the end."""
    if settings.STREAMS_URL:
        return str(settings.STREAMS_URL)
    asked = urlsplit(f"//{request.get_host()}")
    host = asked.hostname or "127.0.0.1"
    return f"{request.scheme}://{f'[{host}]' if ':' in host else host}:{settings.STREAMS_PORT}"


class ConnectMiddleware:
    """Lets pages connect to the streams of the host they were asked of, and to nothing else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        with contextlib.suppress(DisallowedHost):
            allowed = {"connect-src": [origin(request)]}
            response._csp_update = allowed  # type: ignore[attr-defined]  # django-csp's own name
        return response
