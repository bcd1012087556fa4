import pytest
from django.test import Client

from projects.models import AuditEntry, Membership
from tests.conftest import Cast, signed_in
from tests.projects.people_pages import text

pytestmark = pytest.mark.django_db


def member(cast: Cast, name: str) -> Membership:
    return Membership.objects.get(project=cast.project, user=getattr(cast, name))


def change(client: Client, who: Membership, **given: str) -> str:
    answer = client.post(f"/acme/settings/members/{who.id}", given, follow=True)
    assert answer.status_code == 200
    return text(answer)


def test_a_role_is_changed_and_noted(admin_page: Client, cast: Cast) -> None:
    assert "viewer@acme.example is now editor." in change(
        admin_page, member(cast, "viewer"), role="editor"
    )
    assert member(cast, "viewer").role == "editor"
    entry = AuditEntry.objects.get(action="member.role_changed")
    assert (entry.actor, entry.before, entry.after) == (
        "admin@acme.example",
        {"role": "viewer"},
        {"role": "editor"},
    )


def test_a_role_change_counts_at_the_next_request(
    admin_page: Client, viewer_page: Client, cast: Cast
) -> None:
    assert viewer_page.get("/acme/settings/environments/staging").status_code == 403
    change(admin_page, member(cast, "viewer"), role="admin")
    assert viewer_page.get("/acme/settings/environments/staging").status_code == 200


def test_who_is_removed_sees_nothing_any_more(
    admin_page: Client, viewer_page: Client, cast: Cast
) -> None:
    assert "is no longer a member" in change(admin_page, member(cast, "viewer"), act="remove")
    assert viewer_page.get("/acme/settings/members").status_code == 404
    assert AuditEntry.objects.filter(
        action="member.removed", object_id="viewer@acme.example"
    ).exists()


@pytest.mark.parametrize("given", [{"act": "remove"}, {"role": "viewer"}, {"role": "editor"}])
def test_the_last_admin_stays(admin_page: Client, cast: Cast, given: dict[str, str]) -> None:
    assert "A project needs an admin" in change(admin_page, member(cast, "admin"), **given)
    assert member(cast, "admin").role == "admin"


def test_an_admin_may_leave_when_there_is_another(admin_page: Client, cast: Cast) -> None:
    change(admin_page, member(cast, "editor"), role="admin")
    answer = admin_page.post(
        f"/acme/settings/members/{member(cast, 'admin').id}", {"act": "remove"}
    )
    assert answer["Location"] == "/"
    assert admin_page.get("/acme/settings/members").status_code == 404
    assert signed_in(cast.editor).get("/acme/settings/members").status_code == 200


def test_an_unknown_role_changes_nothing(admin_page: Client, cast: Cast) -> None:
    assert "Choose one of the roles." in change(admin_page, member(cast, "viewer"), role="owner")
    assert member(cast, "viewer").role == "viewer"


def test_viewers_see_who_is_here_but_no_forms(viewer_page: Client) -> None:
    page = viewer_page.get("/acme/settings/members")
    assert "editor@acme.example" in text(page)
    assert "/acme/settings/members/" not in page.content.decode()
    assert "Invite somebody" not in text(page)
