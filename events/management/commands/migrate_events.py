"""Creates and upgrades the event store's tables."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.store.client import StoreUnavailable
from events.store.schema import migrate


class Command(BaseCommand):
    help = "Apply the event store's schema versions that are not there yet."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            applied = migrate()
        except StoreUnavailable as error:
            raise CommandError(f"the event store at EVENTS_URL does not answer: {error}") from error
        if options["verbosity"] > 0:
            for version in applied:
                self.stdout.write(f"applied {version.number} {version.name}")
            if not applied:
                self.stdout.write("nothing to apply")
