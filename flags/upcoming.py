"""Steps that are still to come → what each flag will serve: what is compiled and shown."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from flags.acts import applied
from flags.courses import Course
from flags.definition import Definition
from flags.models import Flag, Plan, Step
from flags.wrong import DefinitionError

log = logging.getLogger("flipscope.flags")


def to_come(flags: Iterable[Flag]) -> dict[int, list[Step]]:
    """Steps that are compiled into what is served, by flag, in the order of time."""
    found: dict[int, list[Step]] = {}
    steps = Step.objects.filter(done=False, plan__status__in=Plan.LIVE, plan__flag__in=flags)
    for step in steps.select_related("plan"):
        found.setdefault(step.plan.flag_id, []).append(step)
    return found


def serving(flag: Flag, now: datetime) -> Definition:
    """What users get at this second: a step whose time has come counts before it is recorded."""
    due = [step for step in to_come([flag]).get(flag.pk, []) if step.at <= now]
    current = flag.definition()
    for step in due:
        try:
            [(_, current)] = after_each(current, [step])
        except DefinitionError:
            continue
    return current


def after_each(now: Definition, steps: Sequence[Step]) -> list[tuple[Step, Definition]]:
    """The definition after each step; its version counts up where users get something new.

    Raises DefinitionError naming the plan where a step can't be applied.
    """
    found = []
    for step in steps:
        try:
            after = applied(now, step.act)
        except DefinitionError as error:
            when = step.at.strftime("%Y-%m-%d %H:%M:%S UTC")
            raise DefinitionError(
                error.field,
                f"The plan {step.plan.launch.name} for {when} could not be carried out: "
                f"{error.message} Cancel or change it first.",
            ) from None
        if after.text() != now.text():
            after = replace(after, version=now.version + 1)
        found.append((step, after))
        now = after
    return found


def course(flag: Flag, steps: Sequence[Step]) -> Course:
    """What a flag serves now and later. A step that can't be applied is left out, as it will be
    when its time comes."""
    now = flag.definition()
    then = []
    before = now
    for step in steps:
        try:
            [(_, after)] = after_each(before, [step])
        except DefinitionError as error:
            log.error("plan.unreadable", extra={"plan_id": step.plan_id, "field": error.field})
            continue
        then.append((int(step.at.timestamp()), after))
        before = after
    return Course(now, tuple(then))
