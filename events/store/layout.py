"""One server, or a cluster: which names statements about tables must use.

On a cluster each node holds its part of a table under NAME_local, replicated, and NAME is the
Distributed table in front of them, which everything reads and writes. Only what changes tables
needs to know; which of the two it is can be seen from the tables themselves.
"""

import re
from dataclasses import dataclass

LOCAL = "_local"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")
# Joins and subqueries of Distributed tables: asked once, of all nodes, and sent to each; a
# statement whose tables only meet by trace may say `local`, as a trace is on one node.
READING: dict[str, str | int] = {
    "distributed_product_mode": "global",
    "optimize_skip_unused_shards": 1,
}
BY_TRACE: dict[str, str | int] = {"distributed_product_mode": "local"}
# An answer means stored: not before every node has its rows.
WRITING: dict[str, str | int] = {"async_insert": 0, "distributed_foreground_insert": 1}


@dataclass(frozen=True, slots=True)
class Layout:
    """`cluster` is the name of one in the servers' `remote_servers`; "" is a single server."""

    cluster: str = ""

    def stored(self, table: str) -> str:
        """The table that holds the rows, as ALTER TABLE names it."""
        return f"{table}{LOCAL} {self.everywhere}" if self.cluster else table

    def stored_name(self, table: str) -> str:
        return f"{table}{LOCAL}" if self.cluster else table

    @property
    def everywhere(self) -> str:
        """What makes a statement about tables hold on every node."""
        return f"ON CLUSTER '{self.cluster}'" if self.cluster else ""

    def of_all_nodes(self, system_table: str) -> str:
        """One of the engine's own tables, over all nodes."""
        if self.cluster:
            return f"clusterAllReplicas('{self.cluster}', {system_table})"
        return system_table


def laid_out(engine_full: str) -> Layout:
    """The layout that the engine of the table `events` tells of."""
    found = re.match(r"Distributed\('?([A-Za-z0-9_.-]+)'?,", engine_full)
    return Layout(found[1]) if found else Layout()
