"""What changed? asked of times with a known cause, and of times in which nothing was done.

    python -m benchmarks.what_changed --worlds 40 --harmless 40 [--seed 1]

Each world is an environment of its own in the real event store: two hours of heavy-tailed requests
of users who differ, five flags that are split all along, and seven changes around the time asked
for: flags set for a half or for all, deploys, markers. One of them is the cause (its requests get
slower or fail more), at its own time; in a harmless world none is. The last half hour is asked for.
Told are the share of worlds whose cause is ranked first, whose cause is named among the leading
ones, and the share of harmless worlds in which any change is named.
"""

import argparse
import os
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import django

MOVED = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=35)
BEGIN, END = MOVED - timedelta(minutes=90), MOVED + timedelta(minutes=30)
EVENTS = 8000
KINDS = ("flag for half, slower", "flag for half, fails", "flag for all", "deploy", "none")


def world(key: str, seed: int, kind: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Sends the requests; returns the changes to record and the cause's fields."""
    from tests.insights.traffic import Request, on, requests, send

    flags = [f"F{number}" for number in range(5)]

    def change(request: Request, rng: random.Random) -> None:
        fields, after = request.fields, request.time >= MOVED
        fields["build_id"] = "b2" if after else "b1"
        for number, flag in enumerate(flags):
            late = number < 2  # set for a half just then; the others were split all along
            fields["flags"][flag] = (
                "on" if (after or not late) and on(f"{seed}{flag}", request.user) else "off"
            )
        fields["flags"]["ALL"] = "on" if after else "off"
        caused = {
            "flag for half, slower": fields["flags"]["F0"] == "on",
            "flag for half, fails": fields["flags"]["F0"] == "on",
            "flag for all": after,
            "deploy": after,
            "none": False,
        }[kind]
        if caused and kind == "flag for half, fails":
            if rng.random() < 0.12:
                fields |= {"status_code": 500, "error": True}
        elif caused:
            fields["duration_ms"] *= 2.2

    rows = requests(BEGIN, count=EVENTS, users=500, minutes=120, seed=seed, change=change)
    send(rows, key)
    rng = random.Random(seed)

    def at(*, own: bool) -> datetime:
        """The cause's time, or another that is not close to it."""
        if own:
            return MOVED
        away = rng.uniform(8, 25)
        return MOVED + timedelta(minutes=away if rng.random() < 0.5 else -away)

    cause = {
        "flag for half, slower": {"kind": "flag", "flag": "F0"},
        "flag for half, fails": {"kind": "flag", "flag": "F0"},
        "flag for all": {"kind": "flag", "flag": "ALL"},
        "deploy": {"kind": "deploy", "service": "shop", "build_id": "b2"},
        "none": {},
    }[kind]
    listed = [
        {"kind": "flag", "flag": "F0", "time": MOVED},
        {"kind": "flag", "flag": "F1", "time": MOVED},
        {"kind": "flag", "flag": "ALL", "time": at(own=kind == "flag for all")},
        {"kind": "deploy", "service": "shop", "build_id": "b2", "time": at(own=kind == "deploy")},
        {"kind": "deploy", "service": "mail", "build_id": "m7", "time": at(own=False)},
        {"kind": "marker", "title": "Newsletter", "time": at(own=False)},
        {"kind": "marker", "title": "Backup", "time": at(own=False)},
    ]
    return listed, cause


def asked(number: int, kind: str, seed: int) -> tuple[bool, bool, bool]:
    """Whether the cause came first, was among the leading ones, and whether any was named."""
    from insights.changed.explain import Asked, explained
    from insights.cohorts import Scope
    from projects.keys import mint
    from projects.models import Environment, Key, Project
    from releases.models import Change

    project = Project.objects.create(name=f"World {number}", slug=f"world-{seed}-{number}")
    place = Environment.objects.create(project=project, name="production", slug="production")
    _, key = mint(place, Key.Kind.INGEST, name="benchmark", created_by="benchmark")
    listed, cause = world(key, seed * 1000 + number, kind)
    for fields in listed:
        Change.objects.create(
            environment=place, **{"title": " ".join(map(str, fields.values())), **fields}
        )
    found = explained(place, Asked(MOVED, END, Scope()))

    def is_cause(one: Any) -> bool:
        change = one.told.change
        return bool(cause) and all(getattr(change, name) == value for name, value in cause.items())

    leading = found.leading
    first = bool(found.candidates) and is_cause(found.candidates[0])
    return first, any(map(is_cause, leading)), bool(leading)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=40, help="with a known cause")
    parser.add_argument("--harmless", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    from tests import parts  # starts PostgreSQL, Valkey and the event engine for this run

    assert parts.ROOT  # it is imported for what it starts
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", verbosity=0)
    call_command("migrate_events", verbosity=0)
    began = time.monotonic()
    tally: Counter[tuple[str, str]] = Counter()
    kinds = [KINDS[number % 4] for number in range(given.worlds)] + ["none"] * given.harmless
    for number, kind in enumerate(kinds):
        first, named, blamed = asked(number, kind, given.seed)
        tally.update({(kind, "asked"): 1, (kind, "first"): first, (kind, "named"): named})
        tally[kind, "blamed"] += blamed
    for kind in KINDS[:4]:
        total = tally[kind, "asked"]
        none = total - tally[kind, "blamed"]
        print(
            f"{kind:24}{total:4} times: first {tally[kind, 'first']:d},"
            f" among the leading {tally[kind, 'named']:d}, none named {none}"
        )
    print(f"{'nothing done':24}{tally['none', 'asked']:4} times: blamed {tally['none', 'blamed']}")
    print(f"seed {given.seed}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
