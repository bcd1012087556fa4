"""CPU of the engine for 1,000 events that come in, by how eagerly it merges small parts.

    python -m benchmarks.merges [--batches 120] [--bases 5,12,20]

Batches of 1,000 events of 50 attributes go in by twos over twelve seconds, as they do from a busy
intake, each with a new table; the engine merges in the background meanwhile and three seconds more.
5 is ClickHouse's own `merge_selector_base`; ours stands in events.store.schema. Bases take turns:
a busy machine changes the figures, so compare those of one run.
"""

import argparse
import os
import tempfile
import time
from typing import Any

import chdb

from benchmarks.intake import BATCH, otlp_protobuf

SECONDS, AFTER_S, ROUNDS = 12, 3, 2


def cpu_ms() -> float:
    times = os.times()
    return (times.user + times.system) * 1000


def spent(base: int, blocks: list[bytes]) -> tuple[float, int]:
    """(ms of CPU for 1,000 events, parts at the end)."""
    from events.store import schema
    from events.store.event_columns import COLUMNS
    from events.store.insert import SETTINGS
    from events.store.layout import Layout

    with tempfile.TemporaryDirectory(prefix="fs-merges-") as folder:
        engine: Any = chdb.connect(folder)  # type: ignore[no-untyped-call]
        try:
            for made in (schema.EVENTS, schema.BATCH):
                for statement in made.statements(Layout()):
                    engine.query(statement)
            engine.query(f"ALTER TABLE events MODIFY SETTING merge_selector_base = {base}")
            engine.query("SET " + ", ".join(f"{name} = {is_}" for name, is_ in SETTINGS.items()))
            before, began = cpu_ms(), time.monotonic()
            for at in range(0, len(blocks), 2):
                insert = engine.send_insert(f"INSERT INTO events ({', '.join(COLUMNS)})", "Native")
                insert.append(b"".join(blocks[at : at + 2]))
                insert.finish()
                time.sleep(max(began + at / len(blocks) * SECONDS - time.monotonic(), 0))
            time.sleep(AFTER_S)
            took = cpu_ms() - before
            parts = engine.query(
                "SELECT count() FROM system.parts WHERE active AND table = 'events'"
            ).bytes()
            return took * 1000 / (len(blocks) * BATCH), int(parts)
        finally:
            engine.close()


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    asked.add_argument("--batches", type=int, default=120)
    asked.add_argument("--bases", default="5,12,20")
    options = asked.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("SECRET_KEY", "benchmark")
    import django

    django.setup()
    from events.store import event_columns
    from events.wire.otlp_protobuf import traces

    events = [traces(otlp_protobuf(start)).events for start in range(0, 8 * BATCH, BATCH)]
    blocks = [event_columns.block(1, n, n, events[n % 8]) for n in range(options.batches)]
    for _ in range(ROUNDS):
        for base in map(int, options.bases.split(",")):
            took, parts = spent(base, blocks)
            print(f"merge_selector_base {base}: {took:.1f} ms; {parts} parts", flush=True)


if __name__ == "__main__":
    main()
