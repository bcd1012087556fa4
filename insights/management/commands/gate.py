"""manage.py gate: a pipeline's question, answered by its exit code.

Whatever keeps it from asking (a misspelt option, no such flag, a database that is away) has a code
of its own: Django's and argparse's codes for it, 1 and 2, would read as an answer here.
"""

import math
import re
import sys
import time
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from insights.gates import MARGIN, Gate, NothingToGate, gate
from projects.models import Environment

EXIT_CODES = {"pass": 0, "fail": 1, "unknown": 2}
COULD_NOT_ASK = 3
PACE_S = 5.0


def seconds(text: str) -> float:
    """ "90", "90s", "30m", "2h" in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None:
        raise CommandError(f"--wait {text}: say 90s, 30m or 2h.", returncode=COULD_NOT_ASK)
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def share(percent: float) -> float:
    """A margin in percent as a share."""
    if not (math.isfinite(percent) and 0 < percent <= 100):
        raise CommandError(
            f"--margin {percent:g}: say by how many percent it may be worse, above 0 and up to"
            " 100.",
            returncode=COULD_NOT_ASK,
        )
    return percent / 100


class Command(BaseCommand):
    help = (
        "Exits 0 if a flag or build may go on, 1 if it made something worse, 2 if not known yet,"
        " 3 if it could not be asked."
    )
    _answered = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        subject = parser.add_mutually_exclusive_group(required=True)
        subject.add_argument("--flag", default="", help="the flag's key")
        subject.add_argument("--build", default="", help="the build's id")
        parser.add_argument("--service", default="", help="of the build, if several share its id")
        parser.add_argument("--candidate", default="", help="only this variant of the flag")
        parser.add_argument("--project", required=True)
        parser.add_argument("--environment", default="production")
        parser.add_argument("--wait", default="0", help="for an answer, at most: 90s, 30m, 2h")
        parser.add_argument(
            "--margin", type=float, default=MARGIN * 100, help="percent of harm that is tolerated"
        )
        parser.add_argument("--data", help="the data folder, as for `up`")

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except SystemExit as ended:
            if ended.code and not self._answered:
                sys.exit(COULD_NOT_ASK)
            raise
        except DatabaseError as reason:
            self.stderr.write(f"The database could not be asked: {reason}")
            sys.exit(COULD_NOT_ASK)

    def handle(self, **given: Any) -> None:
        wait_s, margin = seconds(given["wait"]), share(given["margin"])
        deadline = time.monotonic() + wait_s
        decide_by = timezone.now() + timedelta(seconds=wait_s) if wait_s else None
        while True:
            found, why = self._asked(given, margin, decide_by)
            wait = deadline - time.monotonic()
            if (found is not None and found.outcome != "unknown") or wait <= 0:
                break
            time.sleep(min(PACE_S, wait))
        if found is None:
            self.stderr.write(why)
            sys.exit(COULD_NOT_ASK)
        base = f"{settings.PUBLIC_URL}/{given['project']}/{given['environment']}"
        self.stdout.write(f"{found.outcome}: {found.sentence}.")
        self.stdout.write(found.as_json(base)["url"])
        self._answered = True
        sys.exit(EXIT_CODES[found.outcome])

    def _asked(
        self, given: dict[str, Any], margin: float, decide_by: datetime | None
    ) -> tuple[Gate | None, str]:
        """The answer, or why there is none at this moment: with --wait it may come yet."""
        try:
            place = Environment.objects.filter(
                project__slug=given["project"], slug=given["environment"]
            ).first()
            if place is None:  # no waiting makes one
                self.stderr.write(
                    f"There is no environment {given['project']}/{given['environment']}."
                )
                sys.exit(COULD_NOT_ASK)
            names = ("flag", "build", "service", "candidate")
            asked = {name: given[name] for name in names}
            return gate(place, **asked, margin=margin, decide_by=decide_by), ""
        except NothingToGate as reason:
            return None, str(reason)
        except DatabaseError as reason:
            connection.close()  # it may be broken: the next time opens its own
            return None, f"The database could not be asked: {reason}"
