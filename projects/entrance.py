"""Who asks for a page, and of which environment: one question to PostgreSQL.

Every page of an environment begins with it. Django's own way takes two questions and compiles both
anew, which took as long as the rest of a short answer of Explore; this one is a text.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection, models
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from projects.models import Environment, Membership, Project, User

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Entrance:
    user: User
    environment: Environment  # with its project
    role: str


def entrance(request: HttpRequest, project: str, environment: str) -> Entrance | None:
    """None where Django's own look-ups must tell why: not signed in, no member, no such place.

    A session counts as `django.contrib.auth.get_user` has it: the account is active, and its
    password is the one that the session began with.
    """
    session = request.session
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [session.get(SESSION_KEY), project, environment])
        row = cursor.fetchone()
    if row is None:
        return None
    role, *values = row
    user, of, where = _read(User, values), _read(Project, values), _read(Environment, values)
    begun_with = session.get(HASH_SESSION_KEY, "")
    if not user.is_active or not constant_time_compare(begun_with, user.get_session_auth_hash()):
        return None
    where.project = of
    request.user = user
    return Entrance(user, where, role)


def _read(model: type[Row], values: list[Any]) -> Row:
    """A row of a model; its values are taken from the front."""
    names = [field.attname for field in model._meta.concrete_fields]
    own, values[:] = values[: len(names)], values[len(names) :]
    return model.from_db("default", names, own)


def _sql() -> str:
    """Columns in the order in which they are read."""
    user, project, environment, membership = (
        model._meta.db_table for model in (User, Project, Environment, Membership)
    )
    columns = ", ".join(
        f"{model._meta.db_table}.{field.column}"
        for model in (User, Project, Environment)
        for field in model._meta.concrete_fields
    )
    return (
        f"SELECT {membership}.role, {columns} FROM {membership} "  # noqa: S608  # our own names
        f"JOIN {user} ON {user}.id = user_id "
        f"JOIN {project} ON {project}.id = {membership}.project_id "
        f"JOIN {environment} ON {environment}.project_id = {project}.id "
        f"WHERE user_id = %s AND {project}.slug = %s AND {environment}.slug = %s"
    )


_SQL = _sql()
