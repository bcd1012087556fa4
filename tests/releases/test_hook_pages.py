"""The settings page of hooks: made by admins, shown once, listed for members, revoked."""

import re
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils.html import escape

from projects.models import AuditEntry
from releases.hooks.providers import PROVIDERS
from releases.models import Hook
from tests.conftest import Cast
from tests.releases.hooked import hook

pytestmark = pytest.mark.django_db
PAGE = "/acme/settings/hooks"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_admin_makes_a_hook_whose_address_works_and_is_shown_once(
    cast: Cast, admin_page: Client, provider: str
) -> None:
    form = {"provider": provider, "environment": cast.production.id, "service": "shop"}
    made = admin_page.post(PAGE, form)
    assert made.status_code == 200
    found = re.search(rf"http://testserver(/hooks/{provider}/[\w-]+)", made.content.decode())
    assert found is not None
    path = found[1]
    assert "{" not in path
    answered = Client().post(path, b"{", content_type="application/json")
    assert answered.status_code in (400, 401)
    again = admin_page.get(PAGE).content.decode()
    assert path.rsplit("/", 1)[1] not in again
    assert Hook.objects.get().secret not in again
    assert escape(PROVIDERS[provider].name) in again
    assert AuditEntry.objects.get().action == "hook.made"


def test_what_is_missing_is_said(admin_page: Client) -> None:
    answer = admin_page.post(PAGE, {"provider": "nobody"})
    assert answer.status_code == 422
    assert "Select a valid choice" in answer.content.decode()


def test_members_look_and_only_admins_change(
    cast: Cast, viewer_page: Client, editor_page: Client, outsider_page: Client
) -> None:
    hook(cast.production, "github")
    made = Hook.objects.get()
    assert "Make a hook" not in viewer_page.get(PAGE).content.decode()
    assert outsider_page.get(PAGE).status_code == 404
    assert Client().get(PAGE).status_code == 302
    for page, status in ((viewer_page, 403), (editor_page, 403), (outsider_page, 404)):
        assert page.post(PAGE, {"provider": "github"}).status_code == status
        assert page.post(f"{PAGE}/{made.id}/revoke").status_code == status
    assert Hook.objects.get().revoked_at is None


def test_a_revoked_hook_is_gone(cast: Cast, admin_page: Client) -> None:
    sender = hook(cast.production, "curl")
    sender.post({"title": "Queue drained"})
    shown = admin_page.get(PAGE).content.decode()
    assert "Queue drained" in shown
    made = Hook.objects.get()
    assert admin_page.post(f"{PAGE}/{made.id}/revoke").status_code == 302
    assert sender.post({"title": "again"}).status_code == 404
    assert made.prefix not in admin_page.get(PAGE).content.decode().split("There are no hooks")[1]
    assert AuditEntry.objects.filter(action="hook.revoked").count() == 1


def test_a_foreign_hook_is_404(cast: Cast, admin_page: Client) -> None:
    hook(cast.foreign, "curl")
    assert admin_page.post(f"{PAGE}/{Hook.objects.get().id}/revoke").status_code == 404


def test_a_get_never_revokes(cast: Cast, admin_page: Client) -> None:
    hook(cast.production, "curl")
    assert admin_page.get(f"{PAGE}/{Hook.objects.get().id}/revoke").status_code == 405


def test_secrets_are_sealed_and_a_hook_sealed_under_another_key_says_what_to_do(
    cast: Cast, settings: Any, admin_page: Client
) -> None:
    sender = hook(cast.production, "github", secret="a shared secret")
    made = Hook.objects.get()
    assert "shared" not in made.sealed_secret
    assert sender.signed({}, "ping").status_code == 200
    settings.SECRET_KEY = "another one, of fifty characters at the very least, is here"
    refused = sender.signed({}, "ping")
    assert refused.status_code == 401
    assert "SECRET_KEY_FALLBACKS" in refused.json()["error"]["message"]


@pytest.mark.django_db(transaction=True)
def test_readable_secrets_of_earlier_hooks_are_sealed_by_the_migration(cast: Cast) -> None:
    sender = hook(cast.production, "github", secret="a shared secret")

    def migrated(name: str) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate([("releases", name)])
        return executor.loader.project_state([("releases", name)]).apps.get_model(
            "releases", "Hook"
        )

    try:
        before = migrated("0003_sources")
        assert before.objects.get().secret == "a shared secret"
    finally:
        migrated("0005_secrets_of_hooks_are_sealed")
    assert sender.signed({}, "ping").status_code == 200
