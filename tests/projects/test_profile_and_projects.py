import pytest
from django.test import Client

from projects.models import Environment, Membership, Project
from tests.conftest import PASSWORD, Cast, signed_in
from tests.projects.people_pages import error_at, text

pytestmark = pytest.mark.django_db
NEW = "another-long-Passphrase"


def test_name_and_theme_are_kept(viewer_page: Client, cast: Cast) -> None:
    viewer_page.post("/profile", {"name": "Vera", "theme": "dark"})
    cast.viewer.refresh_from_db()
    assert (cast.viewer.name, cast.viewer.theme) == ("Vera", "dark")
    assert 'data-theme="dark"' in viewer_page.get("/profile").content.decode()


def test_an_unknown_theme_says_so(viewer_page: Client) -> None:
    answer = viewer_page.post("/profile", {"name": "Vera", "theme": "pink"})
    assert answer.status_code == 422
    assert error_at(answer, "theme")


def test_a_changed_password_signs_other_browsers_out(viewer_page: Client, cast: Cast) -> None:
    other = signed_in(cast.viewer)
    given = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert viewer_page.post("/profile", given).status_code == 302
    assert viewer_page.get("/profile").status_code == 200
    assert other.get("/profile").status_code == 302
    cast.viewer.refresh_from_db()
    assert cast.viewer.check_password(NEW)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"old_password": "wrong"}, "old_password"),
        ({"new_password2": "different-passphrase"}, "new_password2"),
        ({"new_password1": "short", "new_password2": "short"}, "new_password2"),
    ],
)
def test_a_refused_password_says_which_field(
    viewer_page: Client, cast: Cast, given: dict[str, str], field: str
) -> None:
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW, **given}
    answer = viewer_page.post("/profile", form)
    assert answer.status_code == 422
    assert error_at(answer, field)
    cast.viewer.refresh_from_db()
    assert cast.viewer.check_password(PASSWORD)


@pytest.mark.parametrize("address", ["/profile", "/projects/new"])
def test_nobody_signed_in_is_asked_to(client: Client, address: str) -> None:
    for answer in (client.get(address), client.post(address)):
        assert answer["Location"] == f"/sign-in?next={address}"
    assert client.put(address).status_code in (302, 405)


def test_whoever_creates_a_project_is_its_admin(viewer_page: Client, cast: Cast) -> None:
    answer = viewer_page.post("/projects/new", {"name": "New", "slug": "brand-new"})
    assert answer["Location"] == "/brand-new/settings/keys"
    assert Membership.objects.get(project__slug="brand-new").role == "admin"
    slugs = Environment.objects.filter(project__slug="brand-new").values_list("slug", flat=True)
    assert list(slugs) == ["production", "staging"]
    assert "Make a key" in text(viewer_page.get("/brand-new/settings/keys"))


@pytest.mark.parametrize(
    "slug", ["acme", "api", "v1", "static", "sign-in", "Upper", "", "-x", "a b", "x" * 41]
)
def test_a_slug_that_is_taken_or_reserved_is_refused(viewer_page: Client, slug: str) -> None:
    answer = viewer_page.post("/projects/new", {"name": "New", "slug": slug})
    assert answer.status_code == 422
    assert error_at(answer, "slug")
    assert not Project.objects.filter(name="New").exists()
