"""One look at a watch: what it compares now, what was found, kept.

Which watches there are and when each is due is `insights.watches`; `insights.rounds` looks at many
flags in one scan.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from events.store.client import StoreUnavailable
from events.store.read import QueryTooLarge
from flags.models import Flag
from insights import callers, clocks
from insights.by_build import by_build
from insights.claims import claim, held
from insights.cohorts import Builds, Comparison, Instances, Moment, Variants
from insights.comparison import totals
from insights.examine import NothingToCompare, Result, examine, examined, window_of
from insights.exposed import baseline_of, plan_of, seen
from insights.fixed_length import FixedLength, kept
from insights.health import Health
from insights.models import MOMENT_LENGTH, Watch
from insights.reasons import reasons
from insights.results import result_json, told, with_callers
from insights.totals import Totals
from insights.watches import (
    MOST_VARIANTS,
    SETTLING_LOOKS,
    next_look,
    watch_others,
)
from web import words

log = logging.getLogger("flipscope.insights")

SIDE_BY_SIDE = timedelta(minutes=15)
HISTORY_KEPT = 200
FOUND = (  # what a look writes: others may have ended the watch or given it an end meanwhile
    *("baseline", "candidate", "looked_at", "next_look_at", "looks", "length", "history"),
    *("verdict", "headline", "evidence", "findings_count", "decided_at", "result"),
)


def look(watch_id: int, now: datetime) -> Watch | None:
    """One look, kept. Skipped (None) when another worker holds the watch.

    The row is claimed by moving its next look ahead, so that two workers never do the same work
    and a worker killed half way delays one look only.
    """
    watch = claim(watch_id, now)
    if watch is None:
        return None
    with held([watch]):
        try:
            keep(watch, _examined(watch, now), now)
        except NothingToCompare as reason:
            keep_reason(watch, _with_clocks(watch, str(reason), now), now)
        except QueryTooLarge as reason:
            keep_reason(watch, f"Too much traffic for one look: {reason}", now)
        except StoreUnavailable:  # its claim runs out soon
            log.warning("watch.store_unavailable", extra={"watch_id": watch.id})
    return watch


def _with_clocks(watch: Watch, reason: str, now: datetime) -> str:
    """Why there is nothing to compare, and whose clock may be the cause."""
    since, until = window_of(watch.started_at, watch.ended_at or now)
    askew = clocks.said(clocks.askew(watch.environment_id, since, until, watch.service))
    return f"{reason.removesuffix('.')}: {askew}" if askew else reason


def _examined(watch: Watch, now: datetime) -> Result:
    if watch.subject == Watch.Subject.FLAG:
        return _examined_flag(watch, now)
    if watch.subject == Watch.Subject.BUILD:
        return _examined_build(watch, now)
    return _before_and_after(watch, Moment(watch.started_at, watch.service), now)


def _before_and_after(watch: Watch, moment: Moment, until: datetime) -> Result:
    window = window_of(watch.started_at, until)
    return examine(Comparison(watch.environment_id, moment, *window))


def _examined_flag(watch: Watch, now: datetime) -> Result:
    until = watch.ended_at or now
    variants = [
        one.variant for one in seen(watch.environment_id, watch.started_at, until, watch.flag)
    ]
    if not variants:
        raise NothingToCompare(f"No request has asked for {watch.flag} since then.")
    flag = Flag.objects.filter(environment_id=watch.environment_id, key=watch.flag).first()
    if len(variants) == 1:
        if watch.change is None:
            raise NothingToCompare(f"Every request sees {watch.flag}={variants[0]}.")
        return _before_and_after(watch, Moment(watch.started_at, flag=watch.flag), until)
    if not watch.candidate:
        watch.baseline = baseline_of(variants, flag)
        others = [variant for variant in variants if variant != watch.baseline]
        watch.candidate = others[0]
        watch_others(watch, others[1:MOST_VARIANTS], now)
    try:
        found: Totals | NothingToCompare = totals(variants_compared(watch, now))
    except NothingToCompare as reason:
        found = reason
    return judged(watch, found, flag, now)


def judged(
    watch: Watch,
    found: Totals | NothingToCompare,
    flag: Flag | None,
    now: datetime,
    known: Health | None = None,
) -> Result:
    """Two variants beside each other; before and after, where one of them was gone at once.

    A flag that is flipped for everyone is served as it was for a while, out of caches, and those
    seconds show little. What they leave undecided, the hour after may show.
    Raises NothingToCompare.
    """
    together: Result | NothingToCompare
    if isinstance(found, Totals):
        plan, length = plan_of(found.comparison, flag), length_of(watch, now)
        together = examined(found, plan, length, known=known)
        if together.findings:
            return together
    else:
        together = found
    until = watch.ended_at or now
    if watch.change is not None and _one_was_gone(watch, found, until):
        with suppress(NothingToCompare, QueryTooLarge):
            return _before_and_after(watch, Moment(watch.started_at, flag=watch.flag), until)
    if isinstance(together, NothingToCompare):
        raise together
    return together


def _one_was_gone(watch: Watch, found: Totals | NothingToCompare, until: datetime) -> bool:
    """Whether all requests see one variant from a quarter of an hour after the change on."""
    settled = watch.started_at + SIDE_BY_SIDE
    if isinstance(found, Totals):
        return found.comparison.until < min(until, settled)
    if until <= settled:
        return False
    return len(seen(watch.environment_id, settled, until, watch.flag)) == 1


def variants_compared(watch: Watch, now: datetime) -> Comparison:
    """The comparison of a flag's watch whose two variants are known."""
    return Comparison(
        watch.environment_id,
        Variants(watch.flag, watch.baseline, watch.candidate),
        watch.started_at,
        watch.ended_at or now,
    )


