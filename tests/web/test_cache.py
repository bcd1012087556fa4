"""Pages while Valkey is away: sessions come from the database."""

from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from redis.exceptions import ConnectionError as Away
from redis.exceptions import RedisError

from tests.conftest import Cast
from web.cache import SessionCache


@pytest.fixture
def valkey_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any, **_named: Any) -> None:
        raise Away("Connection refused")

    for name in ("get", "set", "delete"):
        monkeypatch.setattr(f"django.core.cache.backends.redis.RedisCacheClient.{name}", away)


def test_a_signed_in_page_is_answered(cast: Cast, admin_page: Client, valkey_away: None) -> None:
    assert admin_page.get("/acme/settings/environments").status_code == 200


def test_only_filling_the_cache_is_forgiven(valkey_away: None) -> None:
    cache = caches["sessions"]
    assert isinstance(cache, SessionCache)
    cache.set("a", 1)
    with pytest.raises(RedisError):
        cache.delete("a")


def test_signing_out_is_503_and_not_half_done(
    cast: Cast, admin_page: Client, valkey_away: None
) -> None:
    assert admin_page.post("/sign-out").status_code == 503
