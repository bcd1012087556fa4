"""One question tells who asks and where, and nobody comes in by it whom Django would not let in."""

import socket
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.backends.postgresql import base
from django.http import Http404, HttpRequest
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from projects.access import environment_for
from projects.entrance import entrance
from projects.models import Membership, User
from tests.conftest import Cast
from web.errors import SignInFirst

pytestmark = pytest.mark.django_db


def asks(client: Client, user: User | None = None) -> HttpRequest:
    """A request with this client's session; `user` is whom Django's middleware found."""
    request = RequestFactory().get("/acme/production/timeline")
    request.session = client.session
    request.user = user or AnonymousUser()
    return request


def test_one_question_finds_person_project_environment_and_role(
    viewer_page: Client, cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = asks(viewer_page)
    assert request.session["_auth_user_id"]
    with django_assert_num_queries(1):
        access = environment_for(request, "acme", "production")
        assert access.environment.project.name == "Acme"
    assert (access.user, access.environment) == (cast.viewer, cast.production)
    assert (access.role, access.environment.zone.key) == ("viewer", "America/New_York")
    assert request.user == cast.viewer
    for name in ("email", "theme", "last_login"):
        assert getattr(access.user, name) == getattr(User.objects.get(id=cast.viewer.id), name)


def test_nobody_comes_in_with_an_older_password(viewer_page: Client, cast: Cast) -> None:
    cast.viewer.set_password("another-passphrase-1")
    cast.viewer.save()
    assert entrance(asks(viewer_page), "acme", "production") is None
    assert viewer_page.get("/acme/production/timeline").status_code == 302


def test_nobody_comes_in_whose_account_is_closed(viewer_page: Client, cast: Cast) -> None:
    User.objects.filter(id=cast.viewer.id).update(is_active=False)
    assert entrance(asks(viewer_page), "acme", "production") is None
    assert viewer_page.get("/acme/production/timeline").status_code == 302


def test_nobody_comes_in_by_a_way_that_is_not_served(viewer_page: Client, cast: Cast) -> None:
    request = asks(viewer_page)
    request.session["_auth_user_backend"] = "somewhere.Else"
    with pytest.raises(SignInFirst):
        environment_for(request, "acme", "production")


@pytest.mark.parametrize("where", [("other", "production"), ("acme", "nowhere"), ("no", "no")])
def test_no_other_place_is_entered(viewer_page: Client, cast: Cast, where: tuple[str, str]) -> None:
    with pytest.raises(Http404):
        environment_for(asks(viewer_page, cast.viewer), *where)


def test_a_membership_that_ended_ends_it(viewer_page: Client, cast: Cast) -> None:
    Membership.objects.filter(user=cast.viewer).delete()
    with pytest.raises(Http404):
        environment_for(asks(viewer_page, cast.viewer), "acme", "production")


def test_a_session_of_an_older_secret_still_comes_in(
    viewer_page: Client, cast: Cast, settings: Settings
) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a" * 60, [settings.SECRET_KEY]
    assert viewer_page.get("/acme/production/timeline").status_code == 200


def test_a_connection_is_asked_only_when_its_server_has_said_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Mock(return_value=True)
    monkeypatch.setattr(base.DatabaseWrapper, "is_usable", asked)
    connection.ensure_connection()
    assert connection.is_usable()
    asked.assert_not_called()


@pytest.mark.django_db(transaction=True)
def test_a_connection_whose_server_ended_is_not_used() -> None:
    connection.ensure_connection()
    end = socket.socket(fileno=connection.connection.fileno())
    try:
        end.shutdown(socket.SHUT_RDWR)
    finally:
        end.detach()
    assert not connection.is_usable()
    connection.close()
    assert connection.is_usable() is False
    connection.ensure_connection()
    assert connection.is_usable()
