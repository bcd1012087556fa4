"""What every page of Explore needs first: who asks, what they ask, which fields there are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.utils import timezone

from events.query.catalog import Known, kinds, known
from insights.explore.question import WINDOWS, Question, read
from projects.access import Access, environment_for

VIEWS = (("result", "Result"), ("events", "Raw events"), ("traces", "Traces"))
ORDERS = (("", "Newest first"), ("slowest", "Slowest first"), ("oldest", "Oldest first"))
FLAGS_SEEN_WITHIN = timedelta(days=2)  # a scan of all exposures of that time
NAMING = ("field", "also.field", "a.field", "b.field", "box_of")
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A page of one environment, and the question in its address."""

    access: Access
    question: Question
    now: datetime
    named: tuple[str, ...] = ()  # fields of the address that a filter may stand on

    @property
    def base(self) -> str:
        return f"/{self.access.project.slug}/{self.access.environment.slug}"

    @property
    def kinds(self) -> tuple[Known, ...]:
        """What its fields are. Asks the store, which the page itself need not wait for."""
        return kinds(self.access.environment.id, self.named, self.question.derived)

    def offered(self) -> tuple[Known, ...]:
        """Every field that may be asked about, for those who choose."""
        return known(self.access.environment.id, self.now - FLAGS_SEEN_WITHIN)

    def context(self, section: str = "explore", **more: Any) -> dict[str, Any]:
        asked = self.question
        return {
            "views": [(name, label, asked.address(view=name, extra={})) for name, label in VIEWS],
            "orders": [
                (label, asked.address(order=name, extra={}))
                for name, label in ORDERS
                if name != asked.order
            ],
            "shorter": shorter(asked),
            "question_pairs": parse_qsl(asked.address(extra={}), keep_blank_values=True),
            "access": self.access,
            "section": section,
            "base": self.base,
            "zone": self.access.environment.zone,
            "question": self.question,
            "may_edit": self.access.can("editor"),
            **more,
        }


def shorter(question: Question) -> tuple[str, str] | None:
    """A window of a quarter of the time or less, in words, and the question's address there."""
    now = WINDOWS[question.window][0]
    less = [name for name, (seconds, _) in WINDOWS.items() if seconds <= now / 4]
    if question.since or not less:
        return None
    return WINDOWS[less[-1]][1], question.address(window=less[-1], extra={})


def place(request: HttpRequest, project: str, environment: str, role: str = "viewer") -> Place:
    """Raises Http404 for outsiders."""
    access = environment_for(request, project, environment, role)
    named = [name for part in NAMING for name in request.GET.getlist(part)]
    return Place(access, read(request.GET), timezone.now(), tuple(named[:MOST_NAMED]))
