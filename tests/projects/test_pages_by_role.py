"""Every page of this room, asked for by everybody: who sees it, who is refused, who sees 404."""

import pytest
from django.test import Client

from projects.keys import mint
from projects.models import Invitation, Membership
from tests.conftest import Cast, signed_in
from tests.projects.people_pages import text

pytestmark = pytest.mark.django_db

# address, method → status for anonymous, outsider, viewer, editor, admin
READ = (302, 404, 200, 200, 200)
ADMIN = (302, 404, 403, 403, 200)
WRITE = (302, 404, 403, 403, 302)
BAD_WRITE = (302, 404, 403, 403, 422)
TABLE = {
    ("GET", "/acme/"): (302, 404, 302, 302, 302),
    ("GET", "/acme/settings/"): (302, 404, 302, 302, 302),
    ("GET", "/acme/settings/environments"): READ,
    ("POST", "/acme/settings/environments"): BAD_WRITE,
    ("GET", "/acme/settings/environments/staging"): ADMIN,
    ("POST", "/acme/settings/environments/staging"): BAD_WRITE,
    ("GET", "/acme/settings/members"): READ,
    ("POST", "/acme/settings/members"): BAD_WRITE,
    ("POST", "/acme/settings/members/MEMBER"): WRITE,
    ("POST", "/acme/settings/invitations/INVITATION/revoke"): WRITE,
    ("GET", "/acme/settings/keys"): READ,
    ("POST", "/acme/settings/keys"): BAD_WRITE,
    ("POST", "/acme/settings/keys/KEY/revoke"): WRITE,
    ("GET", "/acme/settings/audit"): READ,
    ("GET", "/no-such-project/settings/keys"): (302, 404, 404, 404, 404),
    ("POST", "/acme/settings/keys/FOREIGN_KEY/revoke"): (302, 404, 403, 403, 404),
    ("POST", "/acme/settings/members/FOREIGN_MEMBER"): (302, 404, 403, 403, 404),
    ("GET", "/acme/settings/environments/nowhere"): (302, 404, 403, 403, 404),
}
ROLES = ("anonymous", "outsider", "viewer", "editor", "admin")


def filled(address: str, cast: Cast) -> str:
    by = cast.admin.email
    invitation = Invitation.objects.create(
        project=cast.project, role="viewer", token_hash="x", expires_at="2099-01-01T00:00Z"
    )
    names = {
        "FOREIGN_KEY": mint(cast.foreign, "ingest", name="n", created_by=by)[0].id,
        "FOREIGN_MEMBER": Membership.objects.get(user=cast.outsider).id,
        "KEY": mint(cast.production, "ingest", name="n", created_by=by)[0].id,
        "MEMBER": Membership.objects.get(user=cast.viewer).id,
        "INVITATION": invitation.id,
    }
    for name, number in names.items():
        address = address.replace(name, str(number))
    return address


@pytest.mark.parametrize(
    ("method", "address", "role", "status"),
    [
        pytest.param(method, address, role, status, id=f"{method} {address} by {role}")
        for (method, address), statuses in TABLE.items()
        for role, status in zip(ROLES, statuses, strict=True)
    ],
)
def test_page_answers_each_role(
    cast: Cast, method: str, address: str, role: str, status: int
) -> None:
    client = Client() if role == "anonymous" else signed_in(getattr(cast, role))
    answer = client.generic(method, filled(address, cast))
    assert answer.status_code == status
    if role == "anonymous":
        assert answer["Location"].startswith("/sign-in?next=/")
    if role == "outsider":
        assert "Acme" not in text(answer)


@pytest.mark.parametrize("address", sorted({address for _, address in TABLE}))
def test_wrong_methods_are_refused(admin_page: Client, cast: Cast, address: str) -> None:
    answer = admin_page.delete(filled(address, cast))
    assert answer.status_code == 405
    assert answer["Allow"]


def test_a_page_refused_says_which_role_it_needs(viewer_page: Client) -> None:
    answer = viewer_page.get("/acme/settings/environments/staging")
    assert "This needs the role admin; yours is viewer." in text(answer)


def test_home_is_the_first_project_or_a_new_one(viewer_page: Client, cast: Cast) -> None:
    assert viewer_page.get("/")["Location"] == "/acme/"
    assert viewer_page.get("/acme/")["Location"] == "/acme/production/"
    Membership.objects.filter(user=cast.viewer).delete()
    assert viewer_page.get("/")["Location"] == "/projects/new"
    assert Client().get("/")["Location"] == "/sign-in"
