"""Long questions: how far they are, and stopping them, from another process.

A statement that may be watched begins with a comment that holds its mark; the engine lists what
runs with its text, and ends a statement by it. Marks carry the environment, so that one tenant
can neither see nor stop another's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from clickhouse_connect.driver.exceptions import Error as EngineError
from django.core.cache import cache

from events.store.client import client, layout, unavailable_as_such
from events.store.read import QueryStopped, Result, Statement, run

TOKEN = re.compile(r"[0-9a-f]{16}\Z")
STOPPED_FOR_S = 120


@dataclass(frozen=True, slots=True)
class Progress:
    """What the statement under way has read; `total` is an estimate and may be 0."""

    read_rows: int
    total_rows: int
    elapsed_s: float

    @property
    def share(self) -> float | None:
        if not self.total_rows:
            return None
        return min(self.read_rows / self.total_rows, 1)


def _mark(environment_id: int, token: str) -> str:
    if not TOKEN.match(token):
        raise ValueError("A token is 16 hexadecimal digits.")
    return f"/* asked {environment_id} {token} */"


def _stopped(environment_id: int, token: str) -> str:
    return f"stopped:{environment_id}:{token}"


def watched(environment_id: int, token: str) -> Callable[[Statement], Result]:
    """`run` for statements that can be watched and stopped by their token."""
    mark = _mark(environment_id, token)

    def ask(statement: Statement) -> Result:
        if cache.get(_stopped(environment_id, token)):
            raise QueryStopped("The query was stopped.")
        return run(replace(statement, sql=f"{mark} {statement.sql}"))

    return ask


def progress(environment_id: int, token: str) -> Progress | None:
    """Of what runs longest under this token; None for nothing. Raises StoreUnavailable."""
    rows = run(
        Statement(
            "SELECT read_rows, total_rows_approx, elapsed "  # noqa: S608  # ours
            f"FROM {layout().of_all_nodes('system.processes')} "
            "WHERE startsWith(query, {mark:String}) ORDER BY elapsed DESC LIMIT 1",
            {"mark": _mark(environment_id, token)},
        )
    ).rows
    if not rows:
        return None
    row = rows[0]
    return Progress(int(row["read_rows"]), int(row["total_rows_approx"]), float(row["elapsed"]))


def stop(environment_id: int, token: str) -> None:
    """Ends what runs under this token, and what would follow it. Raises StoreUnavailable."""
    mark = _mark(environment_id, token)
    cache.set(_stopped(environment_id, token), 1, STOPPED_FOR_S)
    with unavailable_as_such():
        try:
            client().command(
                f"KILL QUERY {layout().everywhere} WHERE startsWith(query, {{mark:String}}) ASYNC",
                parameters={"mark": mark},
            )
        except EngineError as error:
            if error.code is None:
                raise
