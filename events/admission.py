"""How much may be in the intake's hands at once: requests, and bytes they unpack to.

Decoding takes several times a body's size. With a bound on both, memory stays flat whatever is
sent at once, and pages keep threads to be answered by. Who finds no room within half a second is
told to come again.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

WAIT_S = 0.5
# What a packed body is taken to unpack to, at most: telemetry packs about ten to one.
EXPANSION = 20


class Busy(Exception):
    """Nothing more can be taken right now."""


_changed = threading.Condition()
_requests = 0
_bytes = 0


@contextmanager
def admitted(size: int, *, packed: bool) -> Iterator[None]:
    """Room for one body. One that is larger than all the room is let in alone. Raises Busy."""
    global _requests, _bytes
    need = min(size * EXPANSION, settings.INGEST_MAX_UNPACKED_BYTES) if packed else size
    until = time.monotonic() + WAIT_S
    with _changed:
        while not _room(need):
            if not _changed.wait(until - time.monotonic()) and not _room(need):
                raise Busy
        _requests += 1
        _bytes += need
    try:
        yield
    finally:
        with _changed:
            _requests -= 1
            _bytes -= need
            _changed.notify_all()


def _room(need: int) -> bool:
    if _requests >= settings.INGEST_MAX_REQUESTS:
        return False
    return _bytes == 0 or _bytes + need <= settings.INGEST_MAX_BYTES_AT_ONCE
