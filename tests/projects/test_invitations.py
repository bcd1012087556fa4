import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from projects.models import AuditEntry, Invitation, Membership, Role, User
from tests.conftest import Cast, signed_in
from tests.projects.people_pages import error_at, text

pytestmark = pytest.mark.django_db
NEWCOMER = {"name": "Noor", "email": "noor@new.example", "password": "a-long-Passphrase-9"}


@pytest.fixture
def link(admin_page: Client, cast: Cast) -> str:
    """The link as the page shows it, once."""
    answer = admin_page.post(
        "/acme/settings/members", {"email": "noor@new.example", "role": "editor"}
    )
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r"http://testserver(/invitations/[\w-]{43})", answer.content.decode())
    assert found
    return found.group(1)


def role_of(email: str) -> str:
    return Membership.objects.get(project__slug="acme", user__email=email).role


def test_a_newcomer_makes_an_account_and_joins(client: Client, link: str) -> None:
    assert "admin@acme.example invites you as editor." in text(client.get(link))
    answer = client.post(link, NEWCOMER)
    assert (answer.status_code, answer["Location"]) == (302, "/acme/")
    assert role_of("noor@new.example") == "editor"
    assert client.get("/acme/settings/members").status_code == 200
    assert AuditEntry.objects.filter(action="member.joined", actor="noor@new.example").exists()


def test_somebody_with_an_account_joins_with_it(outsider_page: Client, link: str) -> None:
    assert "You join as outsider@acme.example." in text(outsider_page.get(link))
    assert outsider_page.get("/acme/settings/members").status_code == 404
    assert outsider_page.post(link)["Location"] == "/acme/"
    assert role_of("outsider@acme.example") == "editor"


def test_a_link_works_once(client: Client, outsider_page: Client, link: str) -> None:
    outsider_page.post(link)
    for answer in (client.get(link), client.post(link, NEWCOMER)):
        assert answer.status_code == 404
        assert "does not work any more" in text(answer)
    assert not User.objects.filter(email="noor@new.example").exists()


def test_a_link_ends_after_seven_days(client: Client, link: str) -> None:
    invitation = Invitation.objects.get()
    assert timedelta(days=6.9) < invitation.expires_at - timezone.now() <= timedelta(days=7)
    Invitation.objects.update(expires_at=timezone.now())
    assert client.get(link).status_code == 404


def test_a_revoked_link_is_dead(client: Client, admin_page: Client, link: str) -> None:
    admin_page.post(f"/acme/settings/invitations/{Invitation.objects.get().id}/revoke")
    assert client.post(link, NEWCOMER).status_code == 404
    assert "Open invitations" not in text(admin_page.get("/acme/settings/members"))


def test_the_link_is_shown_once_and_stored_hashed(admin_page: Client, link: str) -> None:
    page = admin_page.get("/acme/settings/members").content.decode()
    token = link.rpartition("/")[2]
    assert token not in page
    assert "noor@new.example" in page
    assert token not in str(Invitation.objects.values_list()[0])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"password": "noor@new.example"}, "password"),
        ({"email": "not an address"}, "email"),
        ({"email": "Viewer@acme.example"}, "email"),
        ({"email": ""}, "email"),
    ],
)
def test_bad_input_says_which_field(
    client: Client, link: str, given: dict[str, str], field: str
) -> None:
    answer = client.post(link, {**NEWCOMER, **given})
    assert answer.status_code == 422
    assert error_at(answer, field)
    assert not Invitation.objects.exclude(accepted_at=None).exists()


def test_a_viewer_invited_as_editor_becomes_one(viewer_page: Client, link: str) -> None:
    viewer_page.post(link)
    assert role_of("viewer@acme.example") == "editor"


def test_an_admin_invited_as_editor_stays_admin(cast: Cast, link: str) -> None:
    signed_in(cast.admin).post(link)
    assert role_of("admin@acme.example") == Role.ADMIN


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"role": ""}, "role"),
        ({"email": "x", "role": "viewer"}, "email"),
    ],
)
def test_a_bad_invitation_says_which_field(
    admin_page: Client, given: dict[str, str], field: str
) -> None:
    answer = admin_page.post("/acme/settings/members", given)
    assert answer.status_code == 422
    assert error_at(answer, field)
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("token", ["x", "x" * 2000, "%00", "%ff", "é"])
def test_a_link_made_up_is_no_invitation(db: None, client: Client, token: str) -> None:
    assert client.get(f"/invitations/{token}").status_code == 404
