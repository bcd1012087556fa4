"""Results → JSON, for the API and for the watch that keeps the latest look."""

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from insights import mix, sentences
from insights.cohorts import Builds, Callers, Comparison, Instances, Moment, Scope, Variants
from insights.delta import LEVEL
from insights.deltas import Delta
from insights.examine import Result
from insights.findings import Finding
from insights.placebos import by_accident, by_accident_said
from insights.reasons import Reasons, key_of
from insights.verdicts import Judged
from web import words


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _bounds(value: tuple[float, float] | None) -> list[float] | None:
    return [value[0], value[1]] if value and all(map(math.isfinite, value)) else None


def delta_json(one: Judged) -> dict[str, Any]:
    """A Delta of the contract, with why it is unknown and how much longer, where that is known."""
    delta = one.delta
    return {
        "measure": delta.measure,
        "scope": delta.scope.as_json(),
        "baseline": delta.baseline,
        "candidate": delta.candidate,
        "ratio": _finite(delta.ratio),
        "difference": delta.difference,
        "interval": {
            "ratio": _bounds(delta.ratio_interval),
            "difference": _bounds(delta.difference_interval),
            "level": LEVEL,
        },
        "events": list(delta.events),
        "units": list(delta.units),
        "verdict": one.verdict,
        "evidence": one.evidence,
        "reason": one.reason,
        "withheld": one.withheld,
        "more_seconds": list(one.more_s) if one.more_s else None,
        "log_e_value": _finite(delta.log_e),
        "harm_excluded": None if one.withheld else _harm_json(delta),
    }


def _harm_json(delta: Delta) -> float | None:
    """How much higher it is at most (95%, one-sided): a ratio, and a difference for rates."""
    bound = delta.harm_excluded
    if not math.isfinite(bound) or bound > 20:
        return None
    return bound if delta.is_rate else math.exp(bound)


def finding_json(
    finding: Finding, comparison: Comparison, base: str, reasons: Reasons | None = None
) -> dict[str, Any]:
    """A Finding of the contract; `base` is the environment's address ("/acme/production")."""
    delta = delta_json(finding.judged)
    reason = (reasons or {}).get(key_of(delta))
    text = sentences.sentence(finding, comparison)
    if reason and reason["only_with"]:
        text += f", but only with {reason['only_with']}"
    return {
        **delta,
        "sentence": text[:1].upper() + text[1:],
        "explained_by": reason["explained_by"] if reason else None,
        "reasons": reason,
        "successes": _successes_json(finding),
        "query": requests_link(comparison, finding.delta.scope, base, finding.delta.measure),
    }


def _by_accident(finding: Finding, result: Result) -> dict[str, Any]:
    """Before and after: how often as large a move was seen when nothing had changed."""
    if result.drifts is None or (seen := by_accident(finding.delta, result.drifts)) is None:
        return {}
    sentence = by_accident_said(finding.delta, result.drifts)
    return {"by_accident": {"as_large": seen[0], "of": seen[1], "sentence": sentence}}


def _successes_json(finding: Finding) -> dict[str, Any] | None:
    """Mean latency of successful requests alone, where failures differ too."""
    if finding.successes is None:
        return None
    ratio, low, high = finding.successes
    text = f"Successful requests alone: {words.ratio(ratio)} ({words.ratio_interval(low, high)})"
    return {"ratio": ratio, "interval": [low, high], "sentence": text}


def told(
    result: Result, kept: dict[str, Any], *, over: bool = False, left_s: float = math.inf
) -> tuple[str, str]:
    """Verdict and headline of a look: its best finding that no other change explains.

    Where all of them are explained by others, this change did nothing that is known. `kept` is the
    look as `result_json` wrote it; `over`: what is compared has ended; `left_s`: when it will.
    """
    findings = kept["findings"]
    own = [one for one in findings if not (one["reasons"] or {}).get("is_explained")]
    if own:
        return own[0]["verdict"], own[0]["sentence"]
    if findings:
        return "unknown", f"Another change explains it: {findings[0]['sentence']}"
    verdict, headline = result.verdict, result.headline
    if verdict == "unknown":
        headline = sentences.not_known(result.judged, over=over, left_s=left_s)
        if excluded := sentences.harm_excluded(kept["deltas"]):
            headline += f"; {excluded}"
    return verdict, headline


