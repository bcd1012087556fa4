"""What every provider's module says of its history: where it is, and how its pages are read.

All of them list the newest first. So a walk goes from now back to what is known already; `more`
is where the next page begins, in the provider's own terms, and "" ends the list.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releases.hooks.flag_changes import Told
from releases.hooks.frame import Place, Unreadable
from releases.hooks.reading import inner

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. `project` is the provider's own name or number for it."""

    project: str
    token: str
    since: datetime
    more: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A path below the provider's address, its query, and the headers that carry the token."""

    path: str
    query: Mapping[str, str | int]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer lists, and where the next page begins."""

    entries: list[Entry]
    more: str


def entries(body: Any, name: str) -> list[Entry]:
    """What an answer lists under a name. Raises Unreadable where it lists nothing there."""
    found = inner(body, name)
    if not isinstance(found, list):
        raise Unreadable(f"the answer has no {name}")
    return [one for one in found if isinstance(one, dict)]


def numbered(body: Any, asked: Asked) -> Page:
    """A page of `results`, whose successor has the next number while there is a `next`."""
    found = entries(body, "results")
    return Page(found, str(int(asked.more or 1) + 1) if body.get("next") and found else "")


@dataclass(frozen=True, slots=True)
class Auditor:
    """A provider's history. `told` raises releases.hooks' Ignored and Unreadable."""

    slug: str
    name: str
    url: str  # of its cloud; "" where there is none that everybody uses
    question: Callable[[Asked], Question]
    page: Callable[[Any, Asked], Page]
    time: Callable[[Entry], Any]
    told: Callable[[Entry, Place], Told]
    project: str  # what to type for it, in words; "" where none is needed
    token: str  # which token is needed, in words
    project_needed: bool = True
