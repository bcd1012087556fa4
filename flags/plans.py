"""Planned changes: made, approved, edited and cancelled, each on the record.

What is planned is checked as a whole, with everything else that is planned for the same flag in
the order of time: nothing half saved, nothing that could not be carried out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from flags import governance, surroundings, words
from flags.acts import applied
from flags.definition import Definition, check_text
from flags.editing import LONGEST_REASON, locked
from flags.governance import Withheld
from flags.models import Flag, Launch, Plan, Step
from flags.planning import Planned, begins, read_plan
from flags.saving import touch
from flags.upcoming import after_each
from flags.wrong import DefinitionError
from projects import audit
from projects.keys import people_behind
from projects.models import Environment

MOST_FLAGS = 50


class NoSuchPlan(Exception):
    """The environment has no plan of this id."""


class PlanConflict(Exception):
    """What was asked does not go with how the plan, or another, stands; says what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One flag's part of a launch, as it was sent."""

    key: str
    plan: Mapping[str, Any]


def create(
    environment: Environment,
    asked: Sequence[Asked],
    *,
    actor: str,
    now: datetime,
    name: str = "",
    description: str = "",
    reason: str = "",
    override: str = "",
) -> Launch:
    """A launch of one or several flags, whole or not at all.

    Raises DefinitionError, NoSuchFlag, PlanConflict or Withheld (a freeze, unless overridden).
    """
    name = check_text("name", name, 200).strip()
    description = check_text("description", description, 5000)
    reason = check_text("reason", reason, LONGEST_REASON)
    if not 0 < len(asked) <= MOST_FLAGS:
        raise DefinitionError("flags", f"A launch is of 1 to {MOST_FLAGS} flags.")
    approval = governance.needs_approval(environment) and not override.strip()
    with transaction.atomic():
        launch = Launch.objects.create(
            environment=environment,
            name=name,
            description=description,
            actor=actor,
            reason=with_override(reason, override),
            approval_needed=approval,
        )
        titles = []
        for one in sorted(asked, key=lambda one: one.key):  # one order of locks for everyone
            flag = locked(environment, one.key)
            before, planned = read_for(flag, one.plan, now, own=None)
            check_freeze(environment, planned, override)
            plan = keep(launch, flag, planned, approval=approval)
            titles.append(words.planned(before, applied(before, planned.steps[0][1])))
            if plan.status in Plan.LIVE:
                touch(environment, flag)
            put_on_record(environment, plan, actor, "plan.created", reason, after=planned.asked)
        if not name:
            more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
            launch.name = f"{titles[0][:180]}{more}"
            launch.save(update_fields=["name"])
    return launch


def with_override(reason: str, override: str) -> str:
    """The reason to keep with a launch."""
    override = check_text("override", override, LONGEST_REASON).strip()
    if not override:
        return reason
    return (f"{reason} · override: {override}" if reason else f"Override: {override}")[:1000]


def read_for(
    flag: Flag, asked: Mapping[str, Any], now: datetime, own: Plan | None
) -> tuple[Definition, Planned]:
    """(what the flag serves when it begins, the plan), checked with all other plans."""
    if not isinstance(asked, Mapping):
        raise DefinitionError("plan", "A plan must be an object.")
    steps = [
        step
        for step in Step.objects.filter(
            done=False, plan__flag=flag, plan__status__in=Plan.LIVE
        ).select_related("plan__launch")
        if own is None or step.plan_id != own.id
    ]
    start = begins(asked, now).at
    _check_overlap(flag, start, start, own)
    by_then = after_each(flag.definition(), [step for step in steps if step.at <= start])
    before = by_then[-1][1] if by_then else flag.definition()
    planned = read_plan(asked, before, now)
    _check_overlap(flag, planned.steps[0][0], planned.steps[-1][0], own)
    surroundings.check(flag.environment, applied(before, planned.steps[0][1]))
    made = [Step(plan=Plan(launch=Launch(name="new one")), at=at, act=a) for at, a in planned.steps]
    after_each(flag.definition(), sorted([*steps, *made], key=lambda step: step.at))
    return before, planned


