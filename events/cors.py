"""Telemetry from browsers: any page may post events, with an ingest key, and read the answer.

The key travels in a header, never in a cookie, so a foreign page can do nothing with it that its
holder could not do with curl.
"""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

View = Callable[..., HttpResponse]
HEADERS = (
    "Authorization, Content-Type, Content-Encoding, X-API-Key, X-Honeycomb-Team, "
    "X-Honeycomb-Event-Time, X-Honeycomb-Samplerate, X-Honeycomb-UserAgent, X-Honeycomb-Dataset, "
    "traceparent, tracestate"
)


def from_browsers_too(view: View) -> View:
    """Answers a browser's preflight, and lets its page read the view's answers."""

    @csrf_exempt
    @wraps(view)
    def answered(request: HttpRequest, *parts: str, **named: str) -> HttpResponse:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = HttpResponse(status=204)
            response["Access-Control-Allow-Methods"] = "POST"
            response["Access-Control-Allow-Headers"] = HEADERS
            response["Access-Control-Max-Age"] = "7200"
        else:
            response = view(request, *parts, **named)
            response["Access-Control-Expose-Headers"] = "Retry-After"
        response["Access-Control-Allow-Origin"] = "*"
        return response

    return answered
