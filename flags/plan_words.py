"""Plans as the API and the pages show them: what will change, in words, step by step."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flags import words
from flags.acts import applied
from flags.definition import Definition, read
from flags.models import Plan, Step
from flags.plans import warnings
from flags.ramps import read_ramp
from flags.wrong import DefinitionError
from web.words import count, day


@dataclass(frozen=True, slots=True)
class Line:
    """One step: what it does, and for whom afterwards."""

    step: Step
    words: str
    state: str


def lines(plan: Plan) -> list[Line]:
    """Each step in words, from what the flag served before the first of them."""
    steps = list(plan.steps.all())
    before = _before(plan, steps)
    found: list[Line] = []
    for step in steps:
        if "serve" in step.act and found and "ramp" in found[-1].step.act:
            said = f"{plan.flag.key}: the ramp ends"
        else:
            said = ""
        try:
            after = applied(before, step.act)
        except DefinitionError as error:
            found.append(Line(step, f"could not be carried out: {error.message}", ""))
            continue
        title = words.planned(before, after)
        found.append(Line(step, said or title, words.state(after)))
        before = after
    return found


def _before(plan: Plan, steps: list[Step]) -> Definition:
    first = next((step for step in steps if step.version), None)
    if first is not None and first.version is not None:
        kept = plan.flag.versions.filter(version=first.version - 1).first()
        if kept is not None:
            return read(plan.flag.key, kept.definition, kept.version)
    return plan.flag.definition()


def summary(plan: Plan, now: datetime) -> str:
    """The plan in one clause: "PRICING_PAGE turns on for everyone"."""
    zone = plan.launch.environment.zone
    steps = list(plan.steps.all())
    if plan.kind == "ramp" and steps and "ramp" in steps[0].act:
        try:
            ramp = read_ramp("ramp", steps[0].act["ramp"], plan.flag.variants)
        except DefinitionError:
            return f"{plan.flag.key} ramps"
        ends = steps[1].at if len(steps) > 1 else plan.until or plan.at
        kept = f"; {100 - ramp.high:g}% stay without it" if 90 <= ramp.high < 100 else ""
        starts = f"{plan.at.astimezone(zone):%H:%M:%S}"
        over = "" if day(ends, zone, now) == day(plan.at, zone, now) else f"{day(ends, zone, now)} "
        return (
            f"{plan.flag.key} ramps {ramp.variant} from {ramp.low:g}% to {ramp.high:g}% between "
            f"{starts} and {over}{ends.astimezone(zone):%H:%M:%S}{kept}"
        )
    told = lines(plan)
    if not told:
        return plan.flag.key
    left = len(told) - 1
    if plan.kind != "steps" or not left:
        return told[0].words
    return f"{told[0].words}, then in {count(left)} more step{'s' if left > 1 else ''}"


def percent_now(plan: Plan, now: datetime) -> float | None:
    """Where a ramp under way stands, in percent."""
    rule = plan.flag.definition().rules[-1:] if plan.flag.enabled else ()
    ramp = rule[0].ramp if rule else None
    return ramp.percent(now.timestamp()) if ramp else None


def plan_json(plan: Plan, now: datetime) -> dict[str, Any]:
    """A plan as the API shows it."""
    launch, environment = plan.launch, plan.launch.environment
    return {
        "id": plan.pk,
        "flag": plan.flag.key,
        "kind": plan.kind,
        "status": plan.status,
        "summary": summary(plan, now),
        "at": plan.at.isoformat(),
        "until": plan.until.isoformat() if plan.until else None,
        "wall": plan.wall,
        "timezone": plan.timezone,
        "tzdata": plan.tzdata,
        "asked": plan.asked,
        "percent_now": percent_now(plan, now) if plan.status == Plan.Status.RUNNING else None,
        "steps": [_step_json(line) for line in lines(plan)],
        "warnings": warnings(plan, now),
        "note": plan.note or None,
        "actor": launch.actor,
        "reason": launch.reason or None,
        "approval_needed": launch.approval_needed,
        "approved_by": launch.approved_by or None,
        "created_at": plan.created_at.isoformat(),
        "launch": {
            "id": launch.pk,
            "name": launch.name,
            "url": f"/{environment.project.slug}/{environment.slug}/launches/{launch.pk}",
        },
    }


def _step_json(line: Line) -> dict[str, Any]:
    step = line.step
    return {
        "at": step.at.isoformat(),
        "words": line.words,
        "state": line.state,
        "done": step.effective_at is not None,
        "effective_at": step.effective_at.isoformat() if step.effective_at else None,
        "recorded_at": step.recorded_at.isoformat() if step.recorded_at else None,
        "version": step.version,
        "change_id": step.change_id,
    }