def length_of(watch: Watch, now: datetime) -> FixedLength | None:
    """The plan of a watch whose end was known in advance, as its looks have left it."""
    return kept(watch.started_at, watch.planned_end, watch.ended_at or now, watch.length)


def _examined_build(watch: Watch, now: datetime) -> Result:
    """Builds that ran side by side, where they did for long enough; else before and after.

    A roll-out is short. What it leaves undecided, the hour after may show; what the hour after
    shows is said only where side by side said nothing.
    """
    together = _examined_together(watch, now)
    if together and (_told(together) or now < watch.started_at + SIDE_BY_SIDE):
        return together
    moment = Moment(watch.started_at, watch.service, watch.candidate)
    try:
        after = _before_and_after(watch, moment, now)
    except NothingToCompare:
        return together or _examined_instances(watch, window_of(watch.started_at, now)[1])
    return after if after.findings or not together else together


def _examined_together(watch: Watch, now: datetime) -> Result | None:
    """None where the builds did not run side by side for long enough to test anything."""
    if not watch.baseline:
        return None
    builds = Builds(watch.service, watch.baseline, watch.candidate)
    since = watch.started_at - SIDE_BY_SIDE
    until = min(now, watch.started_at + MOMENT_LENGTH)
    try:
        found = totals(Comparison(watch.environment_id, builds, since, until))
        above = callers.seen_by(found.comparison)
        result = examined(found, length=length_of(watch, until), above=above)
    except NothingToCompare:
        return None
    return result if any(one.delta.tested for one in result.judged) else None


def _told(result: Result) -> bool:
    """Whether a deploy's own requests or its callers' show anything."""
    return bool(result.findings or any(one.findings for one in result.callers))


def _examined_instances(watch: Watch, until: datetime) -> Result:
    """Where events carry no build: instances first seen since the deploy, else before and after."""
    instances = Instances(watch.service, watch.started_at, watch.candidate)
    try:
        return examine(Comparison(watch.environment_id, instances, watch.started_at, until))
    except NothingToCompare:
        return _before_and_after(watch, Moment(watch.started_at, watch.service), until)


def keep(watch: Watch, result: Result, now: datetime) -> None:
    base = f"/{watch.environment.project.slug}/{watch.environment.slug}"
    seen_before = _events(watch)
    found = reasons(result, watch.result.get("findings", []))
    builds = _by_build(watch, result)
    if result.length is not None:
        watch.length = result.length.as_json()
    told_of = with_callers(result_json(result, base, found), result.callers, base, found)
    watch.result = {**told_of, "builds": builds}
    watch.evidence = result.evidence
    watch.verdict, watch.headline = told(
        result,
        watch.result,
        over=watch.is_over(now),
        left_s=(watch.ends_at - now).total_seconds(),
    )
    watch.findings_count = len(watch.result["findings"])
    if watch.decided_at is None and watch.verdict in ("worse", "better"):
        watch.decided_at = now
        log.info("watch.decided", extra={"watch_id": watch.id, "verdict": watch.verdict})
    _note_history(watch, now)
    _looked(watch, now, seen_before)


def _by_build(watch: Watch, result: Result) -> dict[str, Any] | None:
    before = watch.result.get("builds")
    try:
        return by_build(result, before)
    except QueryTooLarge as reason:
        log.warning("builds.too_large", extra={"watch_id": watch.id, "why": str(reason)})
        return before if isinstance(before, dict) else None


def keep_reason(watch: Watch, reason: str, now: datetime) -> None:
    """Why a look found nothing. What an earlier one decided holds, and so do its words."""
    if watch.verdict == Watch.Verdict.UNKNOWN:
        watch.headline = reason.removesuffix(".")
    _looked(watch, now, _events(watch))


def _note_history(watch: Watch, now: datetime) -> None:
    """The leading delta's interval at this look: how certainty grew. Shares by their difference."""
    deltas = watch.result["findings"] or watch.result["deltas"]
    if not deltas:
        return
    first = deltas[0]
    scale = "difference" if words.is_share(first["measure"]) else "ratio"
    watch.history = [
        *watch.history[-HISTORY_KEPT:],
        {
            "at": now.isoformat(),
            "measure": first["measure"],
            "scope": first["scope"],
            "value": first[scale],
            "interval": first["interval"][scale],
            "verdict": watch.verdict,
        },
    ]


def _looked(watch: Watch, now: datetime, seen_before: int) -> None:
    watch.looked_at = now
    watch.looks += 1
    settled = watch.looks >= SETTLING_LOOKS and seen_before == _events(watch)
    watch.next_look_at = next_look(watch, now, settled=settled)
    mine = Watch.objects.filter(id=watch.id)
    mine.update(**{name: getattr(watch, name) for name in FOUND})
    if watch.ended_at is None:  # as it was claimed: what ended during this look is told so at once
        mine.filter(ended_at__isnull=False).update(next_look_at=now)


def _events(watch: Watch) -> int:
    return sum(watch.result.get(side, {}).get("events", 0) for side in ("baseline", "candidate"))
