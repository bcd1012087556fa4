"""Totals → deltas: every measure of every scope, with its interval and its e-value.

Measures: latency mean, p50, p95 and p99, error rate, the share of each status code, and traffic.
Verdicts are not decided here: they depend on all deltas of the comparison (`insights.verdicts`).
"""

from collections.abc import Iterator

from insights.delta import ENOUGH_UNITS, Delta, Tested, log_delta, symmetric, too_few
from insights.latencies import latencies, of_successes
from insights.parts import Part, parts
from insights.rates import rates
from insights.statistics.totals import Arm, Estimate, compare_counts, compare_means
from insights.totals import Totals

__all__ = ["Delta", "deltas", "measured", "of_successes"]


def deltas(totals: Totals) -> list[Delta]:
    """Every measure of the whole cohort, then of each place, busiest first."""
    found: list[Delta] = []
    for one in parts(totals):
        found.extend(measured(one))
    return found


def measured(of: Part) -> Iterator[Delta]:
    """All measures of one scope; nothing where the cohorts share no place and time in it."""
    if not of.keep or not of.shared():
        return
    yield from latencies(of)
    yield from rates(of)
    if (traffic := _traffic(of)) is not None:
        yield traffic


def _traffic(of: Part) -> Delta | None:
    """Requests of this scope per unit of the whole cohort; a second, before and after.

    Units of unevenly sampled events are seen the more often the slower they are, so requests per
    unit are for reading only.
    """
    by_bucket = of.totals.sums["weight"][:, :, of.keep, :].sum(axis=(1, 2))
    if not of.totals.together:
        estimate: Estimate | None = compare_counts(by_bucket[0], by_bucket[1], of.totals.seconds)
    else:
        units = of.totals.units.by_bucket
        estimate = compare_means(Arm(units[:1], by_bucket[:1]), Arm(units[1:], by_bucket[1:]))
    if estimate is None:
        return None
    reason = too_few(of, estimate, ENOUGH_UNITS)
    if of.totals.together and of.uneven:
        reason = "sampling keeps some requests more often than others, so users can't be counted"
    return log_delta(of, "traffic", estimate, Tested(reason=reason), symmetric(estimate))
