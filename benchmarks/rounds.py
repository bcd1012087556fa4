"""What a round costs: twenty fresh flags over two million events, after which a minute's come in.

    python -m benchmarks.rounds [--events 2000000] [--flags 20] [--rounds 3]

Starts the parts in a folder of its own. A trace an event, a hundred thousand users, every trace
sees every flag and says how each was evaluated; each flag began three minutes after the one before,
so each has a window of its own. None does anything. Printed are, for the first round, rounds after
a minute more of events each, one more (what came in the seconds before a look is looked at again)
and one in which nothing came: seconds by the clock, of the engine's processors and of Python's, and
the engine's highest memory.
"""

import argparse
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.speed import Engine, started
from benchmarks.speed_data import HOURS, START, fill

AT_ONCE = 100_000
APART = timedelta(minutes=3)


def measured(name: str, minute: int, flags: int, engine: Engine) -> None:
    """One round at that minute after the start, as Beat would begin it."""
    from insights import rounds
    from insights.models import Watch

    now = START + timedelta(minutes=minute)
    Watch.objects.update(next_look_at=now)
    engine.forget_memory()
    began, of_engine, own = time.monotonic(), engine.cpu_s(), time.process_time()
    looked = rounds.measure(now)
    costs = (
        time.monotonic() - began,
        engine.cpu_s() - of_engine,
        time.process_time() - own,
    )
    cells = "".join(f"{seconds:>10.2f} s" for seconds in costs)
    print(f"{name:34}{looked:>4} of {flags}{cells}{engine.memory_mib():>8,} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--flags", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="each after a minute more of events")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flipscope-rounds-") as name:
        process = started(Path(name))
        try:
            os.environ["FLIPSCOPE_DATA"] = name
            os.environ.setdefault("EVENTS_QUERY_SECONDS", "300")  # also to fill a busy machine's
            os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
            import django

            django.setup()
            from django.core.management import call_command

            from events.store.client import client
            from insights.models import Watch
            from projects.models import Environment, Project

            call_command("migrate", verbosity=0)
            call_command("migrate_events", verbosity=0)
            project = Project.objects.create(name="Rounds", slug="rounds")
            Environment.objects.create(id=1, project=project, name="production", slug="production")
            for number in range(given.flags):
                Watch.objects.create(
                    environment_id=1,
                    subject=Watch.Subject.FLAG,
                    flag=f"flag-{number}",
                    baseline="off",
                    candidate="on",
                    started_at=START + APART * number,
                )
            for first in range(0, given.events, AT_ONCE):
                count = min(AT_ONCE, given.events - first)
                fill(client(), first, count, given.flags, details=True)
            engine = Engine(Path(name))
            print(f"{'':34}{'looked':>10}{'clock':>12}{'engine':>12}{'Python':>12}{'memory':>12}")
            minute = HOURS * 60
            measured("first", minute, given.flags, engine)
            a_minute = given.events // minute
            for number in range(given.rounds):
                fill(
                    client(),
                    given.events + number * a_minute,
                    a_minute,
                    given.flags,
                    minutes=(minute, minute + 1),
                    details=True,
                )
                minute += 1
                measured(f"with {a_minute:,} events more", minute, given.flags, engine)
            measured("the last of them again", minute + 1, given.flags, engine)
            measured("nothing new", minute + 2, given.flags, engine)
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
