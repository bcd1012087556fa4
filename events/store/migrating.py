"""Applies the versions of the event store's schema that are missing, on one server or a cluster.

Every statement may be repeated: a migration that broke off is finished by the next. Nodes that
joined a cluster since get the tables as they are now.
"""

import re
from typing import Any

from clickhouse_connect.driver.exceptions import Error as EngineError

from events.store.client import client, layout, unavailable_as_such
from events.store.layout import LOCAL, NAME, Layout
from events.store.schema import TABLES, VERSIONS, Version, applied_table

SECONDS = 600  # one statement on all nodes of a cluster
_CREATED = re.compile(r"CREATE TABLE (\S+)( UUID '[^']*')?(.*)", re.DOTALL)


class CannotMigrate(Exception):
    """What stands in the way, and what to do."""


def migrate(cluster: str = "") -> list[Version]:
    """Applies the versions that the store lacks, in order, and returns them.

    `cluster` makes replicated and distributed tables where there are none; later calls know from
    the tables. Raises StoreUnavailable and CannotMigrate.
    """
    place = _place(cluster)
    if place.cluster:
        _check(place)
        _do(f"CREATE DATABASE IF NOT EXISTS {_database()} {place.everywhere}", place)
        _add_nodes(place)
    _do(applied_table(place), place)
    there = {row[0] for row in _rows("SELECT version FROM applied")}
    missing = [version for version in VERSIONS if version.number not in there]
    for version in missing:
        for statement in version.does.statements(place):
            _do(statement, place)
        with unavailable_as_such():
            client().command(
                "INSERT INTO applied (version, name) SELECT {number:UInt32}, {name:String}",
                parameters={"number": version.number, "name": version.name},
                settings={"async_insert": 0},
            )
    return missing


def _place(cluster: str) -> Layout:
    there = layout()
    if not cluster or there.cluster == cluster:
        return there
    if not NAME.match(cluster):
        raise CannotMigrate("a cluster's name has letters, digits, '_', '-' and '.' only")
    if _rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'events'"
    ):
        kind = f"of the cluster {there.cluster}" if there.cluster else "of a single server"
        raise CannotMigrate(
            f"the database holds tables {kind} already. Name an empty database in EVENTS_URL, "
            "migrate that, and copy each table into it (docs/operations.md, Growing)."
        )
    return Layout(cluster)


def _check(place: Layout) -> None:
    """The cluster exists, and its nodes know which part and which copy they are."""
    known: dict[str, int] = dict(
        _rows("SELECT cluster, count() FROM system.clusters GROUP BY cluster")
    )
    if place.cluster not in known:
        names = ", ".join(sorted(known)) or "none"
        raise CannotMigrate(
            f"the server knows no cluster {place.cluster} (remote_servers). It knows: {names}."
        )
    macros = place.of_all_nodes("system.macros")
    [(ready,)] = _rows(
        f"SELECT count() FROM (SELECT hostName() AS host FROM {macros} "  # noqa: S608  # ours
        "WHERE macro IN ('shard', 'replica') GROUP BY host HAVING uniqExact(macro) = 2)"
    )
    if ready < known[place.cluster]:
        raise CannotMigrate(
            f"{known[place.cluster] - ready} of {known[place.cluster]} nodes of {place.cluster} "
            "have no macros {shard} and {replica}: each node's configuration must set both."
        )


def _add_nodes(place: Layout) -> None:
    """Tables that some node lacks are made there as the others have them; none: nothing to do."""
    [(nodes,)] = _rows(
        "SELECT count() FROM system.clusters WHERE cluster = {cluster:String}",
        cluster=place.cluster,
    )
    tables = place.of_all_nodes("system.tables")
    # The stored tables first: those in front of them take their columns.
    names = [name + LOCAL for name in TABLES] + ["applied", *TABLES]
    found = {
        name: (count, created)
        for name, count, created in _rows(
            f"SELECT name, count(), any(create_table_query) FROM {tables} "  # noqa: S608  # ours
            "WHERE database = currentDatabase() AND name IN {names:Array(String)} GROUP BY name",
            names=names,
        )
    }
    for name in names:
        if name in found and found[name][0] < nodes:
            _do(again(found[name][1], place), place)


def again(created: str, place: Layout) -> str:
    """A table's own CREATE statement as one that makes it where it is not yet."""
    found = _CREATED.match(created)
    if not found:
        raise CannotMigrate(f"the server describes a table in a way not known here: {created[:80]}")
    return f"CREATE TABLE IF NOT EXISTS {found[1]} {place.everywhere}{found[3]}"


def _database() -> str:
    [(name,)] = _rows("SELECT currentDatabase()")
    return f"`{name}`"


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with unavailable_as_such():
        return [tuple(row) for row in client().query(sql, parameters=parameters).result_rows]


def _do(sql: str, place: Layout) -> None:
    settings = {"distributed_ddl_task_timeout": SECONDS} if place.cluster else {}
    try:
        with unavailable_as_such():
            client().command(sql, settings=settings)
    except EngineError as error:
        raise CannotMigrate(f"{sql.strip()[:80]}…: {str(error)[:400]}") from error
