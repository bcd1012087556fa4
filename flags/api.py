"""The JSON API of flags: definitions and state, and every way to change them."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from flags import archiving, editing
from flags.governance import Withheld, override_of
from flags.models import Flag
from flags.words import state_in_words
from flags.wrong import DefinitionError
from projects.access import api_environment, holder
from projects.models import Environment
from releases.changes import as_json
from web.errors import ApiError

router = Router(tags=["flags"])
NULLABLE = ("default_variant", "off_variant", "version", "targeting", "remove_by")
Result = TypeVar("Result")
Variants = Annotated[dict[str, Any], Field(description="name → value; a boolean has on and off")]
Rules = Annotated[
    list[Any], Field(description='{"if"?: [{"attribute","op","value"}], "variant"|"split", "by"?}')
]

Targeting = Annotated[
    dict[str, Any] | None, Field(description="raw JsonLogic in place of rules, or null")
]


class Why(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = ""
    override: str = ""


class FlagFields(Why):
    description: str | None = None
    owner: str | None = None
    tags: list[str] | None = None
    remove_by: str | None = None
    variants: Variants | None = None
    default_variant: str | None = None
    off_variant: str | None = None
    enabled: bool | None = None
    rules: Rules | None = None
    targeting: Targeting = None
    metadata: dict[str, Any] | None = None


class FlagIn(FlagFields):
    key: str
    type: str


class FlagPatch(FlagFields):
    version: int | None = None


def flag_json(flag: Flag) -> dict[str, Any]:
    """A flag as the API shows it; `state` says in words what it does."""
    return {
        "key": flag.key,
        "description": flag.description,
        "owner": flag.owner,
        "tags": flag.tags,
        "remove_by": flag.remove_by.isoformat() if flag.remove_by else None,
        **flag.served(),
        "version": flag.version,
        "state": state_in_words(flag),
        "created_at": flag.created_at.isoformat(),
        "updated_at": flag.updated_at.isoformat(),
        "archived_at": flag.archived_at.isoformat() if flag.archived_at else None,
    }


@router.get("/flags", summary="All flags, with what they serve now")
def list_flags(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    archived: Query[bool] = False,  # noqa: FBT002  # a query's parameter is named
) -> dict[str, Any]:
    """Without the archived ones, or those alone."""
    place = api_environment(request, project, environment)
    found = Flag.objects.filter(environment=place, archived_at__isnull=not archived)
    return {"flags": [flag_json(flag) for flag in found]}


@router.post("/flags", response={201: dict[str, Any]}, summary="Create a flag")
def create_flag(
    request: HttpRequest, project: Path[str], environment: Path[str], payload: FlagIn
) -> Status[dict[str, Any]]:
    place = api_environment(request, project, environment, "editor")
    given = _given(payload)
    try:
        edited = editing.create(
            place,
            given,
            actor=holder(request).actor,
            reason=given.pop("reason", ""),
            override=override_of(given.pop("override", ""), holder(request).role),
        )
    except editing.FlagExists:
        raise ApiError(
            409, "conflict", f"There is a flag {payload.key} already. PATCH it.", "key"
        ) from None
    except Withheld as error:
        raise withheld(error) from None
    except DefinitionError as error:
        raise _invalid(error) from None
    edited.flag.refresh_from_db()
    return Status(201, flag_json(edited.flag))


@router.post("/flags/{path:key}/restore", summary="Serve an archived flag again, as it was")
def restore_flag(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    key: Path[str],
    payload: Why | None = None,
) -> dict[str, Any]:
    place = api_environment(request, project, environment, "editor")
    why = payload or Why()
    return _moved(archiving.restore, place, key, request, why.reason, why.override)


@router.get("/flags/{path:key}", summary="One flag, with what it serves now")
def one_flag(
    request: HttpRequest, project: Path[str], environment: Path[str], key: Path[str]
) -> dict[str, Any]:
    place = api_environment(request, project, environment)
    flag = editing.find(place, key)
    if flag is None:
        raise _absent(key)
    return flag_json(flag)


@router.patch("/flags/{path:key}", summary="Change a flag; answers the change it made")
def change_flag(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    key: Path[str],
    payload: FlagPatch,
) -> dict[str, Any]:
    """`id` is the change on the timeline, and null where users get what they got before."""
    place = api_environment(request, project, environment, "editor")
    patch = _given(payload)
    try:
        edited = editing.change(
            place,
            key,
            patch,
            actor=holder(request).actor,
            reason=patch.pop("reason", ""),
            override=override_of(patch.pop("override", ""), holder(request).role),
            version=patch.pop("version", None),
        )
    except editing.NoSuchFlag:
        raise _absent(key) from None
    except editing.FlagMovedOn as error:
        raise ApiError(
            409,
            "conflict",
            f"{key} is at version {error.flag.version} now. Read it again, then change it.",
            "version",
        ) from None
    except Withheld as error:
        raise withheld(error) from None
    except DefinitionError as error:
        raise _invalid(error) from None
    said = as_json(edited.change) if edited.change else {"id": None, "flag": key}
    return said | {"title": edited.title, "version": edited.flag.version}


@router.delete("/flags/{path:key}", summary="Archive a flag: nobody is served it any more")
def archive_flag(
    request: HttpRequest,
    project: Path[str],
    environment: Path[str],
    key: Path[str],
    reason: Query[str] = "",
    override: Query[str] = "",
) -> dict[str, Any]:
    """Its history stays. 422 while another flag asks for it or something is planned for it."""
    place = api_environment(request, project, environment, "editor")
    return _moved(archiving.archive, place, key, request, reason, override)


def _moved(
    act: Callable[..., Flag],
    place: Environment,
    key: str,
    request: HttpRequest,
    reason: str,
    override: str,
) -> dict[str, Any]:
    """A flag after it was archived or restored; refusals as answers."""
    actor, role = holder(request).actor, holder(request).role
    try:
        flag = act(place, key, actor=actor, reason=reason, override=override_of(override, role))
    except editing.NoSuchFlag:
        raise _absent(key) from None
    except Withheld as error:
        raise withheld(error) from None
    except DefinitionError as error:
        raise _invalid(error) from None
    flag.refresh_from_db()
    return flag_json(flag)


def _given(payload: Schema) -> dict[str, Any]:
    """What the body names. null clears what may be none; elsewhere it is wrong."""
    given = payload.model_dump(exclude_unset=True)
    for name, value in given.items():
        if value is None and name not in NULLABLE:
            raise ApiError(422, "invalid", f"{name} must not be null. Leave it out.", name)
    return given


def withheld(error: Withheld) -> ApiError:
    """409 where it is not allowed now, 403 where not to this token."""
    status = 403 if error.code == "forbidden" else 409
    return ApiError(status, error.code, error.message, "override")


def _absent(key: str) -> ApiError:
    return ApiError(404, "not_found", f"There is no flag {key} in this environment.")


def _invalid(error: DefinitionError) -> ApiError:
    return ApiError(422, "invalid", error.message, error.field)
