"""Where an effect is and what else changed → words. Beside `insights.sentences`, by its rules."""

import math

from insights.deltas import Delta
from insights.overlaps import Overlap
from insights.where import Segment, Term, Where, is_level
from web import words

VALUES_SHOWN = 3
NEARLY_ALL = 0.95


def term(one: Term) -> str:
    """ "plan = free"; "plan is free or pro"; "rows over 10,000"; "no plan"."""
    if one.op == "absent":
        return f"no {one.field}"
    if one.op == "in":
        shown = list(one.values[:VALUES_SHOWN])
        if (more := len(one.values) - len(shown)) > 0:
            shown.append(words.plural(more, "other value"))
        return f"{one.field} is {words.joined(shown, 'or')}"
    if one.op in (">", "≤"):
        side = "over" if one.op == ">" else "at most"
        return f"{one.field} {side} {words.number(float(one.values[0]))}"
    return f"{one.field} = {one.values[0] or '(empty)'}"


def where(found: Where, delta: Delta) -> str:
    """Which part holds the effect, with its numbers, and what makes no difference."""
    if not found.segments:
        text = (
            f"No narrower part of these requests holds it:"
            f" {words.plural(found.tested, 'value')} of their fields"
            f" {'was' if found.tested == 1 else 'were'} looked at, and none stands out."
        )
        return text + _unaffected(found)
    return " ".join(_segment(one, delta) for one in found.segments) + _unaffected(found)


def _segment(segment: Segment, delta: Delta) -> str:
    excess = segment.excess
    parts = words.joined([term(one) for one in segment.terms])
    if segment.same:
        parts += f" (the same requests as {words.joined([term(one) for one in segment.same])})"
    if excess.part >= NEARLY_ALL:
        amount = "Nearly all"
    else:
        amount = f"About {words.percent(round(excess.part, 2)).replace('.0%', '%')}"
    own, others = (excess.baseline, excess.candidate), excess.elsewhere
    here, elsewhere = (" → ".join(_level(one, delta) for one in pair) for pair in (own, others))
    numbers = f"{'typically ' if is_level(delta) else ''}{here}; elsewhere {elsewhere}"
    return f"{amount} of {_what(delta)} {_is(delta)} where {parts} ({numbers})."


def _level(value: float, delta: Delta) -> str:
    return words.milliseconds(math.expm1(value)) if is_level(delta) else words.percent(value)


def _what(delta: Delta) -> str:
    up = delta.d > 0
    if delta.measure == "error_rate":
        return "the extra failures" if up else "the failures that went away"
    if delta.measure.startswith("status_code:"):
        code = delta.measure.partition(":")[2]
        return f"the extra {code}s" if up else f"the {code}s that went away"
    return "the slow-down" if up else "the speed-up"


def _is(delta: Delta) -> str:
    return "is" if delta.is_latency else "are"


def _unaffected(found: Where) -> str:
    if not found.unaffected:
        return ""
    return f" It is the same for all values of {words.joined(list(found.unaffected))}."


def partner(one: Overlap) -> str:
    """ "BANNER=on"; "checkout build b42"."""
    if one.other.kind == "flag":
        return f"{one.other.name}={one.value}" if one.value else one.other.name
    return f"{one.other.name} build {one.value}" if one.value else f"{one.other.name}'s build"


def _size(delta: Delta, d: float) -> str:
    if delta.measure in ("latency_mean", "latency_p50"):
        return words.ratio(math.exp(d))
    if delta.is_latency:
        return f"{words.points(d, signed=True)} of slow requests"
    return words.points(d, signed=True)


def overlap(one: Overlap, delta: Delta) -> str:
    """What one other change has to do with the effect."""
    checked, name = one.checked, partner(one)
    own = name if one.other.kind == "flag" else f"the builds of {one.other.name}"
    if checked.answer in ("explains", "partly"):
        part = "Explains it" if checked.answer == "explains" else "Part of it"
        size, left = (_size(delta, d) for d in (checked.overall, checked.within or 0.0))
        becomes = "becomes" if size.endswith("×") else "become"
        return f"{part}: with {own} held fixed, {size} {becomes} {left}."
    if checked.answer == "only_with":
        return f"The effect is there only with {name}: the two act together."
    if checked.answer == "inseparable":
        return (
            "Cannot be told apart: hardly any request had one without the other. Take one back"
            " for a while, or next time leave an hour between them."
        )
    if checked.answer == "too_little":
        return "Too few requests had one without the other to tell yet."
    return "The effect is the same with and without it, so it is not the cause."
