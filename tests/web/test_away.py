"""Every address while a part is away: what can be answered is, the rest is 503 and says which."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from kombu.exceptions import OperationalError as BrokerError
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from projects import keys
from tests.conftest import Cast
from web.errors import StoreAway, part_away

FILL = {"project": "acme", "environment": "production", "provider": "github"}
DEAD = "http://x:y@127.0.0.1:9/default"


def _addresses(patterns: list[Any], before: str = "/") -> Iterator[str]:
    for one in patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _addresses(one.url_patterns, path)
        elif isinstance(one, URLPattern):
            filled = path.lstrip("/")
            for name, converter in one.pattern.converters.items():
                kind = type(converter).__name__
                value = FILL.get(name) or ("1" if kind == "IntConverter" else "a1")
                filled = filled.replace(f"<{name}>", value)
                for said in ("int", "str", "slug", "path", "uuid"):
                    filled = filled.replace(f"<{said}:{name}>", value)
            yield f"/{filled}"


def addresses() -> list[str]:
    """One address of each pattern that there is."""
    found = {one for one in _addresses(get_resolver().url_patterns) if not set("<>^$\\") & set(one)}
    return sorted(found)


def _database(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any, **_named: Any) -> None:
        raise OperationalError("connection refused")

    keys.forget()
    monkeypatch.setattr(BaseDatabaseWrapper, "cursor", away)


def _cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any, **_named: Any) -> None:
        raise RedisAway("connection refused")

    monkeypatch.setattr(Redis, "execute_command", away)


def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.EVENTS_URL", DEAD)


PARTS = {"database": _database, "cache": _cache, "event store": _store}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("fragment", [False, True], ids=["page", "fragment"])
def test_no_address_answers_500(
    part: str,
    fragment: bool,  # a parameter of the test
    cast: Cast,
    admin_page: Client,
    event_store: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = addresses()
    assert len(asked) > 60
    admin_page.raise_request_exception = False
    headers = {"HX-Request": "true"} if fragment else {}
    PARTS[part](monkeypatch)
    broken, away = [], 0
    for address in asked:
        answer = admin_page.get(address, headers=headers)
        if answer.status_code == 500:
            broken.append(address)
        elif answer.status_code == 503:
            away += 1
            said = b"".join(answer).decode() if answer.streaming else answer.content.decode()
            assert f"The {part} does not answer" in said or "healthz" in address, address
    monkeypatch.undo()
    assert not broken
    assert away >= 3


def test_a_session_that_cannot_be_read_is_told_by_a_page(
    cast: Cast, admin_page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a middleware's doing, which no exception handler of a view sees."""

    def away(*_args: Any, **_named: Any) -> None:
        raise OperationalError("connection refused")

    admin_page.raise_request_exception = False
    monkeypatch.setattr(SessionStore, "save", away)
    monkeypatch.setattr("django.conf.settings.SESSION_SAVE_EVERY_REQUEST", True)
    answer = admin_page.get("/acme/settings/keys")
    monkeypatch.undo()
    assert answer.status_code == 503
    assert "The database does not answer right now" in answer.content.decode()
    assert 'href="/acme/settings/keys"' in answer.content.decode()
    assert answer["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (StoreAway("x"), "The event store"),
        (RedisAway("x"), "The cache"),
        (BrokerError("x"), "The cache"),
        (OperationalError("x"), "The database"),
        (ValueError("x"), ""),
        (None, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_error_came_of_is_known_through_other_errors(error: Any, part: str) -> None:
    assert part_away(error) == part
    if error is not None:
        with pytest.raises(RuntimeError) as later:
            raise RuntimeError("became another") from error
        assert part_away(later.value) == part
        with pytest.raises(KeyError) as mistake:
            _mistaken_while(error)
        assert part_away(mistake.value) == ""


def _mistaken_while(error: Exception) -> None:
    try:
        raise error
    except Exception:
        raise KeyError("a mistake of our own")  # noqa: B904  # not caused by it
