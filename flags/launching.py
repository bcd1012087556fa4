"""What a person chose in the form of a launch → plans as the API takes them, and what they do."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from flags import editing, moving, plans
from flags.models import Flag, Launch, Plan
from flags.plan_words import summary
from flags.plans import Asked, PlanConflict
from flags.replanning import replan
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


def asked(
    environment: Environment,
    given: Mapping[str, Any],
    parts: Sequence[Any],
    planned: Mapping[str, Plan] | None = None,
) -> list[Asked]:
    """The launch's parts; `planned` are those it has, by flag, where it is being changed.

    Raises DefinitionError or NoSuchFlag.
    """
    if not parts:
        raise DefinitionError("flag_1", "Choose a flag.")
    at = datetime.combine(given["date"], given["time"]).replace(microsecond=0)
    common: dict[str, Any] = {"timezone": given["timezone"]}
    if given.get("fold"):
        common["fold"] = given["fold"]
    planned = planned or {}
    began = min((_wall(plan.wall) for plan in planned.values()), default=at)
    found, keys = [], set()
    for part in parts:
        flag = editing.find(environment, part["flag"])
        if flag is None:
            raise editing.NoSuchFlag(part["flag"])
        if flag.key in keys:
            raise DefinitionError("flag", f"{flag.key} is there twice. Keep one of them.")
        keys.add(flag.key)
        if part["does"] == "kept":
            if flag.key not in planned:
                raise DefinitionError("does", f"Nothing is planned for {flag.key}: say what is.")
            plan = moved(planned[flag.key], at - began)
            plan.pop("holdback", None)
        else:
            plan = _plan(flag, part, at)
        plan |= _holdback(given) if part["does"] != "off" else {}
        found.append(Asked(flag.key, plan | common))
    return found


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _holdback(given: Mapping[str, Any]) -> dict[str, Any]:
    if not given.get("holdback"):
        return {}
    kept: dict[str, Any] = {"percent": float(given["holdback"])}
    if until := given.get("holdback_until"):
        kept["until"] = until.replace(tzinfo=None).isoformat()
    return {"holdback": kept}


def _local(plan: Plan, value: Any) -> datetime:
    """A time that was asked for, on the plan's own clock."""
    time = datetime.fromisoformat(value)
    return time.astimezone(ZoneInfo(plan.timezone)).replace(tzinfo=None) if time.tzinfo else time


def moved(plan: Plan, by: timedelta) -> dict[str, Any]:
    """What was asked for, so much later on the wall; its zone is left to the caller."""

    def later(value: Any) -> str:
        return (_local(plan, value) + by).isoformat()

    found = {name: value for name, value in plan.asked.items() if name not in ("timezone", "fold")}
    for name in ("at", "from", "until"):
        if name in found:
            found[name] = later(found[name])
    if "steps" in found:
        found["steps"] = [step | {"at": later(step["at"])} for step in found["steps"]]
    return found


def percents(text: str) -> list[float]:
    """ "10, 50, 100" or "10% 50% 100%" → numbers. Raises DefinitionError."""
    try:
        return [float(part) for part in text.replace("%", " ").replace(",", " ").split()]
    except ValueError:
        raise DefinitionError("percent", f"{text} is no share: write 50, or 10, 50, 100.") from None


def _plan(flag: Flag, part: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    if part["does"] == "off":
        return {"at": at.isoformat(), "patch": {"enabled": False}}
    variant = part["variant"] or on_variant(flag)
    shares = percents(part["percent"] or "")
    if part["does"] == "steps":
        each = timedelta(minutes=part["minutes"] or 60)
        return {
            "variant": variant,
            "steps": [
                {"at": (at + each * number).isoformat(), "percent": _whole(percent)}
                for number, percent in enumerate(shares or [10, 50, 100])
            ],
        }
    if part["does"] == "ramp":
        if len(shares) > 1:
            raise DefinitionError("percent", "A ramp has one share to go to. Choose steps instead.")
        return {
            "from": at.isoformat(),
            "until": (at + timedelta(minutes=part["minutes"] or 30)).isoformat(),
            "variant": variant,
            "percent": {"to": _whole(shares[0] if shares else 100.0)},
        }
    if flag.targeting is not None:
        return {"at": at.isoformat(), "patch": {"enabled": True, "default_variant": variant}}
    kept = [rule.as_json() for rule in read_rules(flag.rules, flag.variants) if rule.conditions]
    patch = {"enabled": True, "default_variant": variant, "rules": kept}
    return {"at": at.isoformat(), "patch": patch}


def _whole(percent: float) -> float:
    return int(percent) if percent.is_integer() else percent


def row_of(plan: Plan) -> dict[str, str]:
    """A plan as a row of the form; "kept" where the form has no words of its own for it."""
    asked = plan.asked
    row = {"flag": plan.flag.key, "does": "kept", "variant": "", "percent": "", "minutes": ""}
    if plan.kind == "once" and asked["patch"] == {"enabled": False}:
        return row | {"does": "off"}
    if plan.kind == "ramp" and "from" not in (asked.get("percent") or {}) and "by" not in asked:
        ends = _local(plan, asked["until"]) - _local(plan, asked["from"])
        percent = (asked.get("percent") or {}).get("to", 100)
        return row | {
            "does": "ramp",
            "variant": str(asked["variant"]),
            "percent": f"{percent:g}",
            "minutes": str(round(ends.total_seconds() / 60)),
        }
    if plan.kind == "steps" and "by" not in asked:
        times = [_local(plan, step["at"]) for step in asked["steps"]]
        apart = {later - sooner for sooner, later in pairwise(times)} or {timedelta(hours=1)}
        if len(apart) == 1:
            return row | {
                "does": "steps",
                "variant": str(asked["variant"]),
                "percent": ", ".join(f"{step['percent']:g}" for step in asked["steps"]),
                "minutes": str(round(apart.pop().total_seconds() / 60)),
            }
    return row


def form_of(launch: Launch, planned: Mapping[str, Plan]) -> dict[str, str]:
    """A launch that is to come, as its form shows it."""
    first = min(planned.values(), key=lambda plan: plan.at)
    at = _wall(first.wall)
    found = {
        "name": launch.name,
        "date": at.date().isoformat(),
        "time": at.time().isoformat(),
        "timezone": first.timezone,
        "fold": str(first.asked.get("fold", "")),
        "reason": launch.reason,
    }
    for plan in planned.values():
        held = plan.asked.get("holdback")
        held = held if isinstance(held, Mapping) else {"percent": held}
        if held.get("percent"):
            found["holdback"] = f"{held['percent']:g}"
            if held.get("until"):
                found["holdback_until"] = _local(plan, held["until"]).isoformat()[:16]
    for number, plan in enumerate(planned.values(), 1):
        for name, value in row_of(plan).items():
            found[f"{name}_{number}"] = value
    return found


def preview(
    environment: Environment,
    parts: Sequence[Asked],
    *,
    actor: str,
    now: datetime,
    override: str,
    launch: Launch | None = None,
) -> list[tuple[Plan, str]]:
    """(plan, what it would do) of each part, with nothing kept. Raises as `plans.create` does."""
    with transaction.atomic():
        made = (
            replan(launch, parts, actor=actor, now=now, override=override)
            if launch
            else plans.create(environment, parts, actor=actor, now=now, override=override)
        )
        shown = made.plans.filter(status__in=Plan.OPEN)
        found = [
            (plan, summary(plan, now))
            for plan in shown.select_related("flag", "launch__environment__project")
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
