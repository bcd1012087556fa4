"""Who works on a watch: claims that run out soon, and are renewed while their worker lives.

A worker that is killed leaves its watches to others within half a minute; a round that takes
minutes keeps them, so that nobody does its work twice.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, transaction

from insights.models import Watch

log = logging.getLogger("flipscope.insights")

BUSY = timedelta(seconds=30)
RENEWED_AFTER = BUSY / 3


def claim(watch_id: int, now: datetime) -> Watch | None:
    """A due watch, for this worker alone until its claim runs out; None if another holds it."""
    with transaction.atomic():
        watch = (
            Watch.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("environment__project", "change")
            .filter(next_look_at__lte=now, id=watch_id)
            .first()
        )
        if watch is not None:
            watch.next_look_at = now + BUSY
            watch.save(update_fields=["next_look_at"])
    return watch


@contextmanager
def held(claimed: Sequence[Watch]) -> Iterator[None]:
    """Renews these watches' claims for as long as the work in it takes."""
    until = {watch.id: watch.next_look_at for watch in claimed if watch.next_look_at}
    ended = threading.Event()
    thread = threading.Thread(
        target=_renewing, args=(until, ended), name="renewing claims", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def renew(until: dict[int, datetime], longer: timedelta) -> None:
    """Moves claims ahead, and `until` with them; a watch whose look is kept already stays so."""
    for ends in set(until.values()):
        mine = [watch_id for watch_id, its_end in until.items() if its_end == ends]
        Watch.objects.filter(id__in=mine, next_look_at=ends).update(next_look_at=ends + longer)
        until.update(dict.fromkeys(mine, ends + longer))


def _renewing(until: dict[int, datetime], ended: threading.Event) -> None:
    last = time.monotonic()
    try:
        while not ended.wait(RENEWED_AFTER.total_seconds()):
            passed = time.monotonic() - last
            try:
                renew(until, timedelta(seconds=passed))
            except DatabaseError:
                log.warning("claims.not_renewed", exc_info=True)
                connection.close()  # it may be broken: the next renewal opens its own
                continue
            last += passed
    finally:
        connection.close()  # a thread has a connection of its own
