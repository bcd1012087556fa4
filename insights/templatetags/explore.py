"""Filters for pages that show raw events."""

from django import template

from insights.requests_page import Event

register = template.Library()


@register.filter
def attribute(event: Event, name: str) -> str:
    """{{ event|attribute:"cart.items" }}: an attribute as text, "" where the event has none."""
    return dict(event.attributes).get(name, "")
