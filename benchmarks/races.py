"""Eight workers at 1,000 due plans: each is written down once, with its planned time.

    python -m benchmarks.races [--plans 1000] [--workers 8]

Starts PostgreSQL and Valkey of its own, plans a flip of as many flags, and lets processes race
when all of them are due.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LATE = timedelta(hours=2)


def _django() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()


def work(start: float) -> None:
    """One worker: waits for the common start, then writes down what is due."""
    _django()
    from django.utils import timezone

    from flags import schedule

    time.sleep(max(start - time.time(), 0))
    begun = time.monotonic()
    written = schedule.materialise(timezone.now() + LATE)
    print(json.dumps({"written": written, "took_s": round(time.monotonic() - begun, 2)}))


def fill(count: int) -> None:
    from django.utils import timezone

    from flags import editing, plans
    from flags.plans import Asked
    from projects.models import Environment, Project

    project = Project.objects.create(slug="race", name="Race")
    environment = Environment.objects.create(project=project, slug="production", name="P")
    now = timezone.now()
    for number in range(count):
        key = f"f{number:04}"
        editing.create(environment, {"key": key, "type": "boolean"}, actor="benchmark")
        at = (now + timedelta(minutes=1, seconds=number)).replace(microsecond=0).isoformat()
        plan = {"at": at, "patch": {"enabled": True, "default_variant": "on"}}
        plans.create(environment, [Asked(key, plan)], actor="benchmark", now=now)


def verdict(count: int) -> dict[str, Any]:
    from flags.models import Flag, FlagVersion, Plan, Step
    from releases.models import Change

    steps = list(Step.objects.select_related("plan__flag"))
    changes = {change.id: change for change in Change.objects.filter(source="plan")}
    versions = {(v.flag_id, v.version): v for v in FlagVersion.objects.filter(version=2)}
    right = sum(
        step.effective_at == step.at
        and changes[step.change_id or 0].time == step.at
        and versions[step.plan.flag_id, 2].at == step.at
        for step in steps
    )
    return {
        "plans": count,
        "done": Plan.objects.filter(status="done").count(),
        "changes": len(changes),
        "at_version_2": Flag.objects.filter(version=2).count(),
        "with_their_planned_time": right,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--work", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return
    folder = Path(tempfile.mkdtemp(prefix="flipscope-races-"))
    with (folder / "up.log").open("w") as log:
        up = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--parts", "--data", str(folder)],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        while "ready parts" not in (folder / "up.log").read_text():
            assert up.poll() is None, (folder / "up.log").read_text()
            time.sleep(0.1)
        os.environ["FLIPSCOPE_DATA"] = str(folder)
        os.environ["LOG_LEVEL"] = "ERROR"
        _django()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        fill(arguments.plans)
        start = time.time() + 6
        racing = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.races", "--work", str(start)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(arguments.workers)
        ]
        for one in racing:
            print(one.communicate()[0].strip())
        print(json.dumps(verdict(arguments.plans)))
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(40)


if __name__ == "__main__":
    main()
