"""One round: everything that is due, with all flags of an environment and age in one scan.

A scan costs about the same for one flag as for twenty, so flags that are due together are measured
together. A round keeps no state but the watches': one that is killed half way is repeated when its
claims run out, and nothing can be counted twice, as every look counts the events anew.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from events.store.client import StoreUnavailable
from events.store.read import QueryTooLarge, Statement, moment, run
from flags.models import Flag
from insights import looks, watches
from insights.claims import claim, held
from insights.cohorts import Comparison
from insights.comparison import NothingToCompare, totals_of_many
from insights.health import Health, Window, health_of_many
from insights.models import Watch
from insights.totals import Totals

log = logging.getLogger("flipscope.insights")

AT_ONCE = 40
ARRIVING = timedelta(seconds=5)  # what was stored while the last look read may not be in it
AGES = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=4))


def measure(now: datetime, limit: int = AT_ONCE) -> int:
    """Looks at what is due. Returns how many watches were looked at, not passed over.

    `now` is when the round begins: what is claimed later in it is looked at as of then.
    """
    began = time.monotonic()

    def then() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    due = Watch.objects.filter(id__in=watches.due(now, limit)).order_by("next_look_at")
    together: dict[tuple[int, int], list[Watch]] = defaultdict(list)
    newest: dict[int, datetime | None] = {}
    looked = 0
    try:
        for watch in due:
            if watch.environment_id not in newest:
                newest[watch.environment_id] = last_arrival(watch.environment_id, now)
            if _nothing_new(watch, newest[watch.environment_id], now):
                watches.pass_over(watch, now)
            elif watch.subject == Watch.Subject.FLAG and watch.candidate:
                together[watch.environment_id, _age(watch, now)].append(watch)
            else:
                looked += looks.look(watch.id, then()) is not None
        for group in together.values():
            looked += _measure_together([watch.id for watch in group], then())
    except StoreUnavailable:
        log.warning("round.store_unavailable")
    return looked


def _age(watch: Watch, now: datetime) -> int:
    """Which scan a watch belongs to: a fresh change's looks must not read a fortnight each."""
    return sum(now - watch.started_at > age for age in AGES)


def last_arrival(environment_id: int, now: datetime) -> datetime | None:
    """When the newest event was stored, None if none was within the day. Cheap: reads few marks."""
    rows = run(
        Statement(
            """SELECT toUnixTimestamp64Milli(max(received)) AS last FROM events
            WHERE environment = {environment:UInt32}
              AND received >= {since:DateTime64(6, 'UTC')}""",
            {"environment": environment_id, "since": moment(now - timedelta(days=1))},
        )
    ).rows
    last = int(rows[0]["last"]) if rows else 0
    return datetime.fromtimestamp(last / 1000, UTC) if last > 0 else None


def _nothing_new(watch: Watch, newest: datetime | None, now: datetime) -> bool:
    """Whether no event has arrived since the watch's last look, and what it said still holds.

    What has ended since must be said anew: an answer is not awaited any more.
    """
    if watch.looked_at is None or watch.looks < watches.SETTLING_LOOKS:
        return False
    if watch.is_over(now) and not watch.is_closed:
        return False
    return newest is None or newest < watch.looked_at - ARRIVING


def _measure_together(ids: Sequence[int], now: datetime) -> int:
    claimed = [watch for watch in (claim(id, now) for id in ids) if watch is not None]
    if not claimed:
        return 0
    comparisons = [looks.variants_compared(watch, now) for watch in claimed]
    with held(claimed):
        try:
            found = totals_of_many(comparisons)
            known = _health(claimed, found)
        except QueryTooLarge:
            return _measure_apart(claimed, comparisons, now)
        flags = _definitions(claimed)
        for watch, totals in zip(claimed, found, strict=True):
            flag = flags.get((watch.environment_id, watch.flag))
            try:
                result = looks.judged(watch, totals, flag, now, known.get(watch.id))
            except NothingToCompare as reason:
                looks.keep_reason(watch, str(reason), now)
            else:
                looks.keep(watch, result, now)
    return len(claimed)


def _health(
    claimed: Sequence[Watch], found: Sequence[Totals | NothingToCompare]
) -> dict[int, Health]:
    """By watch, of the time that its variants share."""
    windows = {
        watch.id: Window(watch.flag, one.comparison.since, one.comparison.until)
        for watch, one in zip(claimed, found, strict=True)
        if isinstance(one, Totals)
    }
    healths = health_of_many(claimed[0].environment_id, list(windows.values()))
    return dict(zip(windows, healths, strict=True))


def _measure_apart(
    claimed: Sequence[Watch], comparisons: Sequence[Comparison], now: datetime
) -> int:
    """Too much for one scan: half of the flags at a time, down to one."""
    if len(claimed) == 1:
        looks.keep_reason(claimed[0], "Too much traffic for one look at this flag", now)
        return 1
    middle = len(claimed) // 2
    for half in (claimed[:middle], claimed[middle:]):
        Watch.objects.filter(id__in=[watch.id for watch in half]).update(next_look_at=now)
        _measure_together([watch.id for watch in half], now)
    return len(claimed)


def _definitions(claimed: Sequence[Watch]) -> dict[tuple[int, str], Flag]:
    found = Flag.objects.select_related("environment").filter(
        environment_id__in={watch.environment_id for watch in claimed},
        key__in={watch.flag for watch in claimed},
    )
    return {(flag.environment_id, flag.key): flag for flag in found}
