"""The Data page: what came in, what was refused, which fields there are, and what is missing."""

from dataclasses import dataclass

from events.fields import Field, seen_fields
from events.store import breaker
from events.store.client import StoreUnavailable

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Fields:
    """`away`: the store does not answer, and the rest of the page is shown without it."""

    rows: list[Field]
    found: int
    text: str
    away: bool

    @property
    def more(self) -> bool:
        return self.found > len(self.rows)


def fields_of(environment_id: int, text: str) -> Fields:
    """Attributes whose name holds the text, the first hundred by name."""
    try:
        breaker.check()
        rows, found = seen_fields(environment_id, text[:200], SHOWN)
    except StoreUnavailable:
        return Fields([], 0, text, away=True)
    return Fields(rows, found, text, away=False)
