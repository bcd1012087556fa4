"""Pictures in templates: charts with their twins, verdict pills, marks of changes, intervals."""

from html import escape
from typing import Any

import orjson
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from web import intervals, words
from web.charts import Chart

register = template.Library()

SHAPES = {
    "deploy": '<rect x="3" y="3" width="10" height="10" rx="1.5" />',
    "flag": '<path d="M8 1.5 14.5 8 8 14.5 1.5 8z" />',
    "marker": '<path d="M8 2 14.5 13.5h-13z" />',
}
KINDS = {"deploy": "Deploy", "flag": "Flag change", "marker": "Marker"}


@register.inclusion_tag("web/_chart.html")
def chart(chart: Chart) -> dict[str, Chart]:
    """{% chart c %}: figure, sentence, table."""
    return {"chart": chart}


@register.filter
def as_json(figure: dict[str, Any]) -> str:
    """A figure as text. Not in a <script>: htmx takes those out of every fragment."""
    # A number of numpy's, which statistics may leave, is a float to json but not to orjson.
    return orjson.dumps(figure, option=orjson.OPT_SERIALIZE_NUMPY).decode()


@register.filter
def rows(chart: Chart) -> SafeString:
    """The rows of a chart's table. By hand: there are hundreds, and a template takes longer than
    many a question itself."""
    return mark_safe(  # noqa: S308  # escaped below
        "\n".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join([f'<td class="num">{escape(cell)}</td>' for cell in rest])
            + "</tr>"
            for first, *rest in chart.rows
        )
    )


@register.inclusion_tag("web/_verdict.html")
def verdict(value: str, is_over: object = False) -> dict[str, str]:  # noqa: FBT002  # a template's
    """{% verdict "worse" %}: the pill. `is_over`: no more is awaited of what is not known."""
    known = value if value in words.VERDICTS else "unknown"
    word = words.verdict(known, over=bool(is_over))
    return {"verdict": "unknown" if known == "ended" else known, "word": word}


@register.simple_tag
def mark(kind: str, planned: bool = False) -> SafeString:  # noqa: FBT001, FBT002  # a template's
    """{% mark "deploy" %}: square, diamond or triangle; hollow when planned."""
    name = KINDS.get(kind, "Change")
    return format_html(
        '<svg class="mark {}{}" width="16" height="16" viewBox="0 0 16 16" role="img"'
        ' aria-label="{}">{}</svg>',
        kind,
        " hollow" if planned else "",
        f"Planned {name.lower()}" if planned else name,
        mark_safe(SHAPES.get(kind, SHAPES["marker"])),  # noqa: S308  # our own constants
    )


@register.inclusion_tag("web/_interval.html")
def interval(ratio: float | None, bounds: Any, verdict: str) -> dict[str, Any]:
    """{% interval ratio bounds verdict %}: the bar on the scale that a table shares."""
    known = verdict if verdict in words.VERDICTS else "unknown"
    if ratio is None or not bounds:
        return {"bar": None, "verdict": known, "label": "No interval yet"}
    low, high = bounds
    label = (
        f"{words.ratio(ratio)}, 95% interval {words.ratio_interval(low, high)}:"
        f" {words.VERDICTS[known].lower()}"
    )
    return {"bar": intervals.bar(low, ratio, high), "verdict": known, "label": label}


@register.inclusion_tag("web/_interval.html")
def delta_bar(delta: dict[str, Any]) -> dict[str, Any]:
    """{% delta_bar delta %}: a bar, or in words where a share has no ratio (0% against 10.1%) or
    one that may be anything: a bar from end to end would say nothing."""
    bounds = delta["interval"]
    anything = delta["ratio"] is None or intervals.beyond_both_ends(bounds["ratio"])
    if words.is_share(delta["measure"]) and anything and bounds["difference"]:
        text = words.points_interval(*bounds["difference"])
        if not delta["baseline"] and not delta["candidate"]:  # an interval of nothing is a bound
            far = max(map(abs, bounds["difference"]))
            text = f"None seen: ±{words.points(far, up=True)}"
        return {"text": text, "verdict": delta["verdict"], "label": f"95% interval {text}"}
    return interval(delta["ratio"], bounds["ratio"], delta["verdict"])


@register.simple_tag
def share_bar(share: float) -> SafeString:
    """{% share_bar 0.25 %}: a small bar that repeats a share beside its number."""
    return format_html(
        '<svg class="share" width="120" height="8" aria-hidden="true"><rect width="120" height="8"'
        ' rx="4" /><rect class="part" width="{}" height="8" rx="4" /></svg>',
        round(120 * min(max(share, 0), 1), 1),
    )
