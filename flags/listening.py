"""What a page needs to hear of a flip: the stream's address, and what the page was made from."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest

from flags.documents import document_for
from flags.models import Flag
from flags.tickets import page_stream
from flags.upcoming import serving
from flags.words import state, state_in_words
from flags.wrong import DefinitionError
from projects.access import Access

ARCHIVED = "archived: served to nobody"


@dataclass(frozen=True, slots=True)
class Listening:
    """`generation` is the document that the page shows: the same one is no news."""

    address: str
    generation: str


def listening(request: HttpRequest, access: Access) -> Listening:
    """For templates: {% include "flags/_listening.html" %}."""
    generation = document_for(access.environment.pk).generation
    return Listening(page_stream(request, access), f"g{generation}")


def state_now(flag: Flag, now: datetime) -> str:
    """What users get at this second, in words, whether or not the worker has written it down;
    `flag.enabled` is set to match."""
    if flag.archived_at is not None:
        return ARCHIVED
    try:
        current = serving(flag, now)
    except DefinitionError:
        return state_in_words(flag)
    flag.enabled = current.enabled
    return state(current)
