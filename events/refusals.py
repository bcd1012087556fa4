"""What arrived and what was refused, counted by minute in PostgreSQL for the Data page.

Counts gather in the process and are written together every two seconds, so that intake waits for
no database; a database that is away costs counts, never events.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.db.models import Aggregate, F, FloatField, Max, Sum
from django.db.models.functions import Cast, NullIf
from redis.exceptions import RedisError

from events.event import Event, Exposure, Notes
from events.models import Arrival, Refusal
from events.reasons import Reason, told
from events.store.insert import mark
from projects.models import Environment

log = logging.getLogger("flipscope.events")

FLUSH_EVERY_S = 2.0
REMEMBERED_S = 900  # how long a client may try to send a batch again
MAX_WAITING = 2000  # rows; beyond it services are counted together
MANY = "(many services)"

# events, exposures, bytes, lag_ms, with_user, with_build, weight
ArrivalKey = tuple[int, datetime, str, str, str]
RefusalKey = tuple[int, datetime, str, str, str]
_arrivals: dict[ArrivalKey, list[float]] = {}
_refusals: dict[RefusalKey, tuple[int, str]] = {}
_lock = threading.Lock()
_timer: threading.Timer | None = None

ADD_ARRIVAL = """
INSERT INTO events_arrival (environment_id, minute, service, form, client,
    events, exposures, bytes, lag_ms, with_user, with_build, weight)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (environment_id, minute, service, form, client) DO UPDATE SET
    events = events_arrival.events + EXCLUDED.events,
    exposures = events_arrival.exposures + EXCLUDED.exposures,
    bytes = events_arrival.bytes + EXCLUDED.bytes,
    lag_ms = events_arrival.lag_ms + EXCLUDED.lag_ms,
    with_user = events_arrival.with_user + EXCLUDED.with_user,
    with_build = events_arrival.with_build + EXCLUDED.with_build,
    weight = events_arrival.weight + EXCLUDED.weight
"""
ADD_REFUSAL = """
INSERT INTO events_refusal (environment_id, minute, form, reason, what, count, example)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (environment_id, minute, form, reason, what) DO UPDATE SET
    count = events_refusal.count + EXCLUDED.count, example = EXCLUDED.example
"""


def is_new(token: str) -> bool:
    """False for a batch that was counted before: its answer was lost, and it came again.

    What is not remembered is counted: the store knows by itself what it has.
    """
    try:
        return bool(cache.add(f"counted:{mark(token)}", 1, REMEMBERED_S))
    except RedisError:
        return True


def arrived(
    environment_id: int,
    events: list[Event],
    exposures: list[Exposure],
    *,
    form: str,
    client: str,
    size: int,
    now: datetime,
) -> None:
    """Counts a stored batch by service."""
    now_us = int(now.timestamp() * 1_000_000)
    counts: dict[str, list[float]] = defaultdict(lambda: [0] * 7)
    for event in events:
        count = counts[event.service]
        count[0] += 1
        count[3] += max(now_us - event.time_us, 0) // 1000
        count[4] += event.user_id != ""
        count[5] += event.build_id != ""
        count[6] += event.sample_rate
    for exposure in exposures:
        counts[exposure.service][1] += 1
    total = sum(count[0] + count[1] for count in counts.values())
    minute = now.replace(second=0, microsecond=0)
    with _lock:
        for service, count in counts.items():
            count[2] = size * (count[0] + count[1]) // total
            name = service[:200] if len(_arrivals) < MAX_WAITING else MANY
            key = (environment_id, minute, _storable(name), form[:40], _storable(client[:200]))
            there = _arrivals.setdefault(key, [0] * 7)
            for place, value in enumerate(count):
                there[place] += value
    _soon()


def refused(environment_id: int, form: str, notes: Notes, *, now: datetime) -> None:
    """Counts what was refused or set aside, by reason, with an example."""
    if not notes.found:
        return
    minute = now.replace(second=0, microsecond=0)
    with _lock:
        for (what, reason), note in notes.found.items():
            key = (environment_id, minute, form[:40], reason[:60], what[:10])
            count = _refusals.get(key, (0, ""))[0] + note.count
            _refusals[key] = (count, _storable(note.example))
    _soon()


def _storable(text: str) -> str:
    """As PostgreSQL takes it."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _soon() -> None:
    global _timer
    if connection.in_atomic_block:
        flush()  # inside somebody's transaction the counts belong to it
        return
    with _lock:
        if _timer is None:
            _timer = threading.Timer(FLUSH_EVERY_S, _flush_alone)
            _timer.daemon = True
            _timer.start()


