"""Creates and upgrades the event store's tables."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.store.client import StoreUnavailable
from events.store.migrating import CannotMigrate, migrate


class Command(BaseCommand):
    help = "Apply the event store's schema versions that are not there yet."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--cluster",
            default="",
            metavar="NAME",
            help="make replicated tables on every node of this cluster of the server's "
            "remote_servers, and distributed ones in front of them (needed the first time only)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            applied = migrate(options["cluster"])
        except StoreUnavailable as error:
            raise CommandError(f"the event store at EVENTS_URL does not answer: {error}") from error
        except CannotMigrate as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] > 0:
            for version in applied:
                self.stdout.write(f"applied {version.number} {version.name}")
            if not applied:
                self.stdout.write("nothing to apply")
