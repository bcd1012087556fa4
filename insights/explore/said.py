"""A question in words, for lists: P95 of duration_ms by plan where service = shop, last hour."""

from django.http import QueryDict

from insights.explore import units
from insights.explore.question import WINDOWS, Question, read
from web import words

LISTED = {"events": "Raw events", "traces": "Traces"}


def said(address: str) -> str:
    """The question of an address, short."""
    return in_words(read(QueryDict(address)))


def in_words(question: Question) -> str:
    shown = words.joined([units.named(one) for one in question.show or ("COUNT",)])
    text = LISTED.get(question.view) or f"{shown[:1].upper()}{shown[1:]}"
    if question.by and question.view not in LISTED:
        text += f" by {words.joined(question.by)}"
    if filters := question.filters_said():
        text += f" where {' and '.join(filters)}"
    if question.since:
        return f"{text}, from {question.since.replace('T', ' ')}"
    return f"{text}, last {WINDOWS[question.window][1]}"
