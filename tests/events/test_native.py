"""Events as columns: what the engine reads back is what was written, whatever the values."""

import itertools
import re
from typing import Any

import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from events.event import Event
from events.store import event_columns, native
from events.store.client import client
from events.store.insert import insert_block

INTEGER, BITS = st.integers(-(2**63), 2**63 - 1), {n: st.integers(0, 2**n - 1) for n in (64, 128)}
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.one_of(
    st.sampled_from(["", "GET", "\x00", "é", "x" * 127, "y" * 128, "z" * 20_000]),
    st.text(st.characters(exclude_categories=["Cs"])),
)


def names(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.one_of(st.sampled_from(["a", "b", "naïve"]), TEXT), values)


EVENT = st.builds(
    Event,
    st.integers(1_790_000_000_000_000, 1_799_999_999_999_999),
    *(TEXT, TEXT, TEXT, st.booleans(), BITS[128], BITS[64], BITS[64], NUMBER, st.booleans()),
    st.integers(0, 999),
    *(TEXT, TEXT, TEXT, TEXT, TEXT, NUMBER),
    *(names(TEXT), names(INTEGER), names(NUMBER), names(st.booleans()), names(TEXT)),
)


@pytest.fixture(scope="module")
def table(_tables: None) -> Any:
    name = "events_as_columns"
    client().command(f"CREATE OR REPLACE TABLE {name} AS events")
    yield name
    client().command(f"DROP TABLE {name}")


def read(table: str) -> list[Event]:
    own = ", ".join(
        {"time": "toUnixTimestamp64Micro(time)", "trace": "toString(trace)"}.get(name, name)
        for name in event_columns.OWN
    )
    lines = client().raw_query(
        f"SELECT {own} FROM {table} ORDER BY span",
        fmt="JSONCompactEachRow",
        settings={"output_format_json_quote_64bit_integers": 0},
    )
    events = [Event(*orjson.loads(line)) for line in lines.splitlines()]
    return [
        event._replace(
            trace=int(event.trace),
            duration_ms=float(event.duration_ms),
            sample_rate=float(event.sample_rate),
            floats={name: float(value) for name, value in event.floats.items()},
        )
        for event in events
    ]


@settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
@given(batches=st.lists(st.lists(EVENT, min_size=1, max_size=5), min_size=1, max_size=3))
def test_what_is_written_is_read_back_also_from_blocks_that_go_together(
    table: str, batches: list[list[Event]]
) -> None:
    client().command(f"TRUNCATE TABLE {table}")
    place = itertools.count()
    batches = [[event._replace(span=next(place)) for event in batch] for batch in batches]
    blocks = [event_columns.block(7, n, n, batch) for n, batch in enumerate(batches)]
    insert_block(table, event_columns.COLUMNS, "Native", b"".join(blocks), token="")
    assert read(table) == list(itertools.chain(*batches))


def test_each_column_is_written_in_the_type_that_its_table_has(event_store: None) -> None:
    rows = client().query("DESCRIBE TABLE events").result_rows
    there = {row[0]: re.sub(r" CODEC.*", "", row[1]) for row in rows}
    assert there == {**event_columns.COMMON, **event_columns.OWN}


def test_half_a_surrogate_pair_does_not_stop_its_batch() -> None:
    assert native.WRITERS["String"](["\ud800", "a"]) == b"\x01?\x01a"