def _flush_alone() -> None:
    global _timer
    with _lock:
        _timer = None
    try:
        flush()
    finally:
        connection.close()


def _there(environments: set[int]) -> set[int]:
    return set(Environment.objects.filter(id__in=environments).values_list("id", flat=True))


def flush() -> None:
    """Writes what has gathered. Counts that the database does not take are lost, and logged.

    Environments that are gone by now have no page to be shown on. One transaction, as an error in
    the middle of a pipeline would leave the connection unusable.
    """
    with _lock:
        arrivals, refusals = sorted(_arrivals.items()), sorted(_refusals.items())
        _arrivals.clear()
        _refusals.clear()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            there = _there({key[0] for key, _ in (*arrivals, *refusals)})
            came: list[tuple[Any, ...]] = [
                (*key, *count) for key, count in arrivals if key[0] in there
            ]
            kept_out: list[tuple[Any, ...]] = [
                (*key, *count) for key, count in refusals if key[0] in there
            ]
            if came:
                cursor.executemany(ADD_ARRIVAL, came)
            if kept_out:
                cursor.executemany(ADD_REFUSAL, kept_out)
    except DatabaseError as error:
        log.warning("counts.lost", extra={"error": str(error)[:300]})


class Median(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class Service:
    """What one service sent in one form since a time; shares are 0 to 1, None without events."""

    name: str
    form: str
    client: str
    events: int
    exposures: int
    bytes: int
    lag_s: float | None  # of a usual minute: what is sent from the past at once is none
    user_share: float | None
    build_share: float | None
    rate: float | None  # mean sample rate: how many requests one event stands for
    last: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    what: str
    reason: str
    form: str
    count: int
    example: str
    last: datetime

    @property
    def told(self) -> Reason:
        return told(self.reason)


@dataclass(frozen=True, slots=True)
class Overview:
    services: list[Service]
    refused: list[Refused]
    events: int
    exposures: int
    has_users: bool
    has_builds: bool
    has_flags: bool


def overview(environment_id: int, since: datetime) -> Overview:
    """What came in and what was refused since a time, for the Data page."""
    flush()
    services = [
        _service(row)
        for row in Arrival.objects.filter(environment_id=environment_id, minute__gte=since)
        .values("service", "form", "client")
        .annotate(
            total=Sum("events"),
            seen=Sum("exposures"),
            size=Sum("bytes"),
            lag=Median(Cast("lag_ms", FloatField()) / NullIf(F("events"), 0)),
            users=Sum("with_user"),
            builds=Sum("with_build"),
            weight=Sum("weight"),
            last=Max("minute"),
        )
        .order_by("-total", "service")
    ]
    refused: dict[tuple[str, str, str], Refused] = {}
    for row in Refusal.objects.filter(environment_id=environment_id, minute__gte=since).order_by(
        "minute"
    ):
        before = refused.get((row.what, row.reason, row.form))
        count = row.count + (before.count if before else 0)
        refused[row.what, row.reason, row.form] = Refused(
            row.what, row.reason, row.form, count, row.example, row.minute
        )
    return Overview(
        services,
        sorted(refused.values(), key=lambda one: -one.count),
        sum(one.events for one in services),
        sum(one.exposures for one in services),
        any(one.user_share for one in services),
        any(one.build_share for one in services),
        any(one.exposures for one in services),
    )


def _service(row: Mapping[str, Any]) -> Service:
    events = row["total"]
    return Service(
        row["service"],
        row["form"],
        row["client"],
        events,
        row["seen"],
        row["size"],
        None if row["lag"] is None else row["lag"] / 1000,
        row["users"] / events if events else None,
        row["builds"] / events if events else None,
        row["weight"] / events if events and row["weight"] >= events else None,
        row["last"],
    )
