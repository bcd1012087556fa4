"""What every page of Explore needs first: who asks, what they ask, which fields there are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.utils import timezone

from events.query.catalog import Known, known
from insights.explore.question import Question, read
from projects.access import Access, environment_for

VIEWS = (("result", "Result"), ("events", "Raw events"), ("traces", "Traces"))
ORDERS = (("", "Newest first"), ("slowest", "Slowest first"), ("oldest", "Oldest first"))
FLAGS_SEEN_WITHIN = timedelta(days=2)  # a scan of all exposures of that time, on each page


@dataclass(frozen=True, slots=True)
class Place:
    """A page of one environment, and the question in its address."""

    access: Access
    question: Question
    known: tuple[Known, ...]
    now: datetime

    @property
    def base(self) -> str:
        return f"/{self.access.project.slug}/{self.access.environment.slug}"

    def context(self, section: str = "explore", **more: Any) -> dict[str, Any]:
        asked = self.question
        return {
            "views": [(name, label, asked.address(view=name, extra={})) for name, label in VIEWS],
            "orders": [
                (label, asked.address(order=name, extra={}))
                for name, label in ORDERS
                if name != asked.order
            ],
            "question_pairs": parse_qsl(asked.address(extra={}), keep_blank_values=True),
            "access": self.access,
            "section": section,
            "base": self.base,
            "zone": self.access.environment.zone,
            "question": self.question,
            "known": self.known,
            "may_edit": self.access.can("editor"),
            **more,
        }


def place(request: HttpRequest, project: str, environment: str, role: str = "viewer") -> Place:
    """Raises Http404 for outsiders, StoreUnavailable."""
    access = environment_for(request, project, environment, role)
    now = timezone.now()
    return Place(
        access,
        read(request.GET),
        known(access.environment.id, now - FLAGS_SEEN_WITHIN),
        now,
    )
