"""The schema on a cluster: what is said to the servers, checked by the engine's own parser and,
where it can, by making the tables for real."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from events import retention
from events.store.client import client
from events.store.layout import Layout, laid_out
from events.store.migrating import again
from events.store.schema import TABLES, VERSIONS, applied_table
from tests.parts import ROOT

CLUSTER = Layout("main")
STATEMENTS = [
    applied_table(CLUSTER),
    *(sql for version in VERSIONS for sql in version.does.statements(CLUSTER)),
    *(sql for table in retention.DELETIONS for sql in retention.deletion(table, CLUSTER)),
    *(f"ALTER TABLE {CLUSTER.stored(table)} REMOVE TTL" for table in retention.TABLES),
    *(
        f"ALTER TABLE {CLUSTER.stored(table)} MODIFY TTL {at} + toIntervalDay(30)"
        for table, at in retention.TABLES.items()
    ),
]


def test_one_server_has_plain_tables_only() -> None:
    said = [sql for version in VERSIONS for sql in version.does.statements(Layout())]
    assert len(said) == len(VERSIONS)
    assert not [sql for sql in said if re.search("CLUSTER|Replicated|Distributed|_local", sql)]


def test_each_table_is_replicated_everywhere_with_a_distributed_one_in_front() -> None:
    stored, front = VERSIONS[0].does.statements(CLUSTER)
    assert stored.startswith("CREATE TABLE IF NOT EXISTS events_local ON CLUSTER 'main' (")
    assert (
        "ENGINE = ReplicatedMergeTree("
        "'/clickhouse/tables/{shard}/{database}/events_local', '{replica}')" in stored
    )
    assert "replicated_deduplication_window = 100000" in stored
    assert "fsync_after_insert = 1" in stored
    assert "non_replicated" not in stored
    assert front == (
        "CREATE OR REPLACE TABLE events ON CLUSTER 'main' AS events_local ENGINE = "
        "Distributed('main', currentDatabase(), 'events_local', cityHash64(trace))"
    )


def test_a_trace_and_its_exposures_are_on_one_node() -> None:
    by = {
        found[1]: found[2]
        for sql in STATEMENTS
        if (found := re.search(r"'(\w+)_local', cityHash64\((.*)\)\)$", sql))
    }
    assert by["events"] == by["exposures"] == "trace"
    assert by["unit_exposures"] == "user_id"
    assert set(by) == set(TABLES)


def test_engines_keep_their_arguments() -> None:
    [placeless] = [sql for sql in STATEMENTS if "EXISTS placeless_local" in sql]
    assert "placeless_local', '{replica}', count)" in placeless
    assert "ReplicatedSummingMergeTree(" in placeless


def test_a_change_of_a_table_reaches_the_stored_and_the_front_one() -> None:
    stored, front = VERSIONS[5].does.statements(CLUSTER)
    assert stored.startswith("ALTER TABLE events_local ON CLUSTER 'main'")
    assert "CREATE OR REPLACE TABLE events ON CLUSTER 'main' AS events_local" in front


def test_a_users_events_are_deleted_on_every_node_once_all_copies_know_them() -> None:
    said = retention.deletion("exposures", CLUSTER)
    assert said[:2] == [
        "SYSTEM SYNC REPLICA ON CLUSTER 'main' events_local",
        "SYSTEM SYNC REPLICA ON CLUSTER 'main' exposures_local",
    ]
    assert said[2].startswith("ALTER TABLE exposures_local ON CLUSTER 'main' DELETE WHERE")
    assert "FROM events_local WHERE" in said[2]
    [alone] = retention.deletion("exposures", Layout())
    assert alone.startswith("ALTER TABLE exposures DELETE WHERE")
    assert "FROM events WHERE" in alone


@pytest.mark.parametrize("sql", STATEMENTS, ids=lambda sql: " ".join(sql.split()[:7]))
def test_the_engine_can_read_every_statement(sql: str, event_store: None) -> None:
    bound = {"environment": 1, "user": "ada"} if "{user" in sql else {}
    assert client().raw_query(f"EXPLAIN AST {sql}", parameters=bound)


def test_a_node_that_joins_gets_the_tables_as_they_are_now() -> None:
    there = (
        "CREATE TABLE default.events_local (`a` UInt8, `b` UInt8) ENGINE = "
        "ReplicatedMergeTree('/x/{shard}/events_local', '{replica}') TTL b ORDER BY a"
    )
    assert again(there, CLUSTER) == there.replace(
        "CREATE TABLE default.events_local (",
        "CREATE TABLE IF NOT EXISTS default.events_local ON CLUSTER 'main' (",
    )
    with_id = there.replace("events_local (", "events_local UUID 'ab-c' (")
    assert again(with_id, CLUSTER) == again(there, CLUSTER)


def test_the_layout_is_known_from_the_tables() -> None:
    engine = "Distributed('main', 'default', 'events_local', cityHash64(trace))"
    assert laid_out(engine) == CLUSTER
    assert laid_out("MergeTree PARTITION BY toYYYYMMDD(time)") == Layout()
    assert laid_out("") == Layout()


MADE = """
import sys, chdb
from events.store.layout import Layout
from events.store.schema import VERSIONS, applied_table
cluster = Layout("main")
engine = chdb.connect("data?--config-file=config.xml")
def say(sql):
    return str(engine.query(sql.replace(cluster.everywhere, "")))
say(applied_table(cluster))
for version in VERSIONS:
    stored, front = version.does.statements(cluster)
    if stored.startswith("CREATE"):  # a table without a server around it takes no ALTER
        say(stored), say(stored), say(front), say(front)
print(say("SELECT name, engine_full FROM system.tables WHERE database = 'default' FORMAT TSV"))
sys.stdout.flush()
import os; os._exit(0)
"""
CONFIG = """<clickhouse><tcp_port>9000</tcp_port>
<zookeeper><implementation>testkeeper</implementation></zookeeper>
<macros><shard>01</shard><replica>first</replica></macros>
<remote_servers><main><shard><replica><host>localhost</host><port>9000</port></replica></shard>
</main></remote_servers></clickhouse>"""


def test_the_engine_makes_the_replicated_and_distributed_tables(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(CONFIG)
    made = subprocess.run(
        [sys.executable, "-c", MADE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    tables = dict(line.split("\t", 1) for line in made.stdout.splitlines() if "\t" in line)
    assert set(tables) == {"applied", *TABLES, *(f"{name}_local" for name in TABLES)}, made.stderr
    for name in TABLES:
        assert tables[name].startswith("Distributed(\\'main\\', \\'default\\'")
        assert f"/clickhouse/tables/{{shard}}/default/{name}_local" in tables[f"{name}_local"]
