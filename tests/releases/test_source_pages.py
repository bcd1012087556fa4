"""The settings page of services that are asked: made by admins, tokens never shown, stopped."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from projects.models import AuditEntry, Environment
from projects.sealing import opened
from releases import asking
from releases.models import Source
from tests.conftest import Cast
from tests.releases.services import history, serving

pytestmark = pytest.mark.django_db
PAGE, ADD = "/acme/settings/hooks", "/acme/settings/hooks/sources"


@pytest.fixture(autouse=True)
def _local(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = ["127.0.0.1"]


def form(environment: Environment, **more: str) -> dict[str, Any]:
    return {
        "source_provider": "launchdarkly",
        "source_environment": environment.id,
        "project_there": "shop",
        "token": "api-t0ken",
    } | more


def test_a_source_is_made_asked_shown_and_stopped(cast: Cast, admin_page: Client) -> None:
    with serving("launchdarkly") as service:
        made = admin_page.post(ADD, form(cast.production, url=f"{service.url}/api/"))
        assert made.status_code == 302
        source = Source.objects.get()
        assert source.url == service.url
        assert "t0ken" not in source.sealed_token
        assert opened(source.sealed_token) == "api-t0ken"
        assert asking.due(timezone.now()) == [source.id], "asked at once"
        Source.objects.update(created_at=timezone.now() - timedelta(hours=2))
        at = timezone.now() - timedelta(hours=1)
        service.entries = [history("launchdarkly", 1, at)]
        asking.visit(source.id)
    page = admin_page.get(PAGE).content.decode()
    assert "t0ken" not in page
    for words in ("answers", "There is no hook of LaunchDarkly", "new-cart turned on", "none"):
        assert words in page
    again = admin_page.post(f"{ADD}/{source.id}/token", {"token": "second"})
    assert again.status_code == 302
    source.refresh_from_db()
    assert opened(source.sealed_token) == "second"
    assert admin_page.post(f"{ADD}/{source.id}/ask").status_code == 302
    assert asking.visit(source.id).error, "the service is gone"
    assert "could not be reached" in admin_page.get(PAGE).content.decode()
    assert admin_page.post(f"{ADD}/{source.id}/stop").status_code == 302
    source.refresh_from_db()
    assert source.sealed_token == ""
    assert asking.due(timezone.now() + timedelta(days=1)) == []
    assert "None is asked yet" in admin_page.get(PAGE).content.decode()
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "source.made",
        "source.token_given",
        "source.stopped",
    ]
    assert "t0ken" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"token": ""}, "This field is required"),
        ({"token": "a\x07b"}, "printable ASCII"),
        ({"project_there": ""}, "LaunchDarkly needs the project"),
        ({"project_there": "a/../b"}, "Only letters"),
        ({"url": "http://ld.example"}, "https://"),
        ({"url": "https://u:p@ld.example"}, "password"),
        ({"url": "https://ld.example/?x=1"}, "before any ?"),
        ({"source_provider": "unleash", "url": ""}, "has no address of its own"),
        ({"source_provider": "sentry"}, "Select a valid choice"),
        ({"source_environment": "0"}, "Select a valid choice"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_form_stays_and_says_what_is_wrong(
    cast: Cast, admin_page: Client, changed: dict[str, str], said: str
) -> None:
    answer = admin_page.post(ADD, form(cast.production) | changed)
    assert answer.status_code == 422
    assert said in answer.content.decode().replace("&#x27;", "'")
    assert "api-t0ken" not in answer.content.decode()
    assert not Source.objects.exists()


def test_members_look_and_only_admins_change(
    cast: Cast, admin_page: Client, viewer_page: Client, editor_page: Client, outsider_page: Client
) -> None:
    admin_page.post(ADD, form(cast.production, url="https://ld.example"))
    source = Source.objects.get()
    shown = viewer_page.get(PAGE).content.decode()
    assert "https://ld.example" in shown
    assert "Stop asking" not in shown
    for page, status in ((viewer_page, 403), (editor_page, 403), (outsider_page, 404)):
        for path in (ADD, *(f"{ADD}/{source.id}/{act}" for act in ("ask", "token", "stop"))):
            assert page.post(path, {"token": "x"}).status_code == status
    for act in ("ask", "token", "stop"):
        assert admin_page.get(f"{ADD}/{source.id}/{act}").status_code == 405
        assert admin_page.post(f"{ADD}/999/{act}", {"token": "x"}).status_code == 404
    Source.objects.update(environment=cast.foreign)
    assert admin_page.post(f"{ADD}/{source.id}/stop").status_code == 404
    assert "https://ld.example" not in admin_page.get(PAGE).content.decode()
