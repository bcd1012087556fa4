"""Whether the store's disk has room: intake stops before the disk is full, reading goes on.

A full disk hurts more than events: merges, the database beside it, the logs. So the intake refuses
while less than EVENTS_MIN_FREE_BYTES are free, and takes events again when there is room.
"""

import logging
import threading
import time
from dataclasses import dataclass

from django.conf import settings

from events.store.client import StoreUnavailable, layout
from events.store.read import Statement, run

log = logging.getLogger("flipscope.events")

ASKED_EVERY_S = 5.0


class StoreFull(StoreUnavailable):
    """The disk of the store is nearly full; the message says how full and which setting decides."""


@dataclass(slots=True)
class _Known:
    at: float = -1e9
    free: int | None = None


_known: dict[str, _Known] = {}
_asking = threading.Lock()


def check() -> None:
    """Raises StoreFull. Asks the store every few seconds, one request at a time."""
    free = free_bytes()
    least = settings.EVENTS_MIN_FREE_BYTES
    if free is not None and free < least:
        raise StoreFull(
            f"The event store's disk is nearly full: {free // 1024**2} MiB are free, and "
            f"{least // 1024**2} MiB must stay free (EVENTS_MIN_FREE_BYTES). Events are taken "
            "again when there is room."
        )


def free_bytes() -> int | None:
    """Free bytes on the store's fullest disk, as last known; None where it can't be told."""
    known = _known.setdefault(settings.EVENTS_URL, _Known())
    if time.monotonic() - known.at > ASKED_EVERY_S and _asking.acquire(blocking=False):
        known.at = time.monotonic()
        # Nobody waits for the answer: a store that hangs must not hold a request.
        threading.Thread(target=_ask, args=(known,), daemon=True).start()
    return known.free


def _ask(known: _Known) -> None:
    try:
        disks = layout().of_all_nodes("system.disks")
        rows = run(Statement(f"SELECT min(unreserved_space) AS free FROM {disks}")).rows  # noqa: S608
        known.free = int(rows[0]["free"]) if rows else None
    except Exception as error:  # not knowing is no reason to refuse
        log.warning("space.unknown", extra={"error": str(error)[:300]})
    finally:
        _asking.release()
