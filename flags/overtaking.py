"""An edit by hand meets plans: which of them it ends, and which it must not break."""

from flags.acts import ramp_of, rest
from flags.definition import Definition
from flags.models import Flag, Plan, Step
from flags.saving import touch
from flags.upcoming import after_each
from projects import audit
from projects.models import Environment


def _touches(before: Definition, after: Definition) -> bool:
    """Whether an edit takes hold of what a plan under way is moving: everyone else's share."""
    if before.enabled != after.enabled or before.targeting != after.targeting:
        return True
    return ramp_of(before) != ramp_of(after) or rest(before) != rest(after)


def check(flag: Flag, before: Definition, after: Definition) -> None:
    """Raises DefinitionError where a plan could no longer be carried out after the edit."""
    steps = Step.objects.filter(done=False, plan__flag=flag, plan__status__in=Plan.LIVE)
    kept = [
        step
        for step in steps.select_related("plan__launch")
        if step.plan.status != Plan.Status.RUNNING or not _touches(before, after)
    ]
    after_each(after, kept)


def end(
    environment: Environment, flag: Flag, before: Definition, after: Definition, actor: str
) -> None:
    """Ends plans that were under way, if the edit took hold of what they move: whoever turns a
    flag off does not want a ramp to turn it on again."""
    if not _touches(before, after):
        return
    for plan in Plan.objects.filter(
        flag=flag, status__in=(Plan.Status.RUNNING, Plan.Status.PAUSED)
    ).select_related("launch"):
        if plan.status == Plan.Status.PAUSED and not plan.steps.filter(done=True).exists():
            continue  # it has not begun, so it is not about this
        plan.status = Plan.Status.OVERTAKEN
        plan.note = f"{actor} changed {flag.key} by hand while it was under way."
        plan.save(update_fields=["status", "note"])
        plan.steps.filter(done=False).update(done=True)
        touch(environment, flag)
        audit.record(
            project=environment.project,
            environment=environment,
            actor=actor,
            action="plan.overtaken",
            object_type="plan",
            object_id=str(plan.pk),
            reason=plan.note,
        )
