"""The JSON API of planned changes: made, listed, edited, cancelled, approved, held, rolled back."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from flags import editing, moving, plans
from flags.api import withheld
from flags.governance import Withheld, override_of
from flags.models import Launch, Plan
from flags.plan_words import plan_json
from flags.plans import Asked, NoSuchPlan, PlanConflict
from flags.wrong import DefinitionError
from projects.access import api_environment, holder
from projects.models import Environment
from web.errors import ApiError

router = Router(tags=["plans"])
LISTED = 500
OWN = ("reason", "name", "description", "override")


class PlanIn(Schema):
    """{"at","timezone","patch"} or {"from","until","variant","percent"} or {"variant","steps"}."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    at: Any = None
    timezone: Any = None
    fold: Any = None
    patch: Any = None
    from_: Any = Field(None, alias="from")
    until: Any = None
    variant: Any = None
    percent: Any = None
    steps: Any = None
    by: Any = None
    holdback: Any = None
    reason: str = ""
    name: str = ""
    description: str = ""
    override: str = ""

    def asked(self) -> dict[str, Any]:
        """The plan alone, as it was sent."""
        sent = self.model_dump(exclude_unset=True, by_alias=True)
        return {name: value for name, value in sent.items() if name not in OWN}


class Why(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = ""
    within_s: int | None = None


class Part(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)

    flag: str
    plan: dict[str, Any]


class LaunchIn(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    description: str = ""
    reason: str = ""
    override: str = ""
    plans: list[Part]


@router.post(
    "/flags/{path:key}/plans", response={201: dict[str, Any]}, summary="Plan a change of a flag"
)
def plan_change(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    key: Path[str],
    payload: PlanIn,
) -> Status[dict[str, Any]]:
    place = api_environment(request, project, environment, "editor")
    asked = Asked(key, payload.asked())
    launch = _told(
        lambda: plans.create(
            place,
            [asked],
            actor=holder(request).actor,
            now=timezone.now(),
            **_own(request, payload),
        )
    )
    return Status(201, plan_json(_shown(place).get(launch=launch), timezone.now()))


@router.get("/plans", summary="Planned changes, the next first")
def list_plans(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    status: Query[str] = "",
    flag: Query[str] = "",
) -> dict[str, Any]:
    """Those still open, unless `status` names another: waiting, planned, running, paused, done,
    cancelled, expired, overtaken, or all."""
    place = api_environment(request, project, environment)
    found = _shown(place)
    if status not in ("", "all", *Plan.Status.values):
        raise ApiError(422, "invalid", "status must be one of the plans' states, or all.", "status")
    if status != "all":
        found = found.filter(status__in=[status] if status else Plan.OPEN)
    if flag:
        found = found.filter(flag__key=flag.replace("\x00", ""))
    now = timezone.now()
    return {"plans": [plan_json(plan, now) for plan in found[:LISTED]]}


@router.get("/plans/{plan_id}", summary="One planned change")
def one_plan(
    request: HttpRequest, project: Path[str], environment: Path[str], plan_id: Path[int]
) -> dict[str, Any]:
    place = api_environment(request, project, environment)
    return plan_json(_found(place, plan_id), timezone.now())


@router.patch("/plans/{plan_id}", summary="Another time or change in place of what is planned")
def edit_plan(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    plan_id: Path[int],
    payload: PlanIn,
) -> dict[str, Any]:
    """The body is the whole plan, as it was posted; what is left out stays as it was."""
    place = api_environment(request, project, environment, "editor")
    kept = {n: v for n, v in _found(place, plan_id).asked.items() if n not in OWN}
    asked = kept | payload.asked()
    _told(
        lambda: plans.edit(
            place,
            plan_id,
            asked,
            actor=holder(request).actor,
            now=timezone.now(),
            override=override_of(payload.override, holder(request).role),
        )
    )
    return plan_json(_found(place, plan_id), timezone.now())


@router.delete("/plans/{plan_id}", summary="Cancel what has not happened yet")
def cancel_plan(
    request: HttpRequest, project: Path[str], environment: Path[str], plan_id: Path[int]
) -> dict[str, Any]:
    place = api_environment(request, project, environment, "editor")
    actor = holder(request).actor
    _told(lambda: plans.cancel(place, plan_id, actor=actor, now=timezone.now()))
    return plan_json(_found(place, plan_id), timezone.now())


@router.post("/plans/{plan_id}/{act}", summary="pause, resume, roll-back or approve")
def act_on_plan(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    plan_id: Path[int],
    act: Path[str],
    payload: Why | None = None,
) -> dict[str, Any]:
    place = api_environment(request, project, environment, "editor")
    why, actor, now = payload or Why(), holder(request).actor, timezone.now()
    plan = _found(place, plan_id)
    reason = why.reason
    acts: dict[str, Callable[[], Any]] = {
        "pause": lambda: moving.pause(place, plan_id, actor=actor, now=now, reason=reason),
        "resume": lambda: moving.resume(place, plan_id, actor=actor, now=now, reason=reason),
        "roll-back": lambda: moving.roll_back(
            place, plan_id, actor=actor, now=now, reason=reason, within_s=why.within_s
        ),
        "approve": lambda: plans.approve(plan.launch, actor=actor, now=now),
    }
    if act not in acts:
        raise ApiError(404, "not_found", f"A plan can't {act}, only {', '.join(acts)}.")
    _told(acts[act])
    return plan_json(_found(place, plan_id), timezone.now())


@router.post("/launches", response={201: dict[str, Any]}, summary="Plan several flags together")
def plan_launch(
    request: HttpRequest, project: Path[str], environment: Path[str], payload: LaunchIn
) -> Status[dict[str, Any]]:
    place = api_environment(request, project, environment, "editor")
    launch: Launch = _told(
        lambda: plans.create(
            place,
            [Asked(part.flag, part.plan) for part in payload.plans],
            actor=holder(request).actor,
            now=timezone.now(),
            **_own(request, payload),
        )
    )
    now = timezone.now()
    parts = [plan_json(plan, now) for plan in _shown(place).filter(launch=launch)]
    return Status(201, {"id": launch.pk, "name": launch.name, "plans": parts})


def _own(request: HttpRequest, payload: PlanIn | LaunchIn) -> dict[str, str]:
    """What is about a launch and not its plans. Raises Withheld."""
    given = {name: getattr(payload, name) for name in OWN}
    return given | {"override": override_of(payload.override, holder(request).role)}


def _shown(place: Environment) -> Any:
    return (
        Plan.objects.filter(launch__environment=place)
        .select_related("launch__environment__project", "flag")
        .prefetch_related("steps")
    )


def _found(place: Environment, plan_id: int) -> Plan:
    found: Plan | None = _shown(place).filter(id=plan_id).first() if plan_id < 2**63 else None
    if found is None:
        raise ApiError(404, "not_found", f"There is no plan {plan_id} in this environment.")
    return found


def _told(act: Callable[[], Any]) -> Any:
    """The act, its refusals as answers."""
    try:
        return act()
    except editing.NoSuchFlag as error:
        raise ApiError(404, "not_found", f"There is no flag {error} in this environment.") from None
    except NoSuchPlan as error:
        raise ApiError(404, "not_found", f"There is no plan {error} here.") from None
    except PlanConflict as error:
        raise ApiError(409, "conflict", str(error)) from None
    except Withheld as error:
        raise withheld(error) from None
    except DefinitionError as error:
        raise ApiError(422, "invalid", error.message, error.field) from None
