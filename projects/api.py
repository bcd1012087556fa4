"""The JSON API of projects: what a token may see."""

from typing import Any

from django.http import HttpRequest
from ninja import Router

from projects.access import holder
from projects.models import Environment
from web.errors import ApiError

router = Router(tags=["projects"])


def _project(slug: str, project_id: int) -> dict[str, Any]:
    environments = Environment.objects.filter(project_id=project_id)
    return {
        "project": slug,
        "environments": [
            {"environment": one.slug, "name": one.name, "timezone": one.timezone}
            for one in environments
        ],
    }


@router.get("/projects", summary="The token's project")
def list_projects(request: HttpRequest) -> dict[str, Any]:
    key = holder(request)
    return {"projects": [_project(key.project_slug, key.project_id)]}


@router.get("/projects/{project}", summary="One project with its environments")
def one_project(request: HttpRequest, project: str) -> dict[str, Any]:
    key = holder(request)
    if key.project_slug != project:
        raise ApiError(404, "not_found", f"There is no project {project}, or it is not yours.")
    return _project(project, key.project_id)
