"""The event store's tables as a numbered list; `manage.py migrate_events` applies what is missing.

A version is never edited once released: a change is a new entry. Durability is a property of the
tables here: an insert returns when its part and its folder are on disk. One list serves a single
server and a cluster (events.store.layout), where each table is a replicated one on every node and
a Distributed one in front, which keeps a trace on one node.
"""

from dataclasses import dataclass

from events.store.layout import LOCAL, Layout

DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1"
# How many inserts are remembered by token. Batches from one client a second: days; at the full
# rate of the engine, some 300 inserts a second, over five minutes, a client retries for seconds.
REMEMBERED = "non_replicated_deduplication_window = 100000"
REMEMBERED_BY_REPLICAS = (
    "replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 3600"
)
# Where replicas of one part meet in Keeper.
PLACE = "/clickhouse/tables/{shard}/{database}/"


@dataclass(frozen=True, slots=True)
class Table:
    """`spread_by` decides which node of a cluster holds a row."""

    name: str
    columns: str
    engine: str
    arguments: str
    rest: str
    spread_by: str
    settings: tuple[str, ...] = ()
    remembers: bool = True

    def statements(self, layout: Layout) -> tuple[str, ...]:
        if not layout.cluster:
            return (self._create(layout, self.name, f"{self.engine}({self.arguments})"),)
        replicated = f"Replicated{self.engine}('{PLACE}{self.name}{LOCAL}', '{{replica}}'"
        if self.arguments:
            replicated += f", {self.arguments}"
        return (
            self._create(layout, f"{self.name}{LOCAL}", f"{replicated})"),
            self.front(layout),
        )

    def front(self, layout: Layout) -> str:
        """The Distributed table, with the columns that the stored one has now."""
        return (
            f"CREATE OR REPLACE TABLE {self.name} {layout.everywhere} AS {self.name}{LOCAL} "
            f"ENGINE = Distributed('{layout.cluster}', currentDatabase(), '{self.name}{LOCAL}', "
            f"cityHash64({self.spread_by}))"
        )

    def _create(self, layout: Layout, name: str, engine: str) -> str:
        settings = list(self.settings)
        if self.remembers:
            settings += [DURABLE, REMEMBERED_BY_REPLICAS if layout.cluster else REMEMBERED]
        said = f"\nSETTINGS {', '.join(settings)}" if settings else ""
        return (
            f"CREATE TABLE IF NOT EXISTS {name} {layout.everywhere} ({self.columns}) "
            f"ENGINE = {engine}\n{self.rest}{said}"
        )


EVENTS = Table(
    "events",
    """
    environment UInt32,
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    received DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    service LowCardinality(String),
    name LowCardinality(String),
    kind LowCardinality(String),
    entry Bool,
    trace UInt128,
    span UInt64,
    parent UInt64,
    duration_ms Float64,
    error Bool,
    status_code UInt16,
    method LowCardinality(String),
    route LowCardinality(String),
    build_id LowCardinality(String),
    instance LowCardinality(String),
    user_id String CODEC(ZSTD(1)),
    sample_rate Float64,
    strings Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    integers Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    floats Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    booleans Map(LowCardinality(String), Bool) CODEC(ZSTD(1)),
    lists Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    INDEX trace_bloom trace TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX received_minmax received TYPE minmax GRANULARITY 1
""",
    "MergeTree",
    "",
    """PARTITION BY toYYYYMMDD(time)
ORDER BY (environment, entry, toStartOfHour(time), service, time)""",
    spread_by="trace",
    settings=(
        "map_serialization_version = 'with_buckets'",
        "map_serialization_version_for_zero_level_parts = 'basic'",
    ),
)

# One row a trace, folded by the engine from whatever arrived, in whatever order.
EXPOSURES = Table(
    "exposures",
    """
    environment UInt32,
    hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
    trace UInt128,
    pairs SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
    flags SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
    details SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1))
""",
    "AggregatingMergeTree",
    "",
    """PARTITION BY toYYYYMMDD(hour)
ORDER BY (environment, hour, trace)""",
    spread_by="trace",
)

