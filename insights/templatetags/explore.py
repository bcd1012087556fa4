"""For pages that show findings and raw events, and lead into Explore."""

from typing import Any

from django import template
from django.template import Context

from insights.annotations import MARKS
from insights.cohorts import among
from insights.explore.links import beside
from insights.explore.rows import Event
from insights.given import how
from insights.models import Watch

register = template.Library()


@register.filter
def attribute(event: Event, name: str) -> str:
    """{{ event|attribute:"cart.items" }}: an attribute as text, "" where the event has none."""
    return dict(event.attributes).get(name, "")


register.filter(among)
register.filter(how)


@register.inclusion_tag("insights/_marks_select.html", takes_context=True)
def marks_select(context: Context) -> dict[str, Any]:
    """{% marks_select %}: a field of a form, which changes stand on the page's pictures."""
    return {"choices": MARKS, "chosen": context["request"].GET.get("marks", "")}


@register.inclusion_tag("insights/_marks.html", takes_context=True)
def marks(context: Context, target: str) -> dict[str, Any]:
    """{% marks "#_flag" %}: the same as a form of its own; `target` is the page's fragment."""
    request = context["request"]
    return {
        **marks_select(context),
        "given": [(name, value) for name, value in request.GET.items() if name != "marks"],
        "path": request.path,
        "target": target,
        "base": context["base"],
        "may_edit": context["access"].can("editor"),
    }


@register.filter
def side_by_side(watch: Watch | None, finding: dict[str, Any]) -> str:
    """{{ watch|side_by_side:finding }}: the query of /cohorts for a finding's two sides, or ""."""
    return beside(watch, finding.get("scope") or {}) if watch else ""
