"""A launch that is still to come, changed as a whole: its name, time, flags, and what they do."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from flags import governance
from flags.definition import check_text
from flags.editing import LONGEST_REASON, locked
from flags.models import Launch, Plan
from flags.plans import (
    MOST_FLAGS,
    Asked,
    PlanConflict,
    check_freeze,
    check_not_begun,
    keep,
    put_on_record,
    read_for,
    with_override,
)
from flags.saving import touch
from flags.wrong import DefinitionError


def open_plans(launch: Launch) -> dict[str, Plan]:
    """The parts that are still to come, by flag."""
    found = launch.plans.filter(status__in=Plan.OPEN).select_related("flag").order_by("flag__key")
    return {plan.flag.key: plan for plan in found}


def replan(
    launch: Launch,
    asked: Sequence[Asked],
    *,
    actor: str,
    now: datetime,
    name: str = "",
    reason: str = "",
    override: str = "",
) -> Launch:
    """Whole or not at all: flags left out are taken out of the launch, others change or join.

    It needs approval anew where the environment asks for it. Raises as `plans.create` does, and
    PlanConflict once a part of it is under way.
    """
    environment = launch.environment
    name = check_text("name", name, 200).strip()
    reason = check_text("reason", reason, LONGEST_REASON)
    if not 0 < len(asked) <= MOST_FLAGS:
        raise DefinitionError("flags", f"A launch is of 1 to {MOST_FLAGS} flags.")
    approval = governance.needs_approval(environment) and not override.strip()
    with transaction.atomic():
        wanted = {one.key: one for one in asked}
        keys = sorted(wanted.keys() | open_plans(launch).keys())  # one order of locks for everyone
        flags = {key: locked(environment, key) for key in keys}
        launch = (
            Launch.objects.select_for_update(of=("self",))
            .select_related("environment__project")
            .get(id=launch.pk)
        )
        known = open_plans(launch)
        if not known:
            raise PlanConflict("Nothing of this launch is to come any more. Plan another one.")
        for one in known.values():
            check_not_begun(one, now)
        launch.name = name or launch.name
        launch.reason = with_override(reason, override) or launch.reason
        launch.approval_needed, launch.approved_by, launch.approved_at = approval, "", None
        launch.save()
        for key in keys:
            flag, plan = flags[key], known.get(key)
            flag.environment = environment
            if plan is not None:
                plan.flag = flag
            if key not in wanted:
                if plan is not None:
                    _take_out(plan, actor, reason)
                continue
            before = dict(plan.asked) if plan else None
            _, planned = read_for(flag, wanted[key].plan, now, own=plan)
            check_freeze(environment, planned, override)
            kept = keep(launch, flag, planned, approval=approval, plan=plan)
            touch(environment, flag)
            act = "plan.edited" if plan else "plan.created"
            put_on_record(environment, kept, actor, act, launch.reason, before, dict(planned.asked))
    return launch


def _take_out(plan: Plan, actor: str, reason: str) -> None:
    environment = plan.launch.environment
    plan.status = Plan.Status.CANCELLED
    plan.note = f"Taken out of the launch by {actor}"
    plan.save(update_fields=["status", "note"])
    plan.steps.filter(done=False).update(done=True)
    touch(environment, plan.flag)
    put_on_record(environment, plan, actor, "plan.cancelled", reason)
