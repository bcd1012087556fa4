"""How long events are kept, per environment, and the deletion of one user's events on request.

The engine itself forgets: a TTL of each table, whose days are looked up by environment. Deletion
rewrites the parts that hold the user, so that nothing of it is left on disk.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from clickhouse_connect.driver.exceptions import Error as EngineError
from django.conf import settings

from events.models import Retention, UserDeletion
from events.store.client import client, layout, unavailable_as_such
from events.store.layout import BY_TRACE, Layout
from events.store.read import Statement, run

log = logging.getLogger("flipscope.events")

FOREVER_DAYS = 20_000  # as far as the engine's dates reach
TABLES = {
    "events": "toDateTime(time)",
    "exposures": "hour",
    "unit_exposures": "toDateTime(time)",
    "placeless": "hour",
}
ENGINE = """
SELECT name, engine_full FROM system.tables
WHERE database = currentDatabase() AND name IN {names:Array(String)}
"""
# Whole requests: what a user's trace holds besides belongs to the same person. On a cluster a
# trace is on one node, so each looks at what it has itself.
TRACES = (
    "(SELECT trace FROM EVENTS WHERE environment = {environment:UInt32} "
    "AND user_id = {user:String} AND trace != 0)"
)
DELETIONS = {
    "exposures": f"environment = {{environment:UInt32}} AND trace IN {TRACES}",
    "unit_exposures": "environment = {environment:UInt32} AND user_id = {user:String}",
    "events": "environment = {environment:UInt32} "
    f"AND (user_id = {{user:String}} OR trace IN {TRACES})",
}
SECONDS = 200  # one deletion; a task has 300


@dataclass(frozen=True, slots=True)
class Applied:
    """What a look changed."""

    tables: list[str]
    deleted: int


def apply(now: datetime) -> Applied:
    """Makes the store keep what is set, and deletes what was asked. Raises StoreUnavailable."""
    return Applied(_set_ttls(), sum(_delete(one, now) for one in _due()))


def days_of() -> dict[int, int]:
    """The environments that have a retention of their own; 0 is for ever."""
    return dict(Retention.objects.order_by("environment_id").values_list("environment_id", "days"))


def _set_ttls() -> list[str]:
    """Only where it is not so already: a change makes the engine look at every part once."""
    place = layout()
    there = {row["name"]: row["engine_full"] for row in _tables(place)}
    changed = []
    for table, at in TABLES.items():
        wanted = _ttl(at)
        said = there.get(place.stored_name(table), "")
        has = f"TTL {wanted} " in f"{said} " if wanted else False
        if has or (not wanted and " TTL " not in said):
            continue
        sql = f"MODIFY TTL {wanted}" if wanted else "REMOVE TTL"
        with unavailable_as_such():
            client().command(f"ALTER TABLE {place.stored(table)} {sql}")
        log.info("retention.set", extra={"table": table})
        changed.append(table)
    return changed


def _tables(place: Layout) -> list[dict[str, str]]:
    return run(Statement(ENGINE, {"names": [place.stored_name(one) for one in TABLES]})).rows


def _ttl(at: str) -> str:
    """The TTL's expression as the engine writes it back; "" where everything is kept."""
    own = days_of()
    general = settings.EVENTS_RETENTION_DAYS
    if not own and not general:
        return ""
    if not own:
        return f"{at} + toIntervalDay({general})"
    numbers = ", ".join(str(days or FOREVER_DAYS) for days in own.values())
    return (
        f"{at} + toIntervalDay(transform(environment, [{', '.join(map(str, own))}], "
        f"[{numbers}], {general or FOREVER_DAYS}))"
    )


def deletion(table: str, place: Layout) -> list[str]:
    """What takes one user's rows (environment, user) out of a table, on every node."""
    where = DELETIONS[table].replace("EVENTS", place.stored_name("events"))
    delete = f"ALTER TABLE {place.stored(table)} DELETE WHERE {where}"
    if not place.cluster:
        return [delete]
    # Every copy must know the user's traces before it looks for them.
    caught_up = (
        f"SYSTEM SYNC REPLICA {place.everywhere} {place.stored_name(one)}"
        for one in ("events", table)
    )
    return [*dict.fromkeys(caught_up), delete]


def _patience(place: Layout) -> dict[str, int]:
    if not place.cluster:
        return {"mutations_sync": 1, "max_execution_time": SECONDS}
    return {
        "mutations_sync": 2,
        "allow_nondeterministic_mutations": 1,  # the traces are asked for on each node
        "distributed_ddl_task_timeout": SECONDS,
        "max_execution_time": SECONDS,
    }


def _due() -> list[UserDeletion]:
    return list(UserDeletion.objects.filter(done_at=None).order_by("id")[:10])


def _delete(asked: UserDeletion, now: datetime) -> bool:
    """Deletes, and forgets whom: the request stays as a record without the user's id."""
    parameters = {"environment": asked.environment_id, "user": asked.user_id}
    place = layout()
    where = DELETIONS["events"].replace("EVENTS", "events")
    counted = f"SELECT count() AS n FROM events WHERE {where}"  # noqa: S608  # ours
    found = int(run(Statement(counted, parameters, BY_TRACE)).rows[0]["n"])
    for table in DELETIONS:
        try:
            with unavailable_as_such():
                for sql in deletion(table, place):
                    client().command(sql, parameters=parameters, settings=_patience(place))
        except EngineError as error:
            log.exception("deletion.failed", extra={"table": table, "code": error.code})
            return False
    UserDeletion.objects.filter(id=asked.id).update(
        done_at=now, events=found, user_id=f"{asked.user_id[:2]}…"
    )
    log.info("deletion.done", extra={"deletion_id": asked.id, "events": found})
    return True
