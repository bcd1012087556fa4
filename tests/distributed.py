"""A pytest plugin: the event store's tables behind Distributed ones, as on a cluster.

    python -m pytest -n 2 --dist worksteal -p tests.distributed tests/events tests/insights

Every statement and insert then goes through the Distributed tables that the product's own schema
makes. The cluster has one node, which is the embedded engine itself: that can neither listen, so
there is no second node, nor replicate, nor take a statement ON CLUSTER: tests of what the product
tells all nodes (an end of a question, deletions, retention) are left out by name.
"""

import atexit
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tests.parts  # the parts, of which the event engine is not used
from events.store.layout import LOCAL, Layout
from events.store.schema import VERSIONS, applied_table
from tests.stack.processes import free_port

ONE, CLUSTER = Layout(), Layout("alone")
SECRET = "distributed"
CONFIG = """<clickhouse><tcp_port>9000</tcp_port><remote_servers><alone><shard>
<internal_replication>true</internal_replication>
<replica><host>localhost</host><port>9000</port></replica></shard></alone></remote_servers>
<macros><shard>01</shard><replica>first</replica></macros></clickhouse>"""
NO_ON_CLUSTER = "the engine takes no statement ON CLUSTER"
LEFT_OUT = {
    "test_a_question_can_be_stopped_by_its_own_environment_only": NO_ON_CLUSTER,
    "test_one_users_events_are_deleted_with_their_whole_requests": NO_ON_CLUSTER,
    "test_each_environment_keeps_its_events_as_long_as_it_says": NO_ON_CLUSTER,
    "test_what_is_written_is_read_back_also_from_blocks_that_go_together": (
        "a table made like a Distributed one has the same events behind it"
    ),
}
# chDB takes its configuration with the folder's name.
ENGINE = """
import sys
import chdb
opened = chdb.connect
chdb.connect = lambda name: opened(f"{name}&--config-file={sys.argv[-1]}/../config.xml")
from stack.engine import main
main()
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if reason := LEFT_OUT.get(getattr(item, "originalname", item.name)):
            item.add_marker(pytest.mark.skip(reason=reason))


def statements() -> list[str]:
    """The schema's own, without what needs Keeper."""
    found = []
    for version in VERSIONS:
        stored, front = version.does.statements(CLUSTER)
        if stored.startswith("CREATE"):
            [stored] = version.does.statements(ONE)
            name = stored.split("IF NOT EXISTS ", 1)[1].split()[0]
            stored = stored.replace(name, f"{name}{LOCAL}", 1)
        found += [stored.replace(CLUSTER.everywhere, ""), front.replace(CLUSTER.everywhere, "")]
    return [*found, applied_table(ONE)]


def start() -> str:
    """Starts the engine with its tables and returns its address."""
    import clickhouse_connect

    folder = Path(os.environ["FLIPSCOPE_DATA"]) / "distributed"
    folder.mkdir()
    (folder / "config.xml").write_text(CONFIG)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", ENGINE, "--port", str(port), "--data", str(folder / "data")],
        cwd=tests.parts.ROOT,
        env=os.environ | {"FLIPSCOPE_ENGINE_SECRET": SECRET},
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.terminate)
    assert process.stdout
    assert "answers" in process.stdout.readline()
    url = f"http://flipscope:{SECRET}@127.0.0.1:{port}/default"
    with clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False) as client:
        for sql in statements():
            client.command(sql)
        numbers = ", ".join(f"({one.number}, '{one.name}', now())" for one in VERSIONS)
        client.command(f"INSERT INTO applied VALUES {numbers}")
    return url


if tests.parts.runs_tests():
    os.environ["EVENTS_URL"] = start()
    os.environ["EVENTS_GATHER"] = "off"
