"""Findings → words. The one place where sentences about deltas are written.

Numbers come from `web.words`, so that one number is never rounded two ways on a page.
"""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from insights.cohorts import Builds, Callers, Comparison, Instances, Moment, Scope
from insights.deltas import Delta
from insights.findings import Finding
from insights.fixed_length import FixedLength
from insights.scan import OTHER_ROUTES
from insights.verdicts import Judged
from web import words

MOST_TOLD = 1.5  # bounds on harm beyond these say nothing worth reading
MOST_TOLD_POINTS = 0.05
QUANTILE_NAMES = {"latency_p95": "p95", "latency_p99": "p99"}
EVIDENCE = {
    "randomised": "Randomised: who got which variant was decided by chance",
    "ramp": (
        "Randomised at every moment of a ramp: chance decided who got which variant, and requests"
        " of the same minutes are compared"
    ),
    "concurrent": "Concurrent: both ran at the same time, but not split by chance",
    "before_after": "Before and after: there was nothing else to compare with at the same time",
}


def fixed_length(length: FixedLength) -> str:
    """That looks share one chance of error until a known end."""
    end = f"{length.end:%H:%M} UTC"
    if length.over:
        return f"its length was known in advance (until {end}), and the last look has been taken"
    return (
        f"its length is known in advance (until {end}), so looks share one chance of error by a"
        f" group-sequential plan; {words.plural(len(length.looks), 'look')} so far"
    )


def moved_by(flags: Sequence[str]) -> str:
    """That what a flag gives hangs on others, which changed while it was compared."""
    return f"who gets which also depends on {words.joined(list(flags))}, which changed meanwhile"


def unnamed(named_share: float) -> str:
    """That units are traces where no user is known, and what follows."""
    share = words.percent(1 - named_share)
    who = "no request names a user" if named_share == 0 else f"{share} of requests name no user"
    return f"{who}, so each of their traces counts as one and intervals may be too narrow"


def subject(scope: Scope) -> str:
    """The requests of a scope: "requests to /export", "requests to shop", "requests"."""
    if scope.route == OTHER_ROUTES:
        return f"requests to less busy routes of {scope.service}"
    if scope.route:
        return f"requests to {scope.route}"
    return f"requests to {scope.service}" if scope.service else "requests"


def cohorts(comparison: Comparison) -> tuple[str, str]:
    """How the two cohorts are named inside a sentence: (candidate, baseline)."""
    of = comparison.cohorts
    if isinstance(of, Moment) and of.picked:
        return "in this time", f"in the {_length(of.at - comparison.since)} before"
    if isinstance(of, Moment):
        return "since then", "in the hour before"
    if isinstance(of, Callers):
        return f"through {of.service} build {of.candidate}", f"through build {of.baseline}"
    if isinstance(of, Builds):
        return f"in build {of.candidate}", f"in build {of.baseline}"
    if isinstance(of, Instances):
        since = f"in instances started since build {of.build}" if of.build else "in new instances"
        return since, "in older ones"
    return f"with {of.flag}={of.candidate}", f"with it {of.baseline}"


def _length(of: timedelta) -> str:
    return "hour" if of == timedelta(hours=1) else words.duration(of.total_seconds())


def sentence(finding: Finding, comparison: Comparison) -> str:
    """One sentence with its numbers, interval and counts; what else holds there at its end."""
    delta = finding.delta
    text = _latency(delta, comparison) if delta.is_latency else _rate(delta, comparison)
    more = [_and_also(other, comparison) for other in finding.also if not _is_said(other, delta)]
    if len(more) < 2:
        return text + "".join(f", and {one}" for one in more)
    return f"{text}, {words.joined(more)}"


def _is_said(other: Judged, delta: Delta) -> bool:
    return other.delta.measure == delta.measure or (other.delta.is_latency and delta.is_latency)


def _latency(delta: Delta, comparison: Comparison) -> str:
    candidate, baseline = cohorts(comparison)
    counts = _counts(delta)
    if name := QUANTILE_NAMES.get(delta.measure):
        how = than(delta.ratio, "higher", "lower", "as high as")
        return (
            f"{name} of {subject(delta.scope)} {candidate} is {how} {baseline}"
            f" ({words.milliseconds(delta.baseline)} → {words.milliseconds(delta.candidate)};"
            f" {_interval(delta, 'higher', 'lower')}; {counts})"
        )
    how = than(delta.ratio, "slower", "faster", "as fast as")
    return (
        f"{subject(delta.scope)} {candidate} are {how} {baseline}"
        f" ({_interval(delta, 'slower', 'faster')}; {counts})"
    )


def than(ratio: float | None, more: str, less: str, same: str) -> str:
    """ "3.0× slower than", "38% slower than", "4.0× faster than", "as fast as"."""
    if ratio is None or words.is_same(ratio):
        return same
    return f"{words.ratio_words(ratio, more, less)} than"


def _interval(delta: Delta, more: str, less: str) -> str:
    """In the unit of the sentence: "95% interval 2.8–3.2×" or "95% interval 30–46%"."""
    if delta.ratio_interval is None:
        return "no interval yet"
    return f"95% interval {words.ratio_span(delta.ratio or 1.0, *delta.ratio_interval, more, less)}"


