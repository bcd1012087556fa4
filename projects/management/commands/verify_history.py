"""`manage.py verify_history`: is the history what was written? Exit 1 where it is not.

Unless told of another, it asks for the last link that the background found whole (watching.py).
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from projects import chain, watching
from projects.models import Project


class Command(BaseCommand):
    help = "Reads and hashes every entry of the history, and says whether the chain holds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", default="", help="slug; every project unless named")
        parser.add_argument(
            "--noted",
            default="",
            metavar="NUMBER:HASH",
            help="an entry written down earlier, which must still be there (with --project)",
        )

        parser.add_argument(
            "--accept",
            action="store_true",
            help="a chain that holds is taken as it is, and pages no longer say what was noticed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.order_by("slug")
        if options["project"]:
            projects = projects.filter(slug=options["project"])
        if not projects:
            raise CommandError(f"There is no project {options['project']}.".replace("  ", " "))
        if options["noted"] and not options["project"]:
            raise CommandError("--noted is of one chain: name its --project.")
        broken = False
        for project in projects:
            known = None if options["accept"] else watching.noted(project)
            found = chain.verify(project, noted=_noted(options["noted"]) or known)
            broken = broken or not found.holds
            self.stdout.write(f"{project.slug}: {_said(found)}")
            if options["accept"] and found.holds:
                watching.accept(project, found, timezone.now())
        if broken:
            raise CommandError("The history was changed after it was written.")


def _noted(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise CommandError("--noted must be NUMBER:HASH, as this command printed it.")
    return int(number), digest.lower()


def _said(found: chain.Chain) -> str:
    if not found.holds:
        return f"BROKEN at entry {found.broken_at}: {found.why}"
    if not found.entries:
        return "nothing is recorded yet"
    return f"{found.entries} entries, the chain holds; the last is {found.number}:{found.hash}"
