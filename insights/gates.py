"""May a pipeline go on? The verdict on one flag or build, as pass, fail or not known yet.

It passes where the comparison says better or no meaningful difference, or where being worse by
more than a margin is already excluded; it fails on the first finding that is worse and that no
other change explains. It reads what the watches found: asking often costs nothing and, as looks are
always valid, changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from django.utils import timezone

from insights import sentences
from insights.changes import distinct
from insights.models import Watch
from insights.watches import know_end
from projects.models import Environment
from web import words

Outcome = Literal["pass", "fail", "unknown"]
GUARDED = ("latency_p50", "latency_p95", "error_rate")
MARGIN = 0.05
ERROR_MARGIN = 0.005
HARDLY = 0.1  # of a deployed service's requests: callers with fewer are not waited for
LAST_LOOK = timedelta(seconds=20)  # before the asker stops waiting, to be told of it in time


class NothingToGate(Exception):
    """There is no comparison of this flag or build; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The answer, its sentence, and the watches it rests on."""

    outcome: Outcome
    sentence: str
    watches: tuple[Watch, ...] = ()
    margin: float = MARGIN
    findings: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self, base: str) -> dict[str, Any]:
        """`value` is 1, 0 or −1 for tools that want a number."""
        newest = max((w.looked_at for w in self.watches if w.looked_at), default=None)
        return {
            "verdict": self.outcome,
            "value": {"pass": 1, "fail": 0, "unknown": -1}[self.outcome],
            "sentence": self.sentence,
            "margin": self.margin,
            "findings": self.findings,
            "looked_at": newest.isoformat() if newest else None,
            "url": _address(self.watches, base),
        }


def gate(
    environment: Environment,
    *,
    flag: str = "",
    build: str = "",
    service: str = "",
    candidate: str = "",
    margin: float = MARGIN,
    decide_by: datetime | None = None,
) -> Gate:
    """Of a flag's newest start, or of a build's newest deploy. Raises NothingToGate.

    `decide_by`: when the asker will stop waiting. Asked early enough, looks aim at that end.
    """
    watches = tuple(distinct(_watches(environment, flag, build, service, candidate)))
    if not watches:
        raise NothingToGate(
            f"Nothing is known of {_named(flag, build, service, candidate)} in {environment.slug}:"
            " no request has shown it, and no change of it was recorded."
        )
    if decide_by is not None:
        know_end(watches, decide_by - LAST_LOOK, timezone.now())
    return decided(watches, margin)


def _named(flag: str, build: str, service: str, candidate: str) -> str:
    if flag:
        return f"{flag}={candidate}" if candidate else f"flag {flag}"
    return f"build {build} of {service}" if service else f"build {build}"


def _watches(
    environment: Environment, flag: str, build: str, service: str, candidate: str
) -> Iterable[Watch]:
    found = Watch.objects.filter(environment=environment).select_related("change")
    if flag:
        found = found.filter(subject=Watch.Subject.FLAG, flag=flag)
        newest = found.order_by("-started_at").first()
        if newest is None:
            return []
        found = found.filter(started_at=newest.started_at)
        return found.filter(candidate=candidate) if candidate else found
    found = found.filter(subject=Watch.Subject.BUILD, candidate=build)
    if service:
        found = found.filter(service=service)
    newest_of: dict[str, Watch] = {}
    for watch in found.order_by("started_at"):
        newest_of[watch.service] = watch
    return newest_of.values()


def decided(watches: Iterable[Watch], margin: float = MARGIN) -> Gate:
    """All must pass; one that is worse fails the gate."""
    watches = tuple(watches)
    worse = [
        one
        for watch in watches
        for one in watch.result.get("findings", [])
        if one["verdict"] == "worse" and not (one.get("reasons") or {}).get("is_explained")
    ]
    if worse:
        return Gate("fail", worse[0]["sentence"], watches, margin, worse)
    waiting = [watch for watch in watches if not _passes(watch, margin)]
    if waiting:
        first = waiting[0]
        text = first.headline if first.looks else "The first look is on its way"
        excluded = sentences.harm_excluded(first.result.get("deltas", []))
        if excluded and excluded not in text:  # a headline that is not known yet has it already
            text += f"; {excluded}"
        if callers := waiting_for(first.result, margin):
            text += f"; not known yet of what calls it ({words.joined(callers)})"
        return Gate("unknown", text, watches, margin)
    told = watches[0]
    text = told.headline
    if told.verdict == Watch.Verdict.UNKNOWN:
        text = f"Worse by more than {margin * 100:g}% is excluded" + (
            f": {excluded}" if (excluded := sentences.harm_excluded(told.result["deltas"])) else ""
        )
    if others := len(watches) - 1:
        passes = "passes" if others == 1 else "pass"
        text += f"; {words.plural(others, 'other comparison')} of it {passes} too"
    return Gate("pass", text, watches, margin)


def _passes(watch: Watch, margin: float) -> bool:
    own = watch.verdict in ("no_difference", "better") or guarded(watch.result, margin)
    return own and not waiting_for(watch.result, margin)


def guarded(result: dict[str, Any], margin: float) -> bool:
    """Whether harm beyond the margin is excluded for latency and failures of everything."""
    return all(_spared(one, margin) for one in _guarded(result, {}))


def waiting_for(result: dict[str, Any], margin: float) -> list[str]:
    """Services that call a deployed one for which harm is not excluded yet.

    Those that hardly call it can fail a gate and do not hold it up.
    """
    sides = (result.get(side, {}) for side in ("baseline", "candidate"))
    enough = HARDLY * sum(side.get("events", 0) for side in sides)
    found = []
    for service in result.get("callers", []):
        bounded = _guarded(result, {"service": service})
        events = max((sum(one["events"]) for one in bounded if one), default=0)
        if events >= enough and not all(_settled(one, margin) for one in bounded):
            found.append(service)
    return found


def _guarded(result: dict[str, Any], scope: dict[str, str]) -> list[dict[str, Any] | None]:
    """The guarded deltas of a scope, None for one that is not there."""
    found = {one["measure"]: one for one in result.get("deltas", []) if one["scope"] == scope}
    return [found.get(measure) for measure in GUARDED]


def _settled(one: dict[str, Any] | None, margin: float) -> bool:
    found = one is not None and one["verdict"] in ("no_difference", "better")
    return found or _spared(one, margin)


def _spared(one: dict[str, Any] | None, margin: float) -> bool:
    """Whether being worse by more than the margin is excluded."""
    if one is None or (bound := one.get("harm_excluded")) is None:
        return False
    return bool(bound <= (ERROR_MARGIN if one["measure"] == "error_rate" else 1 + margin))


def _address(watches: tuple[Watch, ...], base: str) -> str:
    changed = next((watch.change_id for watch in watches if watch.change_id), None)
    if changed:
        return f"{base}/changes/{changed}"
    flag = watches[0].flag if watches else ""
    return f"{base}/flags/{quote(flag, safe='')}" if flag else base
