import re

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from projects import keys
from projects.models import AuditEntry, Key
from tests.conftest import Cast
from tests.projects.people_pages import error_at, text
from web.errors import StoreAway

pytestmark = pytest.mark.django_db
BY = "admin@acme.example"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    keys.forget()


def test_a_key_is_found_by_its_secret_and_says_where_it_belongs(cast: Cast) -> None:
    key, secret = keys.mint(cast.production, "ingest", name="shop", created_by=BY)
    found = keys.find(secret, kinds=("ingest",))
    assert found is not None
    assert (found.key_id, found.project_slug, found.environment_slug) == (
        key.id,
        "acme",
        "production",
    )
    assert (found.timezone, found.actor) == ("America/New_York", "Ingest key “shop”")


def test_the_secret_is_256_random_bits_and_never_stored(cast: Cast) -> None:
    key, secret = keys.mint(cast.production, "server", name="shop", created_by=BY)
    assert re.fullmatch(r"fs_server_[\w-]{43}", secret)
    stored = " ".join(str(value) for value in Key.objects.filter(id=key.id).values_list()[0])
    assert secret[20:] not in stored
    assert secret.startswith(key.prefix)


@pytest.mark.parametrize("kind", ["ingest", "server", "client", "api"])
def test_a_key_of_one_kind_is_no_key_of_another(cast: Cast, kind: str) -> None:
    owner = cast.project if kind == "api" else cast.production
    _, secret = keys.mint(
        owner, kind, name="n", created_by=BY, role="viewer" if kind == "api" else ""
    )
    others = tuple({"ingest", "server", "client", "api"} - {kind})
    assert keys.find(secret, kinds=others) is None
    assert keys.find(secret, kinds=(kind,)) is not None


@pytest.mark.parametrize("secret", ["", "fs_ingest_", "x" * 10_000, "\x00", "\udcff", "é"])
def test_nonsense_is_nobody(db: None, secret: str) -> None:
    assert keys.find(secret, kinds=("ingest",)) is None


def test_a_known_key_costs_no_query(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = keys.mint(cast.production, "ingest", name="shop", created_by=BY)
    keys.find(secret, kinds=("ingest",))
    with django_assert_num_queries(0):
        for _ in range(50):
            keys.find(secret, kinds=("ingest",))


def test_a_wrong_key_costs_one_query_a_few_seconds(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        for _ in range(50):
            keys.find("fs_ingest_wrong", kinds=("ingest",))


def test_revoking_elsewhere_works_within_seconds(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("projects.keys.time.monotonic", lambda: clock[0])
    key, secret = keys.mint(cast.production, "ingest", name="shop", created_by=BY)
    assert keys.find(secret, kinds=("ingest",))
    Key.objects.filter(id=key.id).update(revoked_at=timezone.now())
    clock[0] += keys.REMEMBERED_S + 0.1
    assert keys.find(secret, kinds=("ingest",)) is None


def test_last_use_is_noted_once_a_minute(cast: Cast) -> None:
    key, secret = keys.mint(cast.production, "ingest", name="shop", created_by=BY)
    keys.find(secret, kinds=("ingest",))
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    keys.find(secret, kinds=("ingest",))
    key.refresh_from_db()
    assert key.last_used_at == first


def test_while_the_database_is_away_known_keys_stay_good_and_others_wait(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("projects.keys.time.monotonic", lambda: clock[0])
    _, secret = keys.mint(cast.production, "ingest", name="shop", created_by=BY)
    known = keys.find(secret, kinds=("ingest",))

    def away(_digest: str) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(keys, "_look_up", away)
    clock[0] += 60
    assert keys.find(secret, kinds=("ingest",)) == known
    with pytest.raises(StoreAway):
        keys.find("fs_ingest_unknown", kinds=("ingest",))


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({"Authorization": "Bearer abc"}, "abc"),
        ({"Authorization": "bearer  abc "}, "abc"),
        ({"Authorization": "abc"}, "abc"),
        ({"X-API-Key": "abc"}, "abc"),
        ({"X-Honeycomb-Team": "abc"}, "abc"),
        ({}, ""),
    ],
)
def test_the_secret_is_taken_from_any_of_the_usual_headers(
    rf: RequestFactory, headers: dict[str, str], secret: str
) -> None:
    request: HttpRequest = rf.get("/", headers=headers)
    assert keys.secret_of(request) == secret


def mint_by_page(client: Client, cast: Cast, **given: str) -> str:
    """Makes a key on the page and returns what it showed."""
    form = {"kind": "ingest", "name": "shop", "environment": str(cast.production.id), **given}
    answer = client.post("/acme/settings/keys", form)
    assert answer.status_code == 200, text(answer)
    assert "no-store" in answer["Cache-Control"]
    found = re.search(r"fs_[a-z]+_[\w-]{43}", answer.content.decode())
    assert found
    return found.group()


def test_a_key_made_on_the_page_is_shown_once_and_works(admin_page: Client, cast: Cast) -> None:
    secret = mint_by_page(admin_page, cast)
    later = admin_page.get("/acme/settings/keys").content.decode()
    assert secret not in later
    assert secret[: keys.PREFIX_LENGTH] in later
    assert keys.find(secret, kinds=("ingest",))
    entry = AuditEntry.objects.get(action="key.minted")
    assert (entry.actor, entry.environment) == ("admin@acme.example", cast.production)
    assert secret not in str(entry.after)


def test_an_api_token_has_a_role_and_no_environment(admin_page: Client, cast: Cast) -> None:
    secret = mint_by_page(admin_page, cast, kind="api", role="editor")
    found = keys.find(secret, kinds=("api",))
    assert found is not None
    assert (found.role, found.environment_id) == ("editor", None)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"kind": "master"}, "kind"),
        ({"environment": ""}, "environment"),
        ({"environment": "FOREIGN"}, "environment"),
        ({"kind": "api", "role": "owner"}, "role"),
    ],
)
def test_a_bad_key_form_says_which_field(
    admin_page: Client, cast: Cast, given: dict[str, str], field: str
) -> None:
    form = {"kind": "ingest", "name": "shop", "environment": str(cast.production.id), **given}
    form["environment"] = form["environment"].replace("FOREIGN", str(cast.foreign.id))
    answer = admin_page.post("/acme/settings/keys", form)
    assert answer.status_code == 422
    assert error_at(answer, field)
    assert not Key.objects.exists()


def test_a_revoked_key_stops_at_once_here_and_is_kept_in_the_list(
    admin_page: Client, cast: Cast
) -> None:
    key, secret = keys.mint(cast.production, "ingest", name="shop", created_by=BY)
    assert keys.find(secret, kinds=("ingest",))
    admin_page.post(f"/acme/settings/keys/{key.id}/revoke")
    assert keys.find(secret, kinds=("ingest",)) is None
    assert "Revoked lately" in text(admin_page.get("/acme/settings/keys"))
    admin_page.post(f"/acme/settings/keys/{key.id}/revoke")
    assert AuditEntry.objects.filter(action="key.revoked").count() == 1
