"""CPU of the intake by stage and format, for 1,000 events of 50 attributes: also on a busy machine.

    python -m benchmarks.decoding [--rounds 10]

Each figure is the least of its rounds, in ms of CPU for 1,000 events, which is µs for one; each
round decodes other events, as attributes are remembered from one batch to the next. The web
worker's stages are unpacking, naming (the token by which a batch counts once), decoding, limits
and new fields, and writing columns; the engine's is the insert, of one batch and of four that go
together; and last its own bulk insert of the same rows, in 10,000s, as rows of JSON and as columns.
HTTP, merges and the counts for the Data page are not in it: `benchmarks.intake` has all.
"""

import argparse
import gc
import gzip
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import chdb

from benchmarks.ingest_100k import json_row
from benchmarks.intake import BATCH, FORMATS

TABLE = "events"


def least(rounds: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """(ms of CPU of the quickest round, what it made)."""
    took, made = float("inf"), None
    for _ in range(rounds):
        began = time.process_time()
        made = work()
        took = min(took, time.process_time() - began)
    return took * 1000, made


class Engine:
    """The embedded engine with the table of events, in this process."""

    def __init__(self, folder: str) -> None:
        from events.store import schema
        from events.store.event_columns import COLUMNS
        from events.store.insert import SETTINGS
        from events.store.layout import Layout

        self.connection: Any = chdb.connect(folder)  # type: ignore[no-untyped-call]
        for made in (schema.EVENTS, schema.BATCH):
            for statement in made.statements(Layout()):
                self.connection.query(statement)
        self.connection.query(f"SYSTEM STOP MERGES {TABLE}")
        named = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
        self.connection.query(f"SET {named}")
        self._insert = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)})"

    def insert(self, shape: str, data: bytes) -> None:
        under_way = self.connection.send_insert(self._insert, shape)
        under_way.append(data)
        under_way.finish()

    def emptied(self) -> None:
        self.connection.query(f"TRUNCATE TABLE {TABLE}")


def decoders() -> dict[str, Callable[[bytes], Any]]:
    from events.wire import honeycomb, otlp_json, otlp_protobuf, plain

    now_us = time.time_ns() // 1000

    def batch(packing: str) -> Callable[[bytes], Any]:
        return lambda body: honeycomb.batch(
            body, dataset="bench", packing=packing, now_us=now_us, seed=b""
        )

    return {
        "OTLP protobuf": otlp_protobuf.traces,
        "OTLP JSON": otlp_json.traces,
        "plain JSON": lambda body: plain.decode(body, now_us=now_us, seed=b""),
        "Honeycomb JSON": batch("application/json"),
        "Honeycomb msgpack": batch("application/msgpack"),
    }


def measured(form: str, rounds: int, engine: Engine) -> list[Any]:
    """Prints a format's stages; returns its events."""
    from events import fields, limits
    from events.ingest import token_of, within_limits
    from events.store import event_columns
    from events.wire.body import unpacked

    packed = gzip.compress(FORMATS[form][2](0), 1)
    allowed, now_us = limits.defaults(), time.time_ns() // 1000
    day = time.strftime("%Y-%m-%d")
    unpack, body = least(rounds, lambda: unpacked(packed, "gzip", 2**30))
    name, _ = least(rounds, lambda: token_of(1, "/", body))
    read = decoders()[form]
    others = iter([FORMATS[form][2]((number + 1) * BATCH) for number in range(rounds)])
    decode, _ = least(rounds, lambda: read(next(others)))
    decoded = read(body)

    def bounded() -> Any:
        events = within_limits(decoded, allowed, 0, now_us * 2, [])
        fields.unseen(1, events, decoded.notes, day)  # type: ignore[arg-type]  # any day
        return events

    bound, events = least(rounds, bounded)
    write, block = least(rounds, lambda: event_columns.block(1, 1, 1, events))
    alone, _ = least(rounds, lambda: engine.insert("Native", block))
    engine.emptied()
    together = least(rounds, lambda: engine.insert("Native", block * 4))[0] / 4
    engine.emptied()
    web = unpack + name + decode + bound + write
    print(
        f"{form:<18} {unpack:6.1f} {name:6.1f} {decode:8.1f} {bound:7.1f} {write:8.1f} {web:6.1f} "
        f"{alone:10.1f} {together:10.1f} {web + together:8.1f}",
        flush=True,
    )
    return list(events)


def bulk(events: list[Any], rounds: int, engine: Engine) -> None:
    """The engine's own insert of ten times these rows at once."""
    from events.store import event_columns

    lines = b"\n".join(map(json_row, events))
    shapes = {
        "JSONCompactEachRow": b"\n".join([lines] * 10),
        "Native": event_columns.block(1, 0, 1, events * 10),
    }
    for shape, data in shapes.items():
        took = least(rounds, lambda data=data, shape=shape: engine.insert(shape, data))[0] / 10  # type: ignore[misc]
        print(f"the engine's bulk insert, {shape}: {took:.1f}", flush=True)
        engine.emptied()


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    asked.add_argument("--rounds", type=int, default=10)
    rounds = asked.parse_args().rounds
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("SECRET_KEY", "benchmark")
    import django

    from stack.serving import COLLECTED_AFTER

    django.setup()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)  # as in a web worker
    print(f"ms of CPU for {BATCH:,} events of 50 attributes, least of {rounds} rounds")
    print(f"{'':<18} unpack   name   decode  limits  columns    web  insert of 1  of 4    web + 4")
    with tempfile.TemporaryDirectory(prefix="fs-decoding-") as folder:
        engine = Engine(folder)
        try:
            events = [measured(form, rounds, engine) for form in FORMATS]
            bulk(events[0], rounds, engine)
        finally:
            engine.connection.close()


if __name__ == "__main__":
    main()
