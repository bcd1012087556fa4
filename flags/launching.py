"""What a person chose in the form of a launch → plans as the API takes them, and what they do."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from flags import editing, moving, plans
from flags.models import Flag, Launch, Plan
from flags.plan_words import summary
from flags.plans import Asked, PlanConflict
from flags.rules import read_rules
from flags.wrong import DefinitionError
from projects.models import Environment


def find(environment: Environment, launch_id: int) -> Launch | None:
    """A launch of this environment, with it and its project."""
    found = Launch.objects.select_related("environment__project")
    return found.filter(environment=environment, id=launch_id).first()


def on_variant(flag: Flag) -> str:
    """The variant that "on" means: true of a boolean, else the default where it is not the off."""
    found = next((name for name, value in flag.variants.items() if value is True), "")
    if found:
        return found
    names = [name for name in flag.variants if name != flag.off_variant]
    default = flag.default_variant
    return default if default in names else next(iter(names), "")


def asked(environment: Environment, given: Mapping[str, Any], parts: Sequence[Any]) -> list[Asked]:
    """The launch's parts. Raises DefinitionError or NoSuchFlag."""
    if not parts:
        raise DefinitionError("flag_1", "Choose a flag.")
    at = datetime.combine(given["date"], given["time"]).replace(microsecond=0)
    common: dict[str, Any] = {"timezone": given["timezone"]}
    if given.get("fold"):
        common["fold"] = given["fold"]
    found = []
    for part in parts:
        flag = editing.find(environment, part["flag"])
        if flag is None:
            raise editing.NoSuchFlag(part["flag"])
        plan = _plan(flag, part, at)
        if given.get("holdback") and part["does"] in ("on", "serve", "ramp"):
            plan["holdback"] = float(given["holdback"])
        found.append(Asked(flag.key, plan | common))
    return found


def _plan(flag: Flag, part: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    if part["does"] == "off":
        return {"at": at.isoformat(), "patch": {"enabled": False}}
    variant = part["variant"] or on_variant(flag)
    if part["does"] == "ramp":
        minutes = part["minutes"] or 30
        percent = float(part["percent"]) if part["percent"] is not None else 100.0
        return {
            "from": at.isoformat(),
            "until": (at + timedelta(minutes=minutes)).isoformat(),
            "variant": variant,
            "percent": {"to": int(percent) if percent.is_integer() else percent},
        }
    if flag.targeting is not None:
        return {"at": at.isoformat(), "patch": {"enabled": True, "default_variant": variant}}
    kept = [rule.as_json() for rule in read_rules(flag.rules, flag.variants) if rule.conditions]
    patch = {"enabled": True, "default_variant": variant, "rules": kept}
    return {"at": at.isoformat(), "patch": patch}


def preview(
    environment: Environment, parts: Sequence[Asked], *, actor: str, now: datetime, override: str
) -> list[tuple[Plan, str]]:
    """(plan, what it would do) of each part, with nothing kept. Raises as `plans.create` does."""
    with transaction.atomic():
        launch = plans.create(environment, parts, actor=actor, now=now, override=override)
        found = [
            (plan, summary(plan, now))
            for plan in launch.plans.select_related("flag", "launch__environment__project")
        ]
        transaction.set_rollback(True)
    return found


def act(
    launch: Launch, action: str, *, actor: str, now: datetime, reason: str, minutes: int | None
) -> str:
    """One act on all parts of a launch that it fits; what was done, in words."""
    environment = launch.environment
    if action == "approve":
        plans.approve(launch, actor=actor, now=now)
        return f"{launch.name} is approved"
    found = list(launch.plans.select_related("flag").order_by("flag__key"))
    with transaction.atomic():
        if action == "off":
            for flag in {plan.flag_id: plan.flag for plan in found}.values():
                editing.change(
                    environment, flag.key, {"enabled": False}, actor=actor, reason=reason
                )
            return f"{launch.name}: turned off"
        fitting = [plan for plan in found if _fits(plan, action)]
        if not fitting:
            raise PlanConflict(f"Nothing in {launch.name} can {action.replace('-', ' ')} now.")
        for plan in fitting:
            if action == "cancel":
                plans.cancel(environment, plan.pk, actor=actor, now=now, reason=reason)
            elif action == "pause":
                moving.pause(environment, plan.pk, actor=actor, now=now, reason=reason)
            elif action == "resume":
                moving.resume(environment, plan.pk, actor=actor, now=now, reason=reason)
            else:
                within_s = minutes * 60 if minutes else None
                moving.roll_back(
                    environment, plan.pk, actor=actor, now=now, reason=reason, within_s=within_s
                )
    done = {"cancel": "cancelled", "pause": "paused", "resume": "resumed"}
    return f"{launch.name}: {done.get(action, 'rolling back')}"


def _fits(plan: Plan, action: str) -> bool:
    match action:
        case "cancel":
            return plan.status in ("planned", "waiting", "paused")
        case "pause":
            return plan.status in Plan.LIVE
        case "resume":
            return plan.status == "paused"
    return plan.status in ("running", "paused")
