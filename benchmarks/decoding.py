"""CPU of the intake by stage and format, for 1,000 events of 50 attributes: also on a busy machine.

    python -m benchmarks.decoding [--rounds 10]

It ends with the two tables of docs/operations.md, Sizes, as they stand there.

Each figure is the least of its rounds, in ms of CPU for 1,000 events, which is µs for one; each
round decodes other events, as attributes are remembered from one batch to the next. The web
worker's stages are unpacking, naming (the token by which a batch counts once), decoding, limits
and new fields, and writing columns; the engine's is the insert, of one batch and of four that go
together; and last its own bulk insert of the same rows, in 10,000s, as rows of JSON and as columns.
HTTP, merges and the counts for the Data page are not in it: `benchmarks.intake` has all. On disk:
what 100,000 of the events, with times and numbers by chance, take in one part, as once merged.
"""

import argparse
import gc
import gzip
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import chdb

from benchmarks.ingest_100k import json_row
from benchmarks.intake import BATCH, FORMATS, otlp_protobuf

TABLE = "events"
STORED = 100_000  # events, for their size on disk
RATES = (1_000, 10_000, 100_000, 1_000_000)
DAY_S, HOUR_US = 86_400, 3_600_000_000


@dataclass(frozen=True, slots=True)
class Stages:
    """µs of CPU an event, stage by stage: five of the web worker's, two of the engine's."""

    form: str
    unpack: float
    name: float
    decode: float
    limits: float
    columns: float
    alone: float
    together: float

    @property
    def web(self) -> float:
        return self.unpack + self.name + self.decode + self.limits + self.columns

    @property
    def both(self) -> float:
        return self.web + self.together


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


def measured(form: str, rounds: int, engine: Engine) -> tuple[Stages, list[Any]]:
    """A format's stages, and its events."""
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
    return Stages(form, unpack, name, decode, bound, write, alone, together), list(events)


def varied(event: Any, chance: random.Random) -> Any:
    """The event with a time and numbers of its own, which take their room on disk."""
    return event._replace(
        time_us=event.time_us - chance.randrange(HOUR_US),
        duration_ms=chance.lognormvariate(3, 1),
        integers={name: chance.randrange(10_000) for name in event.integers},
        floats={name: chance.random() for name in event.floats},
    )


def bytes_on_disk() -> float:
    """What an event takes in one part: in a table and a connection of its own, as merges run."""
    from events.store import event_columns
    from events.wire.otlp_protobuf import traces

    chance = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="fs-decoding-") as folder:
        engine = Engine(folder)
        try:
            engine.connection.query(f"SYSTEM START MERGES {TABLE}")
            for start in range(0, STORED, BATCH):
                events = traces(otlp_protobuf(start)).events
                block = event_columns.block(1, 1, 1, [varied(one, chance) for one in events])
                engine.insert("Native", block)
            engine.connection.query(f"OPTIMIZE TABLE {TABLE} FINAL")
            found = engine.connection.query(
                "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts "
                f"WHERE active AND table = '{TABLE}'"
            )
            return float(str(found).strip())
        finally:
            engine.connection.close()


def tables(stages: Sequence[Stages], bytes_each: float) -> str:
    """Both tables of docs/operations.md, Sizes: by format, and what protobuf needs at each rate."""
    lines = [
        "| format | web: unpack, name, decode, limits, write columns "
        "| engine: insert alone, four together |",
        "|---|---|---|",
    ]
    lines += [
        f"| {one.form} | {one.web:.0f}, of which decoding {one.decode:.0f} "
        f"| {one.alone:.0f}, {one.together:.0f} |"
        for one in stages
    ]
    lines += ["", f"An event takes {bytes_each:.0f} bytes on disk. {stages[0].form}:", ""]
    lines += [
        "| events/s | web cores | engine cores, inserts alone | disk a day |",
        "|---|---|---|---|",
    ]
    for rate in RATES:
        cores = [rate * each / 1e6 for each in (stages[0].web, stages[0].together)]
        lines.append(
            f"| {rate:,} | {cores[0]:.2g} | {cores[1]:.2g} "
            f"| {rate * DAY_S * bytes_each / 1e9:,.0f} GB |"
        )
    return "\n".join(lines)


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
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"ms of CPU for {BATCH:,} events of 50 attributes, least of {rounds} rounds")
    print(f"{'':<18} unpack   name   decode  limits  columns    web  insert of 1  of 4    web + 4")
    with tempfile.TemporaryDirectory(prefix="fs-decoding-") as folder:
        engine = Engine(folder)
        try:
            both = [measured(form, rounds, engine) for form in FORMATS]
            for one, _ in both:
                print(
                    f"{one.form:<18} {one.unpack:6.1f} {one.name:6.1f} {one.decode:8.1f} "
                    f"{one.limits:7.1f} {one.columns:8.1f} {one.web:6.1f} "
                    f"{one.alone:10.1f} {one.together:10.1f} {one.both:8.1f}",
                    flush=True,
                )
            bulk(both[0][1], rounds, engine)
        finally:
            engine.connection.close()
    print(f"\n{tables([one for one, _ in both], bytes_on_disk())}")


if __name__ == "__main__":
    main()