def _counts(delta: Delta) -> str:
    requests, units = sum(delta.events), sum(delta.units)
    return f"{words.plural(requests, 'request')} of {words.plural(units, *delta.unit.split(','))}"


def _rate(delta: Delta, comparison: Comparison) -> str:
    candidate, baseline = cohorts(comparison)
    before, now = words.percents(delta.baseline, delta.candidate)
    who = {0.0: "no", 1.0: "all"}.get(delta.candidate, f"{now} of")
    against = {0.0: "none", 1.0: "all"}.get(delta.baseline, before)
    interval = "no interval yet"
    if delta.difference_interval:
        interval = f"95% interval {words.points_interval(*delta.difference_interval)}"
    return (
        f"{who} {subject(delta.scope)} {candidate} {_does(delta)}, against {against} {baseline}"
        f" ({interval}; {_counts(delta)})"
    )


def _does(delta: Delta) -> str:
    code = delta.measure.partition(":")[2]
    return f"return {code}" if code else "fail"


def _and_also(other: Judged, comparison: Comparison) -> str:
    delta = other.delta
    if delta.is_rate:
        return _share_too(delta, comparison)
    if name := QUANTILE_NAMES.get(delta.measure):
        return f"their {name} is {words.ratio_words(delta.ratio or 1.0)}"
    return f"they are {words.ratio_words(delta.ratio or 1.0, 'slower', 'faster')}"


def _share_too(delta: Delta, comparison: Comparison) -> str:
    """ "10.1% of them now return 402", "only 1.0% of them fail (3.0% with it off)"."""
    before, now = words.percents(delta.baseline, delta.candidate)
    if delta.candidate == 0:
        text = f"none of them {_does(delta)}"
    elif delta.d > 0:
        text = f"{'all' if delta.candidate == 1 else now} of them now {_does(delta)}"
    else:
        text = f"only {now} of them {_does(delta)}"
    if not delta.baseline:
        return text
    return f"{text} ({'all' if delta.baseline == 1 else before} {cohorts(comparison)[1]})"


def no_difference(judged: list[Judged]) -> str:
    """What is excluded, from the whole cohort's decided deltas: "p95 within ±3%"."""
    parts = []
    for one in judged:
        delta = one.delta
        if one.verdict != "no_difference" or not delta.scope.whole:
            continue
        if delta.is_latency and delta.ratio_interval:
            low, high = delta.ratio_interval
            name = words.measure_name(delta.measure)
            parts.append(f"{name} within ±{words.relative(max(1 - low, high - 1), up=True)}")
        elif delta.measure == "error_rate" and delta.difference_interval:
            far = max(abs(bound) for bound in delta.difference_interval)
            parts.append(f"errors within ±{words.points(far, up=True)}")
    return f"No meaningful difference: {', '.join(parts)}" if parts else "No meaningful difference"


def not_known(judged: list[Judged], *, over: bool = False, left_s: float = math.inf) -> str:
    """Not known yet, with how much longer as a range where that can be said.

    `over`: what is compared has ended, so no more will be known; `left_s`: when it will end.
    """
    waits = [
        one.more_s
        for one in judged
        if one.verdict == "unknown"
        and one.more_s
        and one.delta.scope.whole
        and one.delta.measure in ("latency_mean", "latency_p50", "latency_p95")
    ]
    if not waits:
        reasons = [one.reason for one in judged if one.reason and one.delta.scope.whole]
        start = "It ended before an answer was known" if over else "Not known yet"
        return f"{start}: {reasons[0]}" if reasons else start
    low, high = min(waits, key=lambda wait: wait[1] or float("inf"))
    if over or low > left_s:
        needed = f"at least {words.about(max(low, 60))}"
        if high is not None and high <= 30 * 86400:
            needed = f"about {words.about_range(max(low, 60), max(high, 60))}"
        if not over:
            return f"Not known yet, and hardly before it ends: that takes {needed} longer"
        return f"It ended before an answer was known: that would have taken {needed} longer"
    if high is None or high > 30 * 86400:
        return f"Not known yet; {words.about_range(max(low, 60), None)} to go"
    return f"Not known yet; about {words.about_range(max(low, 60), max(high, 60))} to go"


def harm_excluded(deltas: list[dict[str, Any]]) -> str:
    """How bad everything can be: "p95 at most 12% higher and failures at most 0.5 points more"."""
    parts = []
    for one in deltas:
        bound = one.get("harm_excluded")
        if bound is None or one["scope"]:
            continue
        if one["measure"] in ("latency_p50", "latency_p95") and bound < MOST_TOLD:
            name = words.measure_name(one["measure"])
            more = words.relative(bound - 1, up=True)
            parts.append(f"{name} at most {more} higher" if bound > 1 else f"{name} not higher")
        elif one["measure"] == "error_rate" and bound < MOST_TOLD_POINTS:
            more = words.points(bound, up=True)
            parts.append(f"failures at most {more} more" if bound > 0 else "failures not more")
    return words.joined(parts)
