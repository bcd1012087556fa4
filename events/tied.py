"""Exposures of somebody outside any trace are tied to that user's later requests.

For each request the last exposure before it, of each flag, within a day (ASOF JOIN). The result is
added to the exposures of the request's trace: a set, so that nothing is rewritten, a repetition
adds nothing, and questions cost what they cost anyway. A trace that has an exposure of its own
for the flag keeps that one.

Done every few seconds for what arrived since the last time, requests and exposures alike: which of
the two came first does not matter.
"""

import logging
from datetime import datetime, timedelta

from events.models import Tied
from events.store.client import client, unavailable_as_such
from events.store.layout import READING, WRITING
from events.store.read import Statement, moment, run
from projects.models import Environment

log = logging.getLogger("flipscope.events")

WITHIN = timedelta(hours=24)
SETTLED = timedelta(seconds=3)  # what arrives together is looked at together
LONGEST = timedelta(hours=1)  # of one look: what lies further back follows in the next

FLAGS = """
SELECT environment, groupUniqArray(flag) AS flags FROM unit_exposures
WHERE time >= {since:DateTime64(6, 'UTC')} GROUP BY environment
"""

TIE = """
INSERT INTO exposures (environment, hour, trace, pairs, flags, details)
SELECT {environment:UInt32}, toStartOfHour(hit.time), hit.trace,
    [concat(hit.flag, '\\x1f', told.variant)], [hit.flag],
    [arrayStringConcat([hit.flag, told.variant, told.reason, told.version, hit.user_id], '\\x1f')]
FROM (
    SELECT time, trace, user_id, arrayJoin({flags:Array(String)}) AS flag
    FROM events
    WHERE environment = {environment:UInt32} AND entry AND user_id != '' AND trace != 0
        AND time >= {oldest:DateTime64(6, 'UTC')}
        AND (
            (received >= {since:DateTime64(3, 'UTC')} AND received < {until:DateTime64(3, 'UTC')})
            OR user_id IN (
                SELECT user_id FROM unit_exposures
                WHERE environment = {environment:UInt32}
                    AND received >= {since:DateTime64(3, 'UTC')}
                    AND received < {until:DateTime64(3, 'UTC')}
            )
        )
) AS hit
ASOF INNER JOIN (
    SELECT user_id, flag, time, variant, reason, version FROM unit_exposures FINAL
    WHERE environment = {environment:UInt32} AND time >= {oldest:DateTime64(6, 'UTC')}
) AS told ON hit.user_id = told.user_id AND hit.flag = told.flag AND hit.time >= told.time
WHERE hit.time <= told.time + INTERVAL 1 DAY
    AND (hit.trace, hit.flag) NOT IN (
        SELECT trace, arrayJoin(flags) FROM exposures
        WHERE environment = {environment:UInt32}
            AND hour >= toStartOfHour({oldest:DateTime64(6, 'UTC')})
            AND hasAny(flags, {flags:Array(String)})
    )
"""


def tie_all(now: datetime) -> int:
    """Every environment that had such exposures within a day; returns how many were looked at."""
    rows = run(Statement(FLAGS, {"since": moment(now - WITHIN - LONGEST)})).rows
    known = set(Environment.objects.values_list("id", flat=True))
    done = 0
    for row in rows:
        if row["environment"] in known:
            tie(row["environment"], list(row["flags"]), now)
            done += 1
    return done


def tie(environment_id: int, flags: list[str], now: datetime) -> None:
    """What arrived since the last time. Raises StoreUnavailable; the next look makes up for it."""
    tied, _ = Tied.objects.get_or_create(
        environment_id=environment_id, defaults={"until": now - LONGEST}
    )
    since, until = tied.until, min(now - SETTLED, tied.until + LONGEST)
    if until <= since:
        return
    with unavailable_as_such():
        client().command(
            TIE,
            parameters={
                "environment": environment_id,
                "flags": flags,
                "since": since.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
                "until": until.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
                "oldest": moment(since - WITHIN),
            },
            settings=READING | WRITING | {"parallel_distributed_insert_select": 0},
        )
    Tied.objects.filter(id=tied.id, until=since).update(until=until)
