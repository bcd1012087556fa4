"""The event store's tables as a numbered list; `manage.py migrate_events` applies what is missing.

A version is never edited once released: a change is a new entry. Durability is a property of the
tables here: an insert returns when its part and its folder are on disk.
"""

from dataclasses import dataclass

from events.store.client import client, unavailable_as_such

DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1"
# How many inserts are remembered by token. Batches from one client a second: days; at the full
# rate of the engine, some 300 inserts a second, over five minutes, a client retries for seconds.
REMEMBERED = "non_replicated_deduplication_window = 100000"

EVENTS = f"""
CREATE TABLE IF NOT EXISTS events (
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
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (environment, entry, toStartOfHour(time), service, time)
SETTINGS map_serialization_version = 'with_buckets',
    map_serialization_version_for_zero_level_parts = 'basic',
    {DURABLE}, {REMEMBERED}
"""

# One row a trace, folded by the engine from whatever arrived, in whatever order.
EXPOSURES = f"""
CREATE TABLE IF NOT EXISTS exposures (
    environment UInt32,
    hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
    trace UInt128,
    pairs SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
    flags SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1)),
    details SimpleAggregateFunction(groupUniqArrayArray, Array(String)) CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(hour)
ORDER BY (environment, hour, trace)
SETTINGS {DURABLE}, {REMEMBERED}
"""

# Exposures of somebody outside any trace: a browser, another vendor's SDK.
UNIT_EXPOSURES = f"""
CREATE TABLE IF NOT EXISTS unit_exposures (
    environment UInt32,
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    flag LowCardinality(String),
    variant LowCardinality(String),
    reason LowCardinality(String),
    version LowCardinality(String),
    service LowCardinality(String)
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (environment, flag, user_id, time, variant)
SETTINGS {DURABLE}, {REMEMBERED}
"""

# Evaluations that got the code's own default: no cohort can hold them, so they are only counted.
PLACELESS = f"""
CREATE TABLE IF NOT EXISTS placeless (
    environment UInt32,
    hour DateTime('UTC'),
    flag LowCardinality(String),
    reason LowCardinality(String),
    service LowCardinality(String),
    count UInt64
) ENGINE = SummingMergeTree(count)
PARTITION BY toYYYYMM(hour)
ORDER BY (environment, flag, hour, reason, service)
SETTINGS {DURABLE}, {REMEMBERED}
"""

FIELDS = """
CREATE TABLE IF NOT EXISTS fields (
    environment UInt32,
    service LowCardinality(String),
    field String,
    type LowCardinality(String),
    last_seen SimpleAggregateFunction(max, Date),
    sample SimpleAggregateFunction(anyLast, String)
) ENGINE = AggregatingMergeTree
ORDER BY (environment, service, field, type)
"""

APPLIED = """
CREATE TABLE IF NOT EXISTS applied (version UInt32, name String, at DateTime('UTC') DEFAULT now())
ENGINE = MergeTree ORDER BY version
"""


# Which request a row came with: how a retry of a small insert, which went into one part with
# others, is known after the embedded engine was killed.
BATCH = """
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS batch UInt64 CODEC(ZSTD(1)),
    ADD INDEX IF NOT EXISTS batch_bloom batch TYPE bloom_filter(0.001) GRANULARITY 1
"""


# When an exposure outside any trace came in: what is tied since then (events.tied).
UNIT_RECEIVED = """
ALTER TABLE unit_exposures ADD COLUMN IF NOT EXISTS
    received DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(Delta, ZSTD(1))
"""


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    name: str
    sql: str


VERSIONS = (
    Version(1, "events", EVENTS),
    Version(2, "exposures", EXPOSURES),
    Version(3, "unit_exposures", UNIT_EXPOSURES),
    Version(4, "placeless", PLACELESS),
    Version(5, "fields", FIELDS),
    Version(6, "batch", BATCH),
    Version(7, "unit_received", UNIT_RECEIVED),
)


def migrate() -> list[Version]:
    """Applies the versions that the store lacks, in order, and returns them."""
    store = client()
    with unavailable_as_such():
        store.command(APPLIED)
        there = {row[0] for row in store.query("SELECT version FROM applied").result_rows}
        missing = [version for version in VERSIONS if version.number not in there]
        for version in missing:
            store.command(version.sql)
            store.command(
                "INSERT INTO applied (version, name) SELECT {number:UInt32}, {name:String}",
                parameters={"number": version.number, "name": version.name},
                settings={"async_insert": 0},
            )
    return missing
