"""A plan under way: held, gone on with, rolled back. Nobody goes back and forth.

A turn begins a few seconds ahead, so that every connected evaluator knows of it in time and all of
them turn at the same second.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from django.db import transaction
from django.db.models import F

from flags.acts import ramp_of, rest
from flags.definition import Definition, check_text, read
from flags.editing import LONGEST_REASON
from flags.models import Plan, Step
from flags.plans import PlanConflict, held, put_on_record
from flags.ramps import Ramp
from flags.rules import Rule
from flags.saving import Act, save, touch
from projects.models import Environment

AHEAD_S = 5


def pause(
    environment: Environment, plan_id: int, *, actor: str, now: datetime, reason: str = ""
) -> Plan:
    """Not yet begun: it will not happen unless resumed before its time. A ramp under way keeps
    the share it has; steps still to come wait."""
    reason = check_text("reason", reason, LONGEST_REASON)
    with transaction.atomic():
        plan = held(environment, plan_id)
        if plan.status not in Plan.LIVE:
            raise PlanConflict(f"A plan that is {plan.get_status_display().lower()} can't pause.")
        rule = ramp_of(plan.flag.definition())
        if plan.status == Plan.Status.RUNNING and rule and rule.ramp and rule.ramp.hold is None:
            at = min(int(now.timestamp()) + AHEAD_S, rule.ramp.end)
            held_ramp = replace(rule.ramp, hold=at)
            _save_ramp(environment, plan, rule, held_ramp, Act(actor, now, reason or "Held"))
        elif plan.status == Plan.Status.RUNNING and rule:
            raise PlanConflict("It is being rolled back. Turn the flag off instead.")
        plan.status, plan.note = Plan.Status.PAUSED, f"Paused by {actor}"
        plan.paused_at = now
        plan.save(update_fields=["status", "note", "paused_at"])
        touch(environment, plan.flag)
        put_on_record(environment, plan, actor, "plan.paused", reason)
    return plan


def resume(
    environment: Environment, plan_id: int, *, actor: str, now: datetime, reason: str = ""
) -> Plan:
    """Goes on where it was paused: a ramp from the share it kept, steps as far apart as before."""
    reason = check_text("reason", reason, LONGEST_REASON)
    with transaction.atomic():
        plan = held(environment, plan_id)
        if plan.status != Plan.Status.PAUSED:
            raise PlanConflict("Only a paused plan can be resumed.")
        begun = plan.steps.filter(done=True).exists()
        if not begun and plan.at <= now:
            raise PlanConflict("Its time has passed while it was paused. Plan it anew.")
        rule = ramp_of(plan.flag.definition())
        if begun and rule and rule.ramp and rule.ramp.hold is not None:
            _resume_ramp(environment, plan, rule, rule.ramp, Act(actor, now, reason or "Resumed"))
        elif begun:
            waited_s = (now - (plan.paused_at or now)).total_seconds()
            _shift(plan, timedelta(seconds=ceil(waited_s)))
        plan.status = Plan.Status.RUNNING if begun else Plan.Status.PLANNED
        plan.note = ""
        plan.save(update_fields=["status", "note", "until"])
        touch(environment, plan.flag)
        put_on_record(environment, plan, actor, "plan.resumed", reason)
    return plan


def _resume_ramp(environment: Environment, plan: Plan, rule: Rule, ramp: Ramp, act: Act) -> None:
    second = int(act.at.timestamp())
    hold = min(ramp.hold or ramp.end, second)  # resumed before the hold began: nothing to make up
    shift = second - hold
    moved = replace(ramp, start=ramp.start + shift, end=ramp.end + shift, hold=None)
    _save_ramp(environment, plan, rule, moved, act)
    _shift(plan, timedelta(seconds=shift))


def _shift(plan: Plan, by: timedelta) -> None:
    """What is still to come happens as much later."""
    plan.steps.filter(done=False).update(at=F("at") + by)
    plan.until = plan.until + by if plan.until else None


def roll_back(
    environment: Environment,
    plan_id: int,
    *,
    actor: str,
    now: datetime,
    reason: str = "",
    within_s: int | None = None,
) -> Plan:
    """Runs a ramp backwards from where it is, as fast as it came, or within so many seconds: the
    newest exposed leave first, and those not yet exposed stay as they were."""
    reason = check_text("reason", reason, LONGEST_REASON)
    with transaction.atomic():
        plan = held(environment, plan_id)
        if plan.status not in (Plan.Status.RUNNING, Plan.Status.PAUSED):
            raise PlanConflict("Only what is under way can be rolled back.")
        rule = ramp_of(plan.flag.definition())
        if rule is None or rule.ramp is None:
            _step_back(environment, plan, Act(actor, now, reason or "Rolled back"))
        else:
            ramp = rule.ramp
            if ramp.back is not None:
                raise PlanConflict("It is being rolled back already.")
            turn = int(now.timestamp()) + AHEAD_S
            hold = min(turn, ramp.end) if ramp.hold is None else ramp.hold
            way = max(hold - ramp.start, 1)
            pace = max(ceil(way / within_s), 1) if within_s else 1
            turned = replace(ramp, hold=hold, back=max(turn, hold), pace=pace)
            _save_ramp(environment, plan, rule, turned, Act(actor, now, reason or "Rolled back"))
            plan.steps.filter(done=False).update(done=True)
            _end_with(plan, turned.stops, turned, turned.low)
            plan.status = Plan.Status.RUNNING
        plan.note = f"Rolled back by {actor}{': ' + reason if reason else ''}"
        plan.save(update_fields=["status", "note", "until"])
        touch(environment, plan.flag)
        put_on_record(environment, plan, actor, "plan.rolled_back", reason)
    return plan


def _step_back(environment: Environment, plan: Plan, act: Act) -> None:
    """Steps have no line to run backwards on: what was before the plan is served again."""
    first = plan.steps.exclude(version=None).order_by("at").first()
    kept = first and plan.flag.versions.filter(version=(first.version or 1) - 1).first()
    if not kept:
        raise PlanConflict("Nothing of it has changed the flag yet. Cancel it instead.")
    before = plan.flag.definition()
    after = read(plan.flag.key, kept.definition, plan.flag.version)
    if before.text() != after.text():
        save(environment, plan.flag, before, after, act)
    plan.steps.filter(done=False).update(done=True)
    plan.status = Plan.Status.DONE


def _save_ramp(
    environment: Environment, plan: Plan, rule: Rule, ramp: Ramp, act: Act
) -> Definition:
    before = plan.flag.definition()
    rules = [one.as_json() for one in before.rules[:-1]]
    rules.append(replace(rule, ramp=ramp).as_json())
    after = read(before.key, before.as_json() | {"rules": rules}, before.version)
    save(environment, plan.flag, before, after, act)
    return after


def _end_with(plan: Plan, second: int, ramp: Ramp, percent: float) -> None:
    """The step that makes the ramp's end a plain share again."""
    at = datetime.fromtimestamp(second, UTC)
    by = rest(plan.flag.definition()).by
    act: dict[str, Any] = {
        "serve": {"variant": ramp.variant, "instead": ramp.instead, "percent": percent},
        "by": by,
    }
    last = plan.steps.order_by("-number").first()
    Step.objects.create(plan=plan, number=(last.number if last else 0) + 1, at=at, act=act)
    plan.until = at
