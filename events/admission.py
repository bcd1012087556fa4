"""How much may be in the intake's hands at once: bytes, and requests that are being decoded.

Decoding takes several times a body's size. With a bound on both, memory stays flat whatever is
sent at once. Who finds no room within half a second is told to come again. What waits for the
store holds its bytes only: small inserts go together, so many may wait at once.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

WAIT_S = 0.5
# What a packed body is taken to unpack to, at most: telemetry packs about ten to one.
EXPANSION = 20


class Busy(Exception):
    """Nothing more can be taken right now."""


_changed = threading.Condition()
_bytes = 0
_decoding = 0


@contextmanager
def admitted(size: int, *, packed: bool) -> Iterator[None]:
    """Room for one body. One that is larger than all the room is let in alone. Raises Busy."""
    global _bytes
    need = min(size * EXPANSION, settings.INGEST_MAX_UNPACKED_BYTES) if packed else size
    with _changed:
        _await(lambda: _bytes == 0 or _bytes + need <= settings.INGEST_MAX_BYTES_AT_ONCE)
        _bytes += need
    try:
        yield
    finally:
        with _changed:
            _bytes -= need
            _changed.notify_all()


@contextmanager
def decoding() -> Iterator[None]:
    """A turn to unpack and decode. Raises Busy."""
    global _decoding
    with _changed:
        _await(lambda: _decoding < settings.INGEST_MAX_DECODING)
        _decoding += 1
    try:
        yield
    finally:
        with _changed:
            _decoding -= 1
            _changed.notify_all()


def _await(room: Callable[[], bool]) -> None:
    if not _changed.wait_for(room, WAIT_S):
        raise Busy
