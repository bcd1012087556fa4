from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from flags import documents, editing
from flags.models import Flag, Freeze
from projects.models import Environment

MakeFlag = Callable[..., Flag]
ACTOR = "editor@acme.example"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No document is kept: a test's transaction never commits."""
    monkeypatch.setattr(documents, "FRESH_S", 0.0)


@pytest.fixture
def make_flag(environment: Environment) -> MakeFlag:
    """A flag of the environment `production`; boolean and on unless said otherwise."""

    def make(key: str = "USE_CACHING", **given: Any) -> Flag:
        wanted = {"key": key, "type": "boolean", "enabled": True} | given
        flag = editing.create(environment, wanted, actor=ACTOR).flag
        flag.refresh_from_db()
        return flag

    return make


class Asker:
    """Sends JSON with a key, as SDKs and scripts do."""

    def __init__(self, key: str) -> None:
        self.client = Client()
        self.key = key

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key:
            named = {"Authorization": f"Bearer {self.key}"} | named
        return self.client.generic(
            method,
            path,
            body if isinstance(body, (bytes, str)) else b"" if body is None else _json(body),
            content_type="application/json",
            headers=named,
        )


def freeze(environment: Environment) -> None:
    """From an hour ago to an hour ahead."""
    now, hour = timezone.now(), timedelta(hours=1)
    Freeze.objects.create(
        environment=environment, name="Sale", begins=now - hour, ends=now + hour, actor="ada"
    )


def _json(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()


@pytest.fixture
def server(server_key: str) -> Asker:
    return Asker(server_key)


@pytest.fixture
def browser(client_key: str) -> Asker:
    return Asker(client_key)


@pytest.fixture
def api(api_token: str) -> Asker:
    return Asker(api_token)
