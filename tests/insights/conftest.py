"""A shop in the event store: one flag that harms, one that does nothing, a deploy, a marker."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from insights import builds, looks, watches
from insights.models import Watch
from projects.models import Environment
from releases.models import Change
from tests import make


@dataclass(frozen=True, slots=True)
class Shop:
    environment: Environment
    now: datetime
    key: str

    def look(self) -> None:
        """What beat does, once: find what is new, look at all that is due."""
        builds.detect(self.environment.id, self.now)
        watches.ensure(self.environment, self.now)
        for watch_id in watches.due(self.now, limit=100):
            looks.look(watch_id, self.now)

    def change(self, **fields: str) -> Change:
        return Change.objects.get(environment=self.environment, **fields)

    def watch(self, **fields: str | None) -> Watch:
        return Watch.objects.get(environment=self.environment, **fields)


@pytest.fixture
def shop(event_store: None, environment: Environment, ingest_key: str) -> Shop:
    """Half an hour of a build, ten minutes ago a marker; nothing was looked at yet."""
    now = datetime.now(UTC).replace(microsecond=0)
    rows = make.visits(begin=now - timedelta(minutes=30), minutes=30)
    make.split(rows, "USE_CACHING", slower=3.0, refused=0.1)
    make.split(rows, "BLUE_BUTTON")
    make.events(ingest_key, rows)
    marker = {
        "title": "Newsletter",
        "kind": "campaign",
        "time": (now - timedelta(minutes=10)).isoformat(),
    }
    make.sent(ingest_key, "/api/v1/markers", marker)
    return Shop(environment, now, ingest_key)
