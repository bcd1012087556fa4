"""For pages that show findings and raw events, and lead into Explore."""

from typing import Any

from django import template

from insights.explore.links import beside
from insights.explore.rows import Event
from insights.given import how
from insights.models import Watch

register = template.Library()


@register.filter
def attribute(event: Event, name: str) -> str:
    """{{ event|attribute:"cart.items" }}: an attribute as text, "" where the event has none."""
    return dict(event.attributes).get(name, "")


register.filter(how)


@register.filter
def side_by_side(watch: Watch | None, finding: dict[str, Any]) -> str:
    """{{ watch|side_by_side:finding }}: the query of /cohorts for a finding's two sides, or ""."""
    return beside(watch, finding.get("scope") or {}) if watch else ""
