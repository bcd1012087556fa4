"""Style sheets and scripts, put together: one request for each kind, at an address that changes
with what is in it, so that browsers keep it for good and an upgrade is seen at once."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

BUNDLES = {
    "app.css": (
        "css/tokens.css",
        "css/base.css",
        "css/components.css",
        "css/charts.css",
        "css/plotly_csp.css",
    ),
    "app.js": (
        "django_htmx/htmx-2.min.js",
        "js/theme.js",
        "js/dialogs.js",
        "js/live.js",
        "js/keep.js",
        "js/copy.js",
        "js/painted.js",
        "js/marks.js",
        "js/crowded.js",
        "js/charts.js",
        "js/explore.js",
        "js/boxes.js",
        "js/keys.js",
        "js/drag.js",
    ),
    "countdown.js": ("js/countdown.js",),
    "stream.js": ("js/stream.js",),
    "plotly.js": ("vendor/plotly-cartesian-4.1.1.min.js",),
}
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is sent, and the name of its content."""

    plain: bytes
    digest: str


def address(name: str) -> str:
    """Where browsers find the bundle. KeyError for a name that is none."""
    return reverse("asset", args=[bundle(name).digest, name])


def bundle(name: str) -> Bundle:
    """Made once a process; anew at each call where DEBUG is on, as its files are being edited."""
    return _made(name) if settings.DEBUG else _kept(name)


def _made(name: str) -> Bundle:
    joined = "\n;\n" if name.endswith(".js") else "\n"
    text = joined.join(_source(path) for path in BUNDLES[name])
    plain = text.replace('url("../', f'url("{settings.STATIC_URL}').encode()
    digest = hashlib.sha256(plain).hexdigest()[:12]
    return Bundle(plain, digest)


_kept = cache(_made)


@lru_cache(maxsize=len(BUNDLES))
def _zipped(plain: bytes) -> bytes:
    """Only for who fetches it: a page needs but the address, and Plotly takes a while to zip."""
    return gzip.compress(plain, mtime=0)


def _source(path: str) -> str:
    found = finders.find(path)
    if not found:
        raise FileNotFoundError(f"static file {path}")
    return Path(found).read_text()


@require_safe
def show_asset(request: HttpRequest, digest: str, name: str) -> HttpResponse:
    """An address of another release answers with what there is now, and is not kept."""
    if name not in BUNDLES:
        raise Http404(f"There is no {name}.")
    found = bundle(name)
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(
        _zipped(found.plain) if zipped else found.plain, content_type=TYPES[Path(name).suffix]
    )
    if zipped:
        response["Content-Encoding"] = "gzip"
    response["Cache-Control"] = FOR_GOOD if digest == found.digest else "no-cache"
    patch_vary_headers(response, ["Accept-Encoding"])
    return response
