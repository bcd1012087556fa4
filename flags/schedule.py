"""Planned steps → state, timeline and audit log, once their second has passed.

By then users have what was planned: it stands in the document that is served. This writes the very
same steps down, each once, at its planned time, however late and however many try.
"""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from flags.models import Flag, Plan, Step
from flags.saving import Act, save, touch
from flags.upcoming import after_each
from flags.wrong import DefinitionError
from projects import audit
from projects.models import Environment

log = logging.getLogger("flipscope.flags")

AT_ONCE = 10  # flags that one transaction materialises


def settle(environment: Environment, flag: Flag, now: datetime) -> int:
    """Materialises the flag's steps whose time has come. The caller holds the flag's lock.

    Each becomes a version, a change and an audit entry at its planned time. Returns how many.
    """
    steps = list(
        Step.objects.filter(
            done=False, at__lte=now, plan__status__in=Plan.LIVE, plan__flag=flag
        ).select_related("plan__launch")
    )
    for step in steps:
        _materialise(environment, flag, step, now)
    for plan in {step.plan_id: step.plan for step in steps}.values():
        if plan.status in Plan.LIVE:
            left = plan.steps.filter(done=False).exists()
            plan.status = Plan.Status.RUNNING if left else Plan.Status.DONE
            plan.save(update_fields=["status"])
    return len(steps)


def _materialise(environment: Environment, flag: Flag, step: Step, now: datetime) -> None:
    plan = step.plan
    step.done = True
    step.effective_at, step.recorded_at = step.at, now
    before = flag.definition()
    try:
        [(_, after)] = after_each(before, [step])
    except DefinitionError as error:
        plan.status, plan.note = Plan.Status.OVERTAKEN, error.message
        plan.save(update_fields=["status", "note"])
        plan.steps.filter(done=False).update(done=True)
        step.save()
        touch(environment, flag)
        log.error("plan.failed", extra={"plan_id": plan.id, "field": error.field})
        return
    if after.text() != before.text():
        act = Act(
            actor=f"plan {plan.id} on behalf of {plan.launch.actor}"[:254],
            at=step.at,
            reason=plan.launch.reason or plan.launch.name,
            source="plan",
        )
        edited = save(environment, flag, before, after, act)
        step.version = flag.version
        step.change_id = edited.change.id if edited.change else None
    else:
        touch(environment, flag)
    step.save()
    late_ms = round((now - step.at).total_seconds() * 1000)
    log.info("plan.materialised", extra={"plan_id": plan.id, "late_ms": late_ms})


def _due(now: datetime) -> QuerySet[Step]:
    return Step.objects.filter(done=False, at__lte=now, plan__status__in=Plan.LIVE)


def materialise(now: datetime) -> int:
    """Everything due, a few flags a transaction; flags that another worker or an edit holds are
    left to them. Returns how many steps this call wrote."""
    written = 0
    while True:
        with transaction.atomic():
            flags = list(
                Flag.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("environment__project")
                .filter(id__in=_due(now).values("plan__flag_id"))[:AT_ONCE]
            )
            done = sum(settle(flag.environment, flag, now) for flag in flags)
        written += done
        if not done:
            return written


def expire(now: datetime) -> int:
    """Plans whose time came while they waited for approval or were paused never happen: they end
    visibly. Returns how many."""
    ended = 0
    waiting = (Plan.Status.WAITING, Plan.Status.PAUSED)
    for plan_id in Plan.objects.filter(
        status__in=waiting, at__lte=now, steps__effective_at=None
    ).values_list("id", flat=True):
        with transaction.atomic():
            plan = (
                Plan.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("launch__environment__project", "flag")
                .filter(id=plan_id, status__in=waiting)
                .first()
            )
            if plan is None or plan.steps.exclude(effective_at=None).exists():
                continue
            why = "nobody approved it" if plan.status == Plan.Status.WAITING else "it was paused"
            plan.status = Plan.Status.EXPIRED
            plan.note = f"Its time came while {why}. It did not happen, and will not."
            plan.save(update_fields=["status", "note"])
            plan.steps.filter(done=False).update(done=True)
            audit.record(
                project=plan.launch.environment.project,
                environment=plan.launch.environment,
                actor=f"plan {plan.id} on behalf of {plan.launch.actor}"[:254],
                action="plan.expired",
                object_type="plan",
                object_id=str(plan.id),
                reason=plan.note,
            )
            ended += 1
    return ended
