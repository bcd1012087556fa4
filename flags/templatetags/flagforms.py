"""Filters for the forms of flags."""

from django import template

register = template.Library()


@register.filter
def share(shares: dict[str, str], variant: str) -> str:
    """{{ row.shares|share:"on" }}: the percentage as it was written, "" where there is none."""
    return shares.get(variant, "")
