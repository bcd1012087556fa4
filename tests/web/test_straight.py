"""Addresses that are asked all the time skip what pages need, and answer errors all the same."""

from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError
from django.test import Client

from flags import ofrep
from web.errors import ApiError

ONE = "/ofrep/v1/evaluate/flags/F"


def test_what_is_for_pages_is_not_asked(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("a program needs no session")

    monkeypatch.setattr("django.contrib.sessions.middleware.SessionMiddleware.__call__", refuse)
    answer = Client().post(ONE, b"{}", content_type="application/json")
    assert answer.status_code == 401
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" not in answer
    assert answer["Content-Length"] == str(len(answer.content)), "not in chunks"
    with pytest.raises(AssertionError):
        Client().get("/healthz")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ApiError(409, "conflict", "no"), 409, "conflict"),
        (OperationalError("gone"), 503, "unavailable"),
    ],
)
def test_errors_are_answered_as_everywhere(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def fail(request: WSGIRequest) -> Any:
        raise error

    monkeypatch.setattr(ofrep, "_asked", fail)
    answer = Client().post(ONE, b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("Retry-After" in answer) == (status == 503)


def test_a_bug_is_500_and_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(request: WSGIRequest) -> Any:
        raise RuntimeError("bug")

    monkeypatch.setattr(ofrep, "_asked", fail)
    client = Client(raise_request_exception=False)
    assert client.post(ONE, b"{}", content_type="application/json").status_code == 500


def test_an_address_that_is_not_listed_goes_the_usual_way(db: None) -> None:
    answer = Client().get("/ofrep/v2/x")
    assert answer.status_code == 404
    assert "Content-Security-Policy" in answer


def test_a_wrong_method_names_the_right_ones(db: None) -> None:
    answer = Client().get(ONE)
    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
    assert answer.json()["error"]["code"] == "method_not_allowed"
