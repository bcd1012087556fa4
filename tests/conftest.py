"""The cast of every test: four people, one project with two environments, its keys."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache as once

import pytest
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.core.management import call_command
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import Client
from hypothesis import HealthCheck, settings

from events import refusals
from events.store import insert
from projects.models import Environment, Key, Membership, Project, User

PASSWORD = "correct-horse-battery"

# A busy machine makes no test fail: the first text ever drawn takes 2 s, for its tables.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@dataclass(frozen=True, slots=True)
class Cast:
    """admin, editor and viewer belong to the project `acme`; the outsider has one of their own."""

    admin: User
    editor: User
    viewer: User
    outsider: User
    project: Project
    production: Environment
    staging: Environment
    foreign: Environment


@pytest.fixture(scope="session")
def _tables() -> None:
    if "tests.distributed" not in sys.modules:  # it makes its own
        call_command("migrate_events", verbosity=0)


@pytest.fixture
def event_store(_tables: None) -> None:
    """The event store with its tables; environments keep tests apart."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """How long an insert may take, in seconds, before it is refused to its sender, who comes again.

    Tests send once, and an engine beside them on a busy machine may take longer than the product
    lets a sender wait.
    """
    usual = insert.WAIT_S
    monkeypatch.setattr(insert, "WAIT_S", 20.0)
    return usual


@pytest.fixture(scope="session", autouse=True)
def _history_may_be_emptied_between_tests() -> Iterator[None]:
    """Tests that commit are cleaned up by TRUNCATE, which the history refuses."""
    real = DatabaseOperations.sql_flush

    def flush(self: DatabaseOperations, *given: object, **named: object) -> list[str]:
        table = "ALTER TABLE projects_auditentry"
        statements = real(self, *given, **named)  # type: ignore[arg-type]  # passed on
        return [
            f"{table} DISABLE TRIGGER keep_audit_entries",
            *statements,
            f"{table} ENABLE TRIGGER keep_audit_entries",
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", flush)
        yield


@pytest.fixture(autouse=True)
def _clean_cache() -> Iterator[None]:
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _no_count_is_written_later() -> Iterator[None]:
    """A live server counts outside any transaction: its timer must not fire in another test."""
    yield
    if refusals._timer is not None:
        refusals._timer.cancel()
        refusals._timer = None
    with refusals._lock:
        refusals._arrivals.clear()
        refusals._refusals.clear()


@once
def _hashed() -> str:
    """Hashing is slow by design, so the cast shares one hash."""
    return make_password(PASSWORD)


@pytest.fixture
def cast(db: None) -> Cast:
    people = {
        name: User.objects.create(
            email=f"{name}@acme.example", password=_hashed(), name=name.title()
        )
        for name in ("admin", "editor", "viewer", "outsider")
    }
    project = Project.objects.create(slug="acme", name="Acme")
    other = Project.objects.create(slug="other", name="Other")
    for role in ("admin", "editor", "viewer"):
        Membership.objects.create(project=project, user=people[role], role=role)
    Membership.objects.create(project=other, user=people["outsider"], role="admin")
    return Cast(
        **people,
        project=project,
        production=Environment.objects.create(
            project=project, slug="production", name="Production", timezone="America/New_York"
        ),
        staging=Environment.objects.create(project=project, slug="staging", name="Staging"),
        foreign=Environment.objects.create(project=other, slug="production", name="Production"),
    )


@pytest.fixture
def environment(cast: Cast) -> Environment:
    return cast.production


def _key(environment: Environment, kind: Key.Kind) -> str:
    from projects.keys import mint

    return mint(environment, kind, name=f"test {kind}", created_by="admin@acme.example")[1]


@pytest.fixture
def ingest_key(environment: Environment) -> str:
    return _key(environment, Key.Kind.INGEST)


@pytest.fixture
def server_key(environment: Environment) -> str:
    return _key(environment, Key.Kind.SERVER)


@pytest.fixture
def client_key(environment: Environment) -> str:
    return _key(environment, Key.Kind.CLIENT)


@pytest.fixture
def api_token(cast: Cast) -> str:
    from projects.keys import mint

    return mint(
        cast.project, "api", name="test api", created_by="admin@acme.example", role="admin"
    )[1]


def signed_in(user: User) -> Client:
    """A browser of its own, signed in as this person."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin_page(cast: Cast) -> Client:
    return signed_in(cast.admin)


@pytest.fixture
def editor_page(cast: Cast) -> Client:
    return signed_in(cast.editor)


@pytest.fixture
def viewer_page(cast: Cast) -> Client:
    return signed_in(cast.viewer)


@pytest.fixture
def outsider_page(cast: Cast) -> Client:
    return signed_in(cast.outsider)