def _check_overlap(flag: Flag, first: datetime, last: datetime, own: Plan | None) -> None:
    """Two plans of one flag at the same time would undo each other; which one wins is guesswork."""
    for plan in flag.plans.filter(status__in=Plan.OPEN).select_related("launch"):
        if (own is not None and plan.id == own.id) or not plan.steps.filter(done=False).exists():
            continue
        if first <= (plan.until or plan.at) and plan.at <= last:
            raise PlanConflict(
                f"{flag.key} has another plan for that time: {plan.launch.name} (plan {plan.id}), "
                f"{_span(plan)}. Choose another time, or cancel or change that one."
            )


def _span(plan: Plan) -> str:
    text = f"{plan.at:%Y-%m-%d %H:%M:%S}"
    return f"{text} to {plan.until:%Y-%m-%d %H:%M:%S} UTC" if plan.until else f"{text} UTC"


def check_freeze(environment: Environment, planned: Planned, override: str) -> None:
    """Raises Withheld where a step falls into a freeze and nobody said why it may."""
    zone = environment.zone
    for at, _ in planned.steps:
        if (freeze := governance.freeze_at(environment, at)) and not override.strip():
            begins, ends = (one.astimezone(zone) for one in (freeze.begins, freeze.ends))
            raise Withheld(
                "freeze",
                f"{environment.slug} is frozen from {begins:%Y-%m-%d %H:%M} to "
                f"{ends:%Y-%m-%d %H:%M %Z} ({freeze.name}). Choose another time, or "
                "let an admin override with a reason.",
            )


def keep(
    launch: Launch, flag: Flag, planned: Planned, *, approval: bool, plan: Plan | None = None
) -> Plan:
    """Writes a plan and its steps down."""
    plan = plan or Plan(launch=launch, flag=flag)
    plan.kind = planned.kind
    plan.asked = {name: value for name, value in planned.asked.items() if name != "override"}
    plan.status = Plan.Status.WAITING if approval else Plan.Status.PLANNED
    plan.at = planned.begins.at
    plan.until = planned.ends.at if planned.ends else None
    plan.wall, plan.timezone = planned.begins.text, planned.begins.timezone
    plan.tzdata, plan.flag_version = planned.begins.tzdata, flag.version
    plan.save()
    plan.steps.all().delete()
    Step.objects.bulk_create(
        Step(plan=plan, number=number, at=at, act=act)
        for number, (at, act) in enumerate(planned.steps, 1)
    )
    return plan


def held(environment: Environment, plan_id: int) -> Plan:
    """The plan, with its flag and itself locked and settled. The caller is in a transaction."""
    found = Plan.objects.filter(id=plan_id, launch__environment=environment).first()
    if found is None:
        raise NoSuchPlan(plan_id)
    flag = locked(environment, found.flag.key)
    plan = Plan.objects.select_for_update(of=("self",)).select_related("launch").get(id=plan_id)
    plan.flag = flag
    flag.environment = environment
    return plan


def cancel(
    environment: Environment, plan_id: int, *, actor: str, now: datetime, reason: str = ""
) -> Plan:
    """Takes back what has not happened yet. Raises PlanConflict for what has."""
    reason = check_text("reason", reason, LONGEST_REASON)
    with transaction.atomic():
        plan = held(environment, plan_id)
        if plan.status not in Plan.OPEN:
            raise PlanConflict(f"This plan is {plan.get_status_display().lower()} already.")
        begun = plan.steps.filter(done=True).exists()
        if begun and plan.kind == "ramp" and plan.status == Plan.Status.RUNNING:
            raise PlanConflict(
                "The ramp is under way: hold it, roll it back, or turn the flag off."
            )
        plan.status = Plan.Status.CANCELLED
        plan.note = f"Cancelled by {actor}{': ' + reason if reason else ''}"
        if begun:
            plan.note += "; what had happened by then stays"
        plan.save(update_fields=["status", "note"])
        plan.steps.filter(done=False).update(done=True)
        touch(environment, plan.flag)
        put_on_record(environment, plan, actor, "plan.cancelled", reason)
    return plan


