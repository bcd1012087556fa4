from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from projects.models import AuditEntry, Environment
from tests.conftest import Cast
from tests.projects.people_pages import error_at, text

pytestmark = pytest.mark.django_db
GOOD = {"name": "Canary", "slug": "canary", "timezone": "Asia/Kolkata"}


def test_an_environment_is_added_with_its_zone(admin_page: Client, cast: Cast) -> None:
    answer = admin_page.post("/acme/settings/environments", GOOD, follow=True)
    assert "Environment canary is there." in text(answer)
    there = datetime.now(ZoneInfo("Asia/Kolkata"))
    assert there.strftime("%a %H:") in text(answer)
    made = Environment.objects.get(project=cast.project, slug="canary")
    assert (made.name, made.timezone) == ("Canary", "Asia/Kolkata")
    assert AuditEntry.objects.get(action="environment.created").actor == "admin@acme.example"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"slug": "production"}, "slug"),
        ({"slug": "settings"}, "slug"),
        ({"slug": "Big Letters"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "x" * 41}, "slug"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"name": ""}, "name"),
        ({"name": "a\x00"}, "name"),
    ],
)
def test_bad_input_says_which_field(admin_page: Client, given: dict[str, str], field: str) -> None:
    answer = admin_page.post("/acme/settings/environments", {**GOOD, **given})
    assert answer.status_code == 422
    assert error_at(answer, field)
    assert not Environment.objects.filter(name="Canary").exists()


def test_another_project_may_use_the_same_slug(outsider_page: Client) -> None:
    given = {**GOOD, "slug": "staging"}
    assert outsider_page.post("/other/settings/environments", given).status_code == 302


def test_renaming_and_moving_keeps_the_slug(admin_page: Client, cast: Cast) -> None:
    admin_page.post(
        "/acme/settings/environments/staging",
        {"name": "Rehearsal", "timezone": "Europe/Berlin", "slug": "ignored"},
    )
    cast.staging.refresh_from_db()
    assert (cast.staging.name, cast.staging.slug, cast.staging.timezone) == (
        "Rehearsal",
        "staging",
        "Europe/Berlin",
    )
    entry = AuditEntry.objects.get(action="environment.changed")
    assert entry.before == {"name": "Staging", "timezone": "UTC"}
    assert entry.after == {"name": "Rehearsal", "timezone": "Europe/Berlin"}


def test_a_refused_change_keeps_the_old_zone(admin_page: Client, cast: Cast) -> None:
    answer = admin_page.post(
        "/acme/settings/environments/staging", {"name": "Staging", "timezone": "Nowhere"}
    )
    assert answer.status_code == 422
    assert error_at(answer, "timezone")
    cast.staging.refresh_from_db()
    assert cast.staging.timezone == "UTC"
