"""A flag's effect build by build → words. Beside `insights.sentences`, by its rules."""

import math
from collections.abc import Sequence

from insights.cohorts import Scope
from insights.delta import Delta
from web import words

APART = 3.0


def size(delta: Delta) -> str:
    """ "2.9× higher (2.6–3.2×)"; "+9.8 points (+8.1 to +11.9 points)"."""
    if delta.is_rate:
        text, bounds = words.points(delta.difference, signed=True), delta.difference_interval
        interval = words.points_interval(*bounds) if bounds else ""
    else:
        ratio, bounds = delta.ratio or 1.0, delta.ratio_interval
        text = words.ratio_words(ratio)
        interval = words.ratio_span(ratio, *bounds) if bounds else ""
    return f"{text} ({interval})" if interval else text


def name(build: Scope) -> str:
    return f"{build.service} build {build.route}"


def said(rows: Sequence[Delta], only: Delta | None, builds: Sequence[Scope]) -> str:
    """What the table says, one measure's rows: only with one build, alike, different, unknown.

    A build whose requests all met one variant has no row.
    """
    tested = [one for one in rows if one.tested]
    if only is not None:
        others = words.joined([name(one.scope) for one in tested if one is not only][:3])
        return (
            f"Only with {name(only.scope)}: {words.measure_name(only.measure)} {size(only)} there,"
            f" and not with {others}."
        )
    if len(tested) < 2:
        enough = {one.scope for one in tested}
        few = [name(build) for build in builds if build not in enough]
        return f"Too few requests with {words.joined(few[:3])} to compare builds yet."
    tested.sort(key=lambda one: one.d)
    low, high = tested[0], tested[-1]
    if high.d - low.d > APART * math.hypot(low.error, high.error):
        return (
            f"Not the same with every build: {size(high)} with {name(high.scope)},"
            f" {size(low)} with {name(low.scope)}."
        )
    return f"Much the same with {'both' if len(tested) == 2 else 'all'} builds."
