"""How a flag's new variant reached the service: who evaluates it, and when each copy had it."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from events.query.flags import variant_of_trace
from events.store.read import Statement, moment, run

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
SHARES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Use:
    """One service whose requests report the flag, in the last hour."""

    service: str
    instances: int
    having: int  # instances that reported it
    builds: tuple[str, ...]
    last: datetime


@dataclass(frozen=True, slots=True)
class Spread:
    """When the new variant was first seen after the flip, and by what share of instances since.

    `reached` has a time for each of SHARES, or None where it has not come that far; `requests` and
    `users` are those that have had it."""

    first: datetime | None
    instances: int
    having: int
    reached: tuple[tuple[int, datetime | None], ...]
    old_after: int  # requests with another variant that came after an instance had the new one
    requests: int = 0
    users: int = 0


def uses(environment_id: int, flag: str, now: datetime) -> list[Use]:
    """Where the flag is evaluated, busiest service first."""
    rows = run(
        Statement(
            """SELECT service, uniqExact(instance) AS instances,
                uniqExactIf(instance, saw) AS having,
                groupUniqArrayIf(5)(build_id, saw AND build_id != '') AS builds,
                toUnixTimestamp64Micro(maxIf(time, saw)) AS last, countIf(saw) AS n
            FROM (SELECT service, instance, build_id, time, trace IN (
                    SELECT trace FROM exposures WHERE environment = {environment:UInt32}
                    AND hour >= toStartOfHour({since:DateTime64(6, 'UTC')}) - INTERVAL 1 HOUR
                    AND has(flags, {flag:String})) AS saw
                FROM events WHERE environment = {environment:UInt32} AND entry
                AND time >= {since:DateTime64(6, 'UTC')})
            GROUP BY service HAVING n > 0 ORDER BY n DESC LIMIT 20""",
            _parameters(environment_id, flag, now - HOUR),
        )
    ).rows
    return [
        Use(
            row["service"],
            int(row["instances"]),
            int(row["having"]),
            tuple(sorted(row["builds"])),
            datetime.fromtimestamp(int(row["last"]) / 1e6, UTC),
        )
        for row in rows
    ]


def users_a_day(environment_id: int, flag: str, now: datetime) -> int:
    """About how many users saw the flag in the last day."""
    rows = run(
        Statement(
            """SELECT uniq(user_id) AS users FROM events
            WHERE environment = {environment:UInt32} AND entry AND user_id != ''
                AND time >= {since:DateTime64(6, 'UTC')} AND trace IN (
                    SELECT trace FROM exposures WHERE environment = {environment:UInt32}
                    AND hour >= toStartOfHour({since:DateTime64(6, 'UTC')}) - INTERVAL 1 HOUR
                    AND has(flags, {flag:String}))""",
            _parameters(environment_id, flag, now - DAY),
        )
    ).rows
    return int(rows[0]["users"]) if rows else 0


def spread(
    environment_id: int, flag: str, variant: str, flipped: datetime, until: datetime
) -> Spread:
    """How the variant spread over the instances that evaluate the flag after the flip."""
    parameters = _parameters(environment_id, flag, flipped) | {
        "until": moment(until),
        "variant": variant,
    }
    rows = run(
        Statement(
            f"""SELECT service, instance, grouping(service, instance) AS total,
                countIf(variant = {{variant:String}}) AS new,
                uniqIf(user_id, variant = {{variant:String}} AND user_id != '') AS users,
                toUnixTimestamp64Micro(minIf(time, variant = {{variant:String}})) AS first,
                countIf(variant != {{variant:String}}) AS old
            FROM {variant_of_trace()} AS seen INNER JOIN (
                SELECT trace, service, instance, time, user_id FROM events
                WHERE environment = {{environment:UInt32}} AND entry
                AND time >= {{since:DateTime64(6, 'UTC')}}
                AND time < {{until:DateTime64(6, 'UTC')}}) AS hit ON seen.trace = hit.trace
            GROUP BY GROUPING SETS ((service, instance), ())""",  # noqa: S608  # constants only
            parameters,
        )
    ).rows
    in_all = [row for row in rows if int(row["total"])]
    rows = [row for row in rows if not int(row["total"])]
    firsts = sorted(int(row["first"]) for row in rows if int(row["new"]))
    reached = []
    for share in SHARES:
        needed = max(math.ceil(len(rows) * share / 100), 1)
        at = firsts[needed - 1] if needed <= len(firsts) else None
        reached.append((share, datetime.fromtimestamp(at / 1e6, UTC) if at else None))
    return Spread(
        first=datetime.fromtimestamp(firsts[0] / 1e6, UTC) if firsts else None,
        instances=len(rows),
        having=len(firsts),
        reached=tuple(reached),
        old_after=sum(int(row["old"]) for row in rows if int(row["new"])),
        requests=sum(int(row["new"]) for row in rows),
        users=sum(int(row["users"]) for row in in_all),
    )


def _parameters(environment_id: int, flag: str, since: datetime) -> dict[str, Any]:
    return {"environment": environment_id, "flag": flag, "since": moment(since)}
