"""Access: one look-up that fetches and authorises, so that no view can forget it.

An outsider gets 404, as if the project did not exist; a member whose role is too low gets 403.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Manager, Model, QuerySet
from django.http import Http404, HttpRequest
from ninja.security import HttpBearer

from projects.entrance import entrance
from projects.keys import KeyHolder, find
from projects.models import Environment, Membership, Project, Role, User
from web.errors import ApiError, SignInFirst


@dataclass(frozen=True, slots=True)
class Access:
    """A signed-in member in a project, and in one of its environments where the page has one."""

    user: User
    project: Project
    role: Role
    environment: Environment

    @property
    def actor(self) -> str:
        return self.user.email

    @property
    def projects(self) -> QuerySet[Project]:
        """All projects of this person, for the switcher."""
        return Project.objects.filter(memberships__user=self.user).order_by("slug")

    @property
    def environments(self) -> QuerySet[Environment]:
        return self.project.environments.all()

    def can(self, role: str) -> bool:
        return self.role.rank >= Role(role).rank


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise SignInFirst(redirect_to_login(request.get_full_path(), "/sign-in"))
    return request.user


def _permitted(held: str, role: str) -> Role:
    found = Role(held)
    if found.rank < Role(role).rank:
        raise PermissionDenied(f"This needs the role {role}; yours is {found}.")
    return found


def membership(request: HttpRequest, project_slug: str, role: str = "viewer") -> Access:
    """For a project's own pages (settings). The environment is the project's first."""
    user = _user(request)
    found = (
        Membership.objects.select_related("project")
        .filter(user=user, project__slug=project_slug)
        .first()
    )
    if found is None:
        raise Http404("There is no such project, or you are not a member of it.")
    held = _permitted(found.role, role)
    environment = found.project.environments.first()
    if environment is None:
        raise Http404("This project has no environment.")
    return Access(user, found.project, held, environment)


def environment_for(
    request: HttpRequest, project_slug: str, environment_slug: str, role: str = "viewer"
) -> Access:
    """For the pages of one environment. Raises Http404, PermissionDenied or SignInFirst."""
    found = entrance(request, project_slug, environment_slug)
    if found is None:
        membership(request, project_slug, role)  # says so where it is the sign-in or the project
        found = entrance(request, project_slug, environment_slug)  # of a session just renewed
    if found is None:
        raise Http404(f"There is no environment {environment_slug} in this project.")
    environment = found.environment
    return Access(found.user, environment.project, _permitted(found.role, role), environment)


Row = TypeVar("Row", bound=Model)


def one_of(rows: QuerySet[Row] | Manager[Row], word: str, **lookup: Any) -> Row:
    """The row of this project that an address names. Raises Http404 in words for people."""
    found = rows.filter(**lookup).first()
    if found is None:
        raise Http404(f"There is no such {word} in this project.")
    return found


class ApiToken(HttpBearer):
    """The API's authentication: `request.auth` becomes the KeyHolder of an api key."""

    def authenticate(self, request: HttpRequest, token: str) -> KeyHolder | None:
        return find(token, kinds=("api",))


def holder(request: HttpRequest) -> KeyHolder:
    """Whoever the API authenticated."""
    auth = getattr(request, "auth", None)
    if not isinstance(auth, KeyHolder):
        raise ApiError(401, "unauthenticated", "Send a valid API token.")
    return auth


def api_environment(
    request: HttpRequest, project: str, environment: str, role: str = "viewer"
) -> Environment:
    """The environment of an API address, if the token belongs to its project. Else 404."""
    key = holder(request)
    found = (
        Environment.objects.select_related("project")
        .filter(project_id=key.project_id, project__slug=project, slug=environment)
        .first()
    )
    if found is None:
        raise ApiError(
            404,
            "not_found",
            f"There is no environment {project}/{environment}, or it is not yours.",
        )
    if Role(key.role).rank < Role(role).rank:
        raise ApiError(403, "forbidden", f"This needs a token with the role {role}.")
    return found
