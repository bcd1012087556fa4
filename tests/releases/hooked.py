"""A hook and its sender, as the tests of every provider use them."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from django.test import Client

from projects.models import Environment
from releases.hooks.taking import make

DATA = Path(__file__).parent / "data"


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return found


@dataclass(frozen=True, slots=True)
class Sender:
    """What posts to one hook."""

    provider: str
    token: str
    secret: str

    def post(self, body: Any, rest: str = "", **headers: str) -> Any:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client().post(
            f"/hooks/{self.provider}/{self.token}{rest}",
            data,
            content_type=named.pop("Content-Type", "application/json"),
            headers=named,
        )

    def signed(self, body: Any, event: str) -> Any:
        """As GitHub does it."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        mac = hmac.new(self.secret.encode(), data, hashlib.sha256).hexdigest()
        return self.post(data, X_GitHub_Event=event, X_Hub_Signature_256=f"sha256={mac}")


def hook(environment: Environment, provider: str, **more: str) -> Sender:
    made, token = make(environment, provider, created_by="admin@acme.example", **more)
    return Sender(provider, token, made.secret)
