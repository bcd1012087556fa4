"""`web.words` as filters and tags. `{% moment %}` reads `access` and `now` from the context."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from web import words

register = template.Library()

# What a finding says in numbers: "3.0× slower", "22% lower", "10.1% of them now return 402".
TELLING = re.compile(
    r"95% interval [^;)]*"  # left as it is: what was found is told, not how far it is known
    r"|\d[\d,.]*(?:×|%) (?:slower|faster|higher|lower)"
    r"|(?:\d[\d.]*% of|[Aa]ll of|[Nn]one of|\b[Aa]ll|\b[Nn]o) (?:them|requests)"
    r"(?: now| only)?(?: return \d+| fail)?"
)

for _function in (
    words.number,
    words.compact,
    words.count,
    words.percent,
    words.points,
    words.milliseconds,
    words.ratio,
    words.ratio_cell,
    words.measure_name,
    words.measured,
    words.is_share,
    words.duration,
    words.about,
    words.joined,
):
    register.filter(_function.__name__, _function)


@register.filter
def counted(value: float, noun: str) -> str:
    """{{ 3|counted:"request" }} → "3 requests"; "query,queries" where "s" is not enough."""
    one, _, many = noun.partition(",")
    return words.plural(value, one, many)


@register.filter
def evidence_word(evidence: str) -> str:
    return words.EVIDENCE.get(evidence, evidence)


@register.simple_tag
def moved(measure: str, ratio: float | None, difference: float) -> str:
    """How much a measure moved, in the form of its kind: "×3.0" or "+10.1 points"."""
    return words.change(measure, ratio=ratio, difference=difference)


def _zone(context: Context) -> tzinfo:
    environment = getattr(context.get("access"), "environment", None)
    zone: tzinfo = getattr(environment, "zone", None) or UTC
    return zone


@register.simple_tag(takes_context=True)
def moment(context: Context, time: datetime | None, form: str = "when") -> SafeString | str:
    """A <time> in the environment's zone; `form` is when (to the second), clock, day or ago."""
    if time is None:
        return words.MISSING
    zone, now = _zone(context), context.get("now") or timezone.now()
    texts: dict[str, Any] = {
        "when": lambda: words.when(time, zone, now),
        "clock": lambda: words.clock(time, zone, now),
        "day": lambda: words.day(time, zone, now),
        "ago": lambda: words.ago(time, now),
    }
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        words.full_time(time, zone),
        texts[form](),
    )


@register.simple_tag(takes_context=True)
def all_clocks(context: Context, time: datetime) -> SafeString:
    """A time on every clock that matters: the environment's, UTC and, by script, the viewer's."""
    zone = _zone(context)
    return format_html(
        '<time datetime="{}">{}</time><span data-local="{}"></span>.',
        time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        words.full_time(time, zone),
        int(time.timestamp()),
    )


@register.simple_tag
def since_planned(time: datetime, planned: datetime) -> SafeString:
    """How long after the planned second: "+0.05 s", with the time itself for the pointer."""
    late = (time - planned).total_seconds()
    text = f"{late:+.2f} s".replace("-", "−") if abs(late) < 60 else f"+{words.duration(late)}"
    exact = time.astimezone(UTC).isoformat(timespec="milliseconds")
    return format_html('<time datetime="{}" title="{}">{}</time>', exact, exact, text)


@register.filter
def emphasised(sentence: str, verdict: str) -> SafeString:
    """A finding's sentence with its numbers in the colour of its verdict."""
    colour = verdict if verdict in ("worse", "better") else ""
    marked = TELLING.sub(
        lambda found: (
            found.group()
            if found.group().startswith("95%")
            else f'<b class="{colour}">{found.group()}</b>'
        ),
        str(escape(sentence)),
    )
    return mark_safe(marked)  # noqa: S308  # escaped above
