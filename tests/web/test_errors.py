"""Errors as programs, people and fragments read them."""

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from projects import keys
from tests.conftest import Cast
from web.errors import ApiError, ErrorMiddleware, StoreAway, body

pytestmark = pytest.mark.django_db
PROGRAMS = ("/api/v1/x", "/v1/x", "/1/x", "/ofrep/x", "/flagd/x")


@pytest.mark.parametrize("path", PROGRAMS)
def test_programs_get_json_for_an_address_that_is_not_there(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_people_get_a_page(client: Client) -> None:
    answer = client.get("/no-such/page/at/all")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_fragments_put_the_message_where_messages_are(viewer_page: Client) -> None:
    answer = viewer_page.get("/acme/settings/environments/staging", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Retarget"]) == (403, "#messages")
    assert "<html" not in answer.content.decode()


def test_a_fragment_whose_session_ended_goes_to_sign_in(client: Client, cast: Cast) -> None:
    answer = client.get("/acme/settings/keys", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (
        204,
        "/sign-in?next=/acme/settings/keys",
    )


@pytest.mark.parametrize("error", [StoreAway("x"), OperationalError("x")])
@pytest.mark.parametrize("path", ["/v1/traces", "/acme/production/"])
def test_a_store_that_is_away_is_503_with_retry_after(
    rf: RequestFactory, path: str, error: Exception
) -> None:
    request = rf.get(path)
    answer = ErrorMiddleware(lambda _: HttpResponse()).process_exception(request, error)
    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


def test_the_intake_tells_clients_to_wait_while_keys_cannot_be_read(
    client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_digest: str) -> None:
        raise OperationalError("connection refused")

    keys.forget()
    monkeypatch.setattr(keys, "_look_up", away)
    for path in ("/v1/traces", "/api/v1/events", "/api/v1/deploys"):
        answer = client.post(
            path, b"[]", "application/json", headers={"Authorization": "Bearer fs_ingest_unseen"}
        )
        assert answer.status_code == 503, path
        assert answer["Retry-After"]


def test_an_api_error_names_the_field(rf: RequestFactory) -> None:
    error = ApiError(422, "invalid", "Time is not a time.", "time")
    answer = ErrorMiddleware(lambda _: HttpResponse()).process_exception(
        rf.post("/api/v1/deploys"), error
    )
    assert answer is not None
    assert answer.content == (
        b'{"error": {"code": "invalid", "message": "Time is not a time.", "field": "time"}}'
    )
    assert body("a", "b") == {"error": {"code": "a", "message": "b"}}
