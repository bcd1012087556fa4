"""What one key may send: the defaults of the settings, and what an admin set for this key.

Rates are counted in each process by itself: an intake that asked a shared counter would stop with
it. By default there is none, and one key may send all that the machine can store.
"""

import math
import threading
import time
from dataclasses import dataclass, fields

from django.conf import settings
from django.db import Error as DatabaseError

from events.models import KeyLimits

REMEMBERED_S = 5.0
LONGEST_WAIT_S = 30


@dataclass(frozen=True, slots=True)
class Limits:
    """0 events a minute means without a limit; `fields` are names of attributes a service a day."""

    body_bytes: int
    unpacked_bytes: int
    attributes: int
    value_bytes: int
    events_per_minute: int
    fields: int


NAMES = tuple(one.name for one in fields(Limits))


class TooFast(Exception):
    """A key has spent its events; `retry_after_s` says when there are some again."""

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(
            f"This key may send {limit:,} events a minute. Send less, or ask an admin of the "
            "project for more (Settings, Limits)."
        )
        self.retry_after_s = retry_after_s


def defaults() -> Limits:
    return Limits(
        body_bytes=settings.INGEST_MAX_BODY_BYTES,
        unpacked_bytes=settings.INGEST_MAX_UNPACKED_BYTES,
        attributes=settings.INGEST_MAX_ATTRIBUTES,
        value_bytes=settings.INGEST_MAX_VALUE_BYTES,
        events_per_minute=settings.INGEST_MAX_EVENTS_PER_MINUTE,
        fields=settings.INGEST_MAX_FIELDS,
    )


_known: dict[int, tuple[float, dict[str, int]]] = {}
_spent: dict[int, tuple[float, float]] = {}  # when, and how many events were left then
_lock = threading.Lock()


def of(key_id: int) -> Limits:
    """A key's limits, known for a few seconds; while the database is away as they were."""
    now = time.monotonic()
    known = _known.get(key_id)
    if known is None or known[0] < now:
        try:
            row = KeyLimits.objects.filter(key_id=key_id).values(*NAMES).first() or {}
            own = {name: value for name, value in row.items() if value is not None}
        except DatabaseError:
            own = known[1] if known else {}
        known = _known[key_id] = (now + REMEMBERED_S, own)
    base = defaults()
    return Limits(**{name: known[1].get(name, getattr(base, name)) for name in NAMES})


def forget() -> None:
    """Drops what this process knows: after a change here, and between tests."""
    _known.clear()
    _spent.clear()


def spend(key_id: int, events: int, limit: int) -> None:
    """Takes events from a key's minute. Raises TooFast where none are left.

    A batch larger than what is left goes through and is made up for later, else it never would.
    """
    if not limit:
        return
    now = time.monotonic()
    with _lock:
        at, left = _spent.get(key_id, (now, float(limit)))
        left = min(left + (now - at) * limit / 60, float(limit))
        if left <= 0:
            _spent[key_id] = (now, left)
            wait_s = math.ceil((1 - left) * 60 / limit)
            raise TooFast(limit, min(max(wait_s, 1), LONGEST_WAIT_S))
        _spent[key_id] = (now, left - events)