# Exposures of somebody outside any trace: a browser, another vendor's SDK.
UNIT_EXPOSURES = Table(
    "unit_exposures",
    """
    environment UInt32,
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    flag LowCardinality(String),
    variant LowCardinality(String),
    reason LowCardinality(String),
    version LowCardinality(String),
    service LowCardinality(String)
""",
    "ReplacingMergeTree",
    "",
    """PARTITION BY toYYYYMMDD(time)
ORDER BY (environment, flag, user_id, time, variant)""",
    spread_by="user_id",
)

# Evaluations that got the code's own default: no cohort can hold them, so they are only counted.
PLACELESS = Table(
    "placeless",
    """
    environment UInt32,
    hour DateTime('UTC'),
    flag LowCardinality(String),
    reason LowCardinality(String),
    service LowCardinality(String),
    count UInt64
""",
    "SummingMergeTree",
    "count",
    """PARTITION BY toYYYYMM(hour)
ORDER BY (environment, flag, hour, reason, service)""",
    spread_by="flag",
)

FIELDS = Table(
    "fields",
    """
    environment UInt32,
    service LowCardinality(String),
    field String,
    type LowCardinality(String),
    last_seen SimpleAggregateFunction(max, Date),
    sample SimpleAggregateFunction(anyLast, String)
""",
    "AggregatingMergeTree",
    "",
    """ORDER BY (environment, service, field, type)""",
    spread_by="service, field",
    remembers=False,
)


@dataclass(frozen=True, slots=True)
class Alter:
    """A change of a table's columns and indexes."""

    table: Table
    change: str

    def statements(self, layout: Layout) -> tuple[str, ...]:
        alter = f"ALTER TABLE {layout.stored(self.table.name)}\n{self.change}"
        return (alter, self.table.front(layout)) if layout.cluster else (alter,)


# Which request a row came with: how a retry of a small insert, which went into one part with
# others, is known after the embedded engine was killed.
BATCH = Alter(
    EVENTS,
    """    ADD COLUMN IF NOT EXISTS batch UInt64 CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS batch_bloom batch TYPE bloom_filter(0.001) GRANULARITY 1""",
)

# When an exposure outside any trace came in: what is tied since then (events.tied).
UNIT_RECEIVED = Alter(
    UNIT_EXPOSURES,
    """    ADD COLUMN IF NOT EXISTS
        received DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1))""",
)


# Small parts are merged when there are twelve of them rather than five: a row is written again less
# often, which took 16 to 27% less of the engine's CPU while events came in (benchmarks.merges).
MERGED_LATER = Alter(EVENTS, "    MODIFY SETTING merge_selector_base = 12")


# One user's events are few and lie in few places: of a million events 5 of 289 granules are read
# rather than all, in half the time, for 1.2 MiB more on disk (0.3%). Rows that are there already
# get it as they are merged.
USER = Alter(
    EVENTS,
    "    ADD INDEX IF NOT EXISTS user_bloom user_id TYPE bloom_filter(0.01) GRANULARITY 1",
)


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    name: str
    does: Table | Alter


VERSIONS = (
    Version(1, "events", EVENTS),
    Version(2, "exposures", EXPOSURES),
    Version(3, "unit_exposures", UNIT_EXPOSURES),
    Version(4, "placeless", PLACELESS),
    Version(5, "fields", FIELDS),
    Version(6, "batch", BATCH),
    Version(7, "unit_received", UNIT_RECEIVED),
    Version(8, "merged_later", MERGED_LATER),
    Version(9, "user_bloom", USER),
)
TABLES = tuple(version.does.name for version in VERSIONS if isinstance(version.does, Table))


def applied_table(layout: Layout) -> str:
    """Which versions are there; on a cluster every node holds the whole list."""
    engine = "MergeTree"
    if layout.cluster:
        place = "/clickhouse/tables/all/{database}/applied"
        engine = f"ReplicatedMergeTree('{place}', '{{shard}}-{{replica}}')"
    return (
        f"CREATE TABLE IF NOT EXISTS applied {layout.everywhere} "
        "(version UInt32, name String, at DateTime('UTC') DEFAULT now()) "
        f"ENGINE = {engine} ORDER BY version"
    )
