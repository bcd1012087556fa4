"""manage.py import_flags: a file of flagd, Unleash or LaunchDarkly into an environment."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from flags.importing.importing import apply, translated
from flags.importing.translation import UnreadableFile
from projects.models import Environment

ACTOR = "manage.py import_flags"


class Command(BaseCommand):
    help = "Imports flags from a flagd definition, an Unleash export or LaunchDarkly's API."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--project", required=True, help="its slug, for example acme")
        parser.add_argument("--environment", required=True, help="its slug, for example production")
        parser.add_argument("--from-environment", default="", help="of Unleash or LaunchDarkly")
        parser.add_argument("--reason", default="Imported")
        parser.add_argument("--override", default="", help="why it is done without approval")
        parser.add_argument("--data", help="the data folder of the running stack")

    def handle(self, **options: Any) -> None:
        try:
            data = options["file"].read_bytes()
            found = translated(data, options["from_environment"] or options["environment"])
        except (OSError, UnreadableFile) as error:
            raise CommandError(str(error)) from None
        try:
            environment = Environment.objects.select_related("project").get(
                project__slug=options["project"], slug=options["environment"]
            )
            done = apply(
                environment,
                found,
                actor=ACTOR,
                reason=options["reason"],
                override=options["override"],
            )
        except Environment.DoesNotExist:
            raise CommandError(
                f"There is no environment {options['project']}/{options['environment']}."
            ) from None
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(
                "The database does not answer or has no tables: start `manage.py up` first"
                f" (with the same --data). {str(error).splitlines()[0]}"
            ) from None
        for word, keys in (
            ("created", done.created),
            ("changed", done.changed),
            ("as before", done.unchanged),
            ("segments", done.segments),
        ):
            self.stdout.write(f"{word}: {', '.join(keys) or 'none'}")
        for line in done.untranslated:
            self.stdout.write(f"not translated: {line}")
        if done.untranslated:
            raise SystemExit(1)
