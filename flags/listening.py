"""What a page needs to hear of a flip: the stream's address, and what the page was made from."""

from dataclasses import dataclass

from django.http import HttpRequest

from flags.documents import document_for
from flags.tickets import page_stream
from projects.access import Access


@dataclass(frozen=True, slots=True)
class Listening:
    """`generation` is the document that the page shows: the same one is no news."""

    address: str
    generation: str


def listening(request: HttpRequest, access: Access) -> Listening:
    """For templates: {% include "flags/_listening.html" %}."""
    generation = document_for(access.environment.pk).generation
    return Listening(page_stream(request, access), f"g{generation}")
