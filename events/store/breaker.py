"""While the store is away, requests are refused at once and one at a time tries it.

Without it each request would wait for its own time-out and hold a thread that pages need.
"""

import threading
import time

from django.conf import settings

from events.store.client import StoreUnavailable

REST_S = 0.5  # between two tries
TRY_S = 2.0  # how long a try may take before another is made

_lock = threading.Lock()
_closed_until: dict[str, float] = {}  # of stores that are away


def check() -> None:
    """Raises StoreUnavailable while the store is known to be away, but for one try at a time."""
    url = settings.EVENTS_URL
    if url not in _closed_until:
        return
    with _lock:
        now = time.monotonic()
        if now < _closed_until.get(url, 0.0):
            raise StoreUnavailable("The event store does not answer.")
        _closed_until[url] = now + TRY_S


def failed() -> None:
    """The store did not answer in time, or refused."""
    with _lock:
        _closed_until[settings.EVENTS_URL] = time.monotonic() + REST_S


def answered() -> None:
    """The store took something: everybody may try again."""
    if _closed_until:
        with _lock:
            _closed_until.pop(settings.EVENTS_URL, None)