def edit(
    environment: Environment,
    plan_id: int,
    asked: Mapping[str, Any],
    *,
    actor: str,
    now: datetime,
    override: str = "",
) -> Plan:
    """Another time or another change in place of what was planned; needs approval anew."""
    with transaction.atomic():
        plan = held(environment, plan_id)
        check_not_begun(plan, now)
        before = {"flag": plan.flag.key, "status": plan.status, **plan.asked}
        _, planned = read_for(plan.flag, asked, now, own=plan)
        check_freeze(environment, planned, override)
        approval = governance.needs_approval(environment) and not override.strip()
        plan.launch.approved_by, plan.launch.approved_at = "", None
        plan.launch.approval_needed = approval
        plan.launch.save()
        keep(plan.launch, plan.flag, planned, approval=approval, plan=plan)
        if approval:
            for other in plan.launch.plans.filter(status=Plan.Status.PLANNED):
                other.status = Plan.Status.WAITING
                other.save(update_fields=["status"])
        touch(environment, plan.flag)
        put_on_record(environment, plan, actor, "plan.edited", override, before, planned.asked)
    return plan


def check_not_begun(plan: Plan, now: datetime) -> None:
    """Raises PlanConflict for a plan that has ended, or is under way."""
    if plan.status not in Plan.OPEN:
        raise PlanConflict(f"This plan is {plan.get_status_display().lower()} already.")
    if plan.at <= now or plan.steps.filter(done=True).exists():
        raise PlanConflict("This plan is under way. Cancel it, and plan what is to come anew.")


def approve(launch: Launch, *, actor: str, now: datetime) -> Launch:
    """Another person lets it happen. Raises PlanConflict."""
    environment = launch.environment
    asked, asking = (people_behind(environment.project, name) for name in (launch.actor, actor))
    if asked & asking:  # a key of one's own is no second pair of eyes
        raise PlanConflict("Whoever planned it can't approve it: another person has to.")
    with transaction.atomic():
        launch = (
            Launch.objects.select_for_update(of=("self",))
            .select_related("environment__project")
            .get(id=launch.id)
        )
        plans = list(launch.plans.filter(status=Plan.Status.WAITING).order_by("flag__key"))
        if not plans:
            raise PlanConflict("Nothing in this launch waits for approval.")
        for plan in plans:
            flag = locked(environment, plan.flag.key)
            flag.environment = environment
            if plan.at <= now:
                raise PlanConflict("Its time has passed. Plan it anew.")
            try:
                _, planned = read_for(flag, plan.asked, now, own=plan)
            except DefinitionError as error:
                raise PlanConflict(
                    f"It no longer fits what {flag.key} serves: {error.message}"
                ) from None
            keep(launch, flag, planned, approval=False, plan=plan)
            touch(environment, flag)
            put_on_record(environment, plan, actor, "plan.approved", "")
        launch.approved_by, launch.approved_at = actor, now
        launch.save(update_fields=["approved_by", "approved_at"])
    return launch


def warnings(plan: Plan, now: datetime) -> list[str]:
    """What somebody should know before it happens: edits by hand since, and near plans."""
    found: list[str] = []
    if plan.status not in Plan.OPEN or plan.steps.filter(done=True).exists():
        return found
    flag = plan.flag
    if flag.version != plan.flag_version:
        newer = flag.versions.filter(version__gt=plan.flag_version).order_by("-version").first()
        who = f" by {newer.actor}" if newer else ""
        found.append(
            f"{flag.key} was changed{who} after this was planned; it serves "
            f"{words.state(flag.definition())} now."
        )
    try:
        steps = list(plan.steps.filter(done=False).select_related("plan__launch"))
        after = after_each(flag.definition(), steps)
        if after and after[0][1].text() == flag.definition().text():
            found.append(f"It would change nothing any more: {flag.key} serves that already.")
    except DefinitionError as error:
        found.append(error.message)
    hour, zone = timedelta(hours=1), flag.environment.zone
    near = Plan.objects.filter(
        launch__environment_id=flag.environment_id,
        status__in=Plan.OPEN,
        at__range=(plan.at - hour, (plan.until or plan.at) + hour),
    ).exclude(launch=plan.launch_id)
    found += [
        f"{other.flag.key} changes at {other.at.astimezone(zone):%H:%M %Z}, within an hour of "
        "this: their effects would be hard to tell apart."
        for other in near.select_related("flag")[:3]
    ]
    return found


def put_on_record(
    environment: Environment,
    plan: Plan,
    actor: str,
    action: str,
    reason: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """An act on a plan, in the history."""
    audit.record(
        project=environment.project,
        environment=environment,
        actor=actor,
        action=action,
        object_type="plan",
        object_id=str(plan.id),
        before=before,
        after={"flag": plan.flag.key, "status": plan.status, **(after or {})},
        reason=reason,
    )
