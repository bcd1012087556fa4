"""Result → why: for its leading findings where the effect is, and what other changes have to do
with it. Kept as JSON beside the finding, with the words that pages and reports show.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from events.store.read import QueryTooLarge
from insights import reason_words
from insights.cohorts import Comparison
from insights.deltas import Delta
from insights.examine import Result
from insights.findings import Finding
from insights.overlaps import Overlap, overlaps
from insights.where import Segment, Term, Where, is_level, search

log = logging.getLogger("flipscope.insights")

LOOKED_AT = 3  # leading findings; the others follow from the same causes nearly always
GROWN = 1.25  # by how much the events of a finding grow before its reasons are sought again

Key = tuple[str, tuple[tuple[str, str], ...], str]  # measure, scope, verdict
Reasons = dict[Key, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reason:
    """What is known of one finding beyond its numbers."""

    where: Where | None
    overlaps: tuple[Overlap, ...]


def key_of(finding: dict[str, Any]) -> Key:
    """Which finding this is, from look to look."""
    return finding["measure"], tuple(sorted(finding["scope"].items())), finding["verdict"]


def reasons(result: Result, before: list[dict[str, Any]]) -> Reasons:
    """By finding. `before` are the findings of the last look: what has hardly grown is kept.

    Raises StoreUnavailable.
    """
    known = {key_of(one): one["reasons"] for one in before if one.get("reasons")}
    found: Reasons = {}
    for comparison, finding in _leading(result):
        delta = finding.delta
        key = _key(finding)
        events = sum(delta.events)
        earlier = known.get(key)
        if earlier and events < GROWN * earlier["events"]:
            found[key] = earlier
            continue
        try:
            found[key] = {"events": events, **as_json(_reason(comparison, finding), finding)}
        except QueryTooLarge as reason:
            log.warning("reasons.too_large", extra={"measure": delta.measure, "why": str(reason)})
    for one in (result, *result.callers):
        found |= _followed(one, found)
    return found


def _followed(result: Result, found: Reasons) -> Reasons:
    """Findings that were not looked at follow the leading ones where others explain all of those:
    they are no findings of this change's own."""
    keys = [_key(one) for one in result.findings]
    looked_at = [found[key] for key in keys[:LOOKED_AT] if key in found]
    if len(keys) <= LOOKED_AT or len(looked_at) < LOOKED_AT:
        return {}
    if not all(one["is_explained"] for one in looked_at):
        return {}
    follows = {
        **{"events": 0, "explained_by": looked_at[0]["explained_by"], "is_explained": True},
        **{"only_with": "", "where": None, "same_time": []},
    }
    return {key: follows for key in keys[LOOKED_AT:] if key not in found}


def _key(finding: Finding) -> Key:
    delta, verdict = finding.delta, str(finding.judged.verdict)
    return key_of({"measure": delta.measure, "scope": delta.scope.as_json(), "verdict": verdict})


def _leading(result: Result) -> Iterator[tuple[Comparison, Finding]]:
    """Each comparison's own leading findings: a deploy's, then its callers'."""
    for one in (result, *result.callers):
        for finding in one.findings[:LOOKED_AT]:
            yield one.comparison, finding


def _reason(comparison: Comparison, finding: Finding) -> Reason:
    return Reason(search(comparison, finding.delta), tuple(overlaps(comparison, finding.delta)))


def as_json(reason: Reason, finding: Finding) -> dict[str, Any]:
    """`explained_by` is the change that explains the finding; `same_time` has all that were held
    against it, each with its sentence."""
    explaining = [one for one in reason.overlaps if one.checked.answer == "explains"]
    only = next((one for one in reason.overlaps if one.checked.answer == "only_with"), None)
    return {
        "explained_by": next(
            (one.other.change_id for one in explaining if one.other.change_id), None
        ),
        "is_explained": bool(explaining),
        "only_with": reason_words.partner(only) if only else "",
        "where": where_json(reason.where, finding.delta) if reason.where else None,
        "same_time": [
            {
                "kind": one.other.kind,
                "name": one.other.name,
                "change": one.other.change_id,
                "title": one.other.title,
                "answer": one.checked.answer,
                "value": one.value,
                "overall": one.checked.overall,
                "within": one.checked.within,
                "sentence": reason_words.overlap(one, finding.delta),
            }
            for one in reason.overlaps
        ],
    }


def where_json(where: Where, delta: Delta) -> dict[str, Any]:
    """Where an effect is, with its sentence, as findings keep it."""
    return {
        "sentence": reason_words.where(where, delta),
        "segments": [_segment_json(one, delta) for one in where.segments],
        "unaffected": list(where.unaffected),
        "tested": where.tested,
    }


def _segment_json(segment: Segment, delta: Delta) -> dict[str, Any]:
    """Shares of requests, or typical latencies in ms where the finding is of their level."""
    excess = segment.excess
    values = (excess.baseline, excess.candidate, *excess.elsewhere)
    own, other, *elsewhere = (math.expm1(v) if is_level(delta) else v for v in values)
    return {
        "terms": [_term_json(term) for term in segment.terms],
        "same_as": [_term_json(term) for term in segment.same],
        "explains_at_least": round(excess.explains, 4),
        "part": round(excess.part, 4),
        "baseline": own,
        "candidate": other,
        "elsewhere": elsewhere,
    }


def _term_json(term: Term) -> dict[str, Any]:
    return {
        "field": term.field,
        "op": term.op,
        "values": list(term.values),
        "text": reason_words.term(term),
    }
