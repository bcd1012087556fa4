import pytest
from django.core.cache import cache
from django.test import Client

from projects import attempts
from projects.models import User
from tests.conftest import PASSWORD, Cast
from tests.projects.people_pages import text

pytestmark = pytest.mark.django_db


def sign_in(client: Client, email: str, password: str, **more: str) -> int:
    answer = client.post("/sign-in", {"email": email, "password": password, **more})
    return answer.status_code


def test_signing_in_leads_to_where_one_was_going(client: Client, cast: Cast) -> None:
    asked = client.get("/acme/settings/keys")
    assert (asked.status_code, asked["Location"]) == (302, "/sign-in?next=/acme/settings/keys")
    answer = client.post(asked["Location"], {"email": "VIEWER@acme.example", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/acme/settings/keys")
    assert client.get("/acme/settings/keys").status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_nobody_is_led_to_another_site(client: Client, cast: Cast, target: str) -> None:
    given = {"email": "viewer@acme.example", "password": PASSWORD, "next": target}
    assert client.post("/sign-in", given)["Location"] == "/"


@pytest.mark.parametrize("email", ["viewer@acme.example", "nobody@acme.example"])
def test_wrong_password_and_unknown_person_read_the_same(
    client: Client, cast: Cast, email: str
) -> None:
    answer = client.post("/sign-in", {"email": email, "password": "wrong"})
    assert answer.status_code == 422
    assert "That e-mail address and password do not match." in text(answer)


def test_an_empty_form_says_what_is_missing(client: Client, cast: Cast) -> None:
    answer = client.post("/sign-in", {})
    assert answer.status_code == 422
    assert text(answer).count("This field is required.") == 2


def test_too_many_failures_are_refused_even_with_the_right_password(
    client: Client, cast: Cast
) -> None:
    for _ in range(attempts.FOR_ONE_PERSON):
        assert sign_in(client, "viewer@acme.example", "wrong") == 422
    assert sign_in(client, "Viewer@acme.example", PASSWORD) == 429
    assert sign_in(client, "editor@acme.example", PASSWORD) == 302


def test_many_people_tried_from_one_address_are_refused(
    client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FROM_ONE_ADDRESS", 3)
    for name in ("admin", "editor", "outsider"):
        assert sign_in(client, f"{name}@acme.example", "wrong") == 422
    assert sign_in(client, "viewer@acme.example", PASSWORD) == 429


def test_counting_survives_odd_addresses(client: Client, cast: Cast) -> None:
    for email in ("a b\r\n@x", "é" * 400, "\x00", ""):
        assert sign_in(client, email, "wrong") == 422


def test_first_visit_explains_bootstrap(client: Client) -> None:
    answer = client.get("/sign-in")
    assert answer.status_code == 200
    assert "manage.py bootstrap" in text(answer)


def test_later_visits_do_not_mention_bootstrap(client: Client, cast: Cast) -> None:
    answer = client.get("/sign-in")
    assert "bootstrap" not in text(answer)
    assert "no-store" in answer["Cache-Control"]


def test_signing_in_brings_ones_theme(client: Client, cast: Cast) -> None:
    User.objects.filter(id=cast.viewer.id).update(theme="dark")
    sign_in(client, "viewer@acme.example", PASSWORD)
    assert client.cookies["theme"].value == "dark"


def test_the_theme_menu_is_remembered_for_the_person(viewer_page: Client, cast: Cast) -> None:
    viewer_page.post("/-/theme", {"theme": "light"})
    cast.viewer.refresh_from_db()
    assert cast.viewer.theme == "light"


def test_signing_out_takes_a_post(viewer_page: Client) -> None:
    assert viewer_page.get("/sign-out").status_code == 405
    assert viewer_page.get("/acme/settings/keys").status_code == 200
    assert viewer_page.post("/sign-out")["Location"] == "/sign-in"
    assert viewer_page.get("/acme/settings/keys").status_code == 302


def test_signing_in_needs_the_csrf_token(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/sign-in", {"email": "viewer@acme.example", "password": PASSWORD})
    assert answer.status_code == 403
    assert "reload the page" in text(answer)


def test_who_may_not_sign_in_any_more_cannot(client: Client, cast: Cast) -> None:
    User.objects.filter(id=cast.viewer.id).update(is_active=False)
    assert sign_in(client, "viewer@acme.example", PASSWORD) == 422


def test_nothing_is_counted_against_those_who_succeed(client: Client, cast: Cast) -> None:
    assert sign_in(client, "viewer@acme.example", PASSWORD) == 302
    assert not cache.get("sign-in:127.0.0.1")
