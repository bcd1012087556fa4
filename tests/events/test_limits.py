"""What one key may send: defaults, an admin's own, what its senders and the pages are told."""

import json
import re
from typing import Any

import orjson
import pytest
from django.test import Client

from events import limits
from events.models import KeyLimits, Refusal
from projects.models import AuditEntry, Environment, Key
from tests.conftest import Cast

pytestmark = pytest.mark.usefixtures("event_store")


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    limits.forget()


@pytest.fixture
def key(ingest_key: str) -> Key:
    return Key.objects.get(kind="ingest")


def post(secret: str, path: str, body: Any, content_type: str = "application/json") -> Any:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return Client().post(path, data, content_type=content_type, headers={"X-API-Key": secret})


def test_a_key_that_sends_too_fast_is_429_with_retry_after_in_each_protocol(
    ingest_key: str, key: Key, environment: Environment
) -> None:
    KeyLimits.objects.create(key=key, events_per_minute=60)
    assert post(ingest_key, "/api/v1/events", [{"service": "a"}] * 70).status_code == 200
    told = []
    for path, form in (
        ("/api/v1/events", "application/json"),
        ("/v1/traces", "application/json"),
        ("/v1/logs", "application/x-protobuf"),
        ("/1/batch/x", "application/json"),
    ):
        response = post(ingest_key, path, b"[]", form)
        assert response.status_code == 429
        assert 1 <= int(response["Retry-After"]) <= 30
        told.append(response.content)
    assert all(b"60 events a minute" in one for one in told)
    assert set(Refusal.objects.values_list("reason", flat=True)) == {"too_fast"}


def test_widths_and_sizes_are_a_keys_own(
    ingest_key: str, key: Key, environment: Environment
) -> None:
    KeyLimits.objects.create(key=key, attributes=3, value_bytes=20, body_bytes=500)
    items = [{"service": "a", "b": "x" * 30}, {"service": "a", **{f"n{i}": i for i in range(4)}}]
    got = json.loads(post(ingest_key, "/api/v1/events", items).content)
    assert got["accepted"] == 1
    assert "more than 3" in got["rejected"][0]["error"]
    assert post(ingest_key, "/api/v1/events", [{"service": "a" * 600}]).status_code == 413
    assert set(Refusal.objects.values_list("reason", flat=True)) == {
        "value_too_large", "too_many_attributes", "body_too_large",
    }  # fmt: skip


def test_a_service_with_ids_as_names_is_noted_and_stored(
    ingest_key: str, key: Key, environment: Environment
) -> None:
    KeyLimits.objects.create(key=key, fields=10)
    for part in range(2):
        body = [{"service": "wide", f"user.{part}.{n}": n} for n in range(20)]
        assert json.loads(post(ingest_key, "/api/v1/events", body).content)["accepted"] == 20
    assert Refusal.objects.get(reason="field_not_offered").count == 20


def test_the_minute_fills_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("events.limits.time.monotonic", lambda: now[0])
    limits.spend(1, 90, 60)
    with pytest.raises(limits.TooFast) as told:
        limits.spend(1, 1, 60)
    assert told.value.retry_after_s == 30  # 31 s, and nobody is told to wait for longer
    now[0] += 32
    limits.spend(1, 1, 60)
    for _ in range(1000):
        limits.spend(2, 10**6, 0)


PAGE = "/acme/settings/limits"


def test_an_admin_changes_a_keys_limits_and_members_see_them(
    cast: Cast, key: Key, admin_page: Client, viewer_page: Client, outsider_page: Client
) -> None:
    path = f"{PAGE}/{key.id}"
    assert admin_page.get(path).status_code == 200
    assert admin_page.post(path, {"events_per_minute": "1200"}).status_code == 302
    assert limits.of(key.id).events_per_minute == 1200
    shown = re.sub(r"\s+", " ", viewer_page.get(PAGE).content.decode())
    assert "1,200" in shown
    assert "/settings/limits/" not in shown
    assert viewer_page.get(path).status_code == 403
    assert viewer_page.post(path, {}).status_code == 403
    assert outsider_page.get(PAGE).status_code == 404
    assert outsider_page.post(path, {}).status_code == 404
    entry = AuditEntry.objects.get()
    assert entry.action == "key.limited"
    assert entry.after is not None
    assert entry.after["events_per_minute"] == 1200


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("attributes", "0", "1 or more"), ("body_bytes", "99999999999", "At most"),
     ("events_per_minute", "-1", "greater than"), ("fields", "x", "whole number")],
)  # fmt: skip
def test_what_cannot_be_a_limit_is_said(
    key: Key, admin_page: Client, field: str, value: str, said: str
) -> None:
    response = admin_page.post(f"{PAGE}/{key.id}", {field: value})
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not KeyLimits.objects.exists()