def requests_link(comparison: Comparison, scope: Scope, base: str, measure: str = "") -> str:
    """The page with the candidate's raw requests in this scope and window."""
    of = comparison.cohorts
    fields: dict[str, str] = {
        **scope.as_json(),
        "since": comparison.since.isoformat(),
        "until": comparison.until.isoformat(),
    }
    if isinstance(of, Moment):
        fields |= {"since": of.at.isoformat()} | ({"build": of.build} if of.build else {})
    elif isinstance(of, Instances):
        fields |= {"since": of.at.isoformat(), "service": of.service}
    elif isinstance(of, Callers):
        pass  # whichever build they met, which the requests themselves do not tell
    elif isinstance(of, Builds):
        fields |= {"service": of.service, "build": of.candidate}
    else:
        fields |= {"flag": of.flag, "variant": of.candidate}
    if measure.startswith("status_code:"):
        fields["status"] = measure.partition(":")[2]
    elif measure == "error_rate":
        fields["error"] = "1"
    return f"{base}/requests?{urlencode(fields)}"


def result_json(result: Result, base: str, reasons: Reasons | None = None) -> dict[str, Any]:
    """Everything of a look that pages and the API show later without asking the store again."""
    comparison = result.comparison
    labels = comparison.labels
    return {
        "since": comparison.since.isoformat(),
        "until": comparison.until.isoformat(),
        "baseline": {
            "label": labels[0],
            "events": result.events[0],
            "units": result.units[0],
        },
        "candidate": {
            "label": labels[1],
            "events": result.events[1],
            "units": result.units[1],
        },
        "unit": result.unit,
        "evidence": result.evidence,
        "note": result.note,
        "mix": mix_json(result),
        "sample_ratio": sample_ratio_json(result),
        "health": health_json(result),
        "deltas": [delta_json(one) for one in result.judged],
        "findings": [
            finding_json(one, comparison, base, reasons) | _by_accident(one, result)
            for one in result.findings
        ],
        "curves": [{"scope": scope.as_json(), **curve} for scope, curve in result.curves.items()],
        "events_read": result.read_rows,
        "took_ms": round(result.took_ms, 1),
    }


def with_callers(
    kept: dict[str, Any], callers: Sequence[Result], base: str, reasons: Reasons | None = None
) -> dict[str, Any]:
    """A look at a deploy with what its callers' requests show: their deltas after its own, and all
    findings, worse ones first."""
    if not callers:
        return kept
    deltas = [delta_json(one) for each in callers for one in each.judged]
    findings = [
        finding_json(one, each.comparison, base, reasons)
        for each in callers
        for one in each.findings
    ]
    together = [*kept["findings"], *findings]
    return {
        **kept,
        "findings": sorted(together, key=lambda one: one["verdict"] != "worse"),
        "deltas": [*kept["deltas"], *deltas],
        "callers": sorted({one["scope"]["service"] for one in deltas}),
    }


def mix_json(result: Result) -> dict[str, Any] | None:
    """Routes whose share of traffic shifted, in words and numbers; None where hardly any did."""
    found = result.mix
    if found is None:
        return None
    deltas = [one.delta for one in result.judged]
    mean = next((one for one in deltas if one.scope.whole and one.measure == "latency_mean"), None)
    return {
        "sentence": mix.said(found, result.comparison, mean),
        "mean_ratio_with_it": found.crude,
        "routes": [
            {**one.scope.as_json(), "before": one.before, "after": one.after} for one in found.moved
        ],
    }


def health_json(result: Result) -> dict[str, Any] | None:
    """How the flag was evaluated, and of the two variants compared by which reasons."""
    if result.health is None:
        return None
    of = result.comparison.cohorts
    arms = (of.baseline, of.candidate) if isinstance(of, Variants) else ()
    shares = [{"variant": arm, "reasons": result.health.shares(arm)} for arm in arms]
    return {**result.health.as_json(), "shares": shares}


def sample_ratio_json(result: Result) -> dict[str, Any]:
    """Units seen, and, where a split was planned, its shares and whether chance explains them."""
    ratio = result.ratio
    return {
        "units": list(result.units),
        "planned": list(ratio.planned) if ratio else None,
        "mismatch": ratio.mismatch if ratio else None,
    }
