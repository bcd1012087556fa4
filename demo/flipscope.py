"""Flipscope as its customers know it: keys, and the HTTP contract."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
PROJECT = "acme"
ENVIRONMENT = "production"
EMAIL = "pm@acme.example"
ATTEMPTS = 8


class Refusal(Exception):
    """Flipscope answered something else than was hoped for."""


@dataclass(frozen=True, slots=True)
class Keys:
    ingest: str
    server: str
    api: str


def bootstrap(data: Path, password: str) -> Keys:
    """Make the project and fresh keys with `manage.py bootstrap`."""
    command = [sys.executable, str(ROOT / "manage.py"), "bootstrap", *asked(data, password)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"manage.py bootstrap failed:\n{done.stderr.strip()}"
        raise Refusal(message)
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    environment = answer["environments"][ENVIRONMENT]
    return Keys(environment["ingest_key"], environment["server_key"], answer["api_token"])


def asked(data: Path, password: str) -> list[str]:
    """What bootstrap is told. One password in 64 begins with a dash: alone it were an option."""
    named = ("--project", PROJECT, "--email", EMAIL, "--timezone", "America/New_York")
    return [*named, f"--password={password}", f"--data={data}"]


class Flipscope:
    def __init__(self, url: str, keys: Keys) -> None:
        self.url = url
        self.keys = keys
        self._session = requests.Session()

    def deploy(self, body: Json) -> Json:
        return self._send("POST", "/api/v1/deploys", self.keys.ingest, body)

    def marker(self, body: Json) -> Json:
        return self._send("POST", "/api/v1/markers", self.keys.ingest, body)

    def flags(self) -> list[Json]:
        answer = self._send("GET", self._place("/flags"), self.keys.api)
        listed: list[Json] = answer["flags"]
        return listed

    def create_flag(self, body: Json) -> Json:
        return self._send("POST", self._place("/flags"), self.keys.api, body)

    def change_flag(self, key: str, patch: Json, reason: str) -> Json:
        return self._send(
            "PATCH", self._place(f"/flags/{key}"), self.keys.api, patch | {"reason": reason}
        )

    def document(self) -> Json:
        """The environment's flags as flagd reads them."""
        return self._send("GET", "/flagd/flags.json", self.keys.server)

    def _place(self, path: str) -> str:
        return f"/api/v1/projects/{PROJECT}/environments/{ENVIRONMENT}{path}"

    def _send(self, method: str, path: str, key: str, body: Json | None = None) -> Json:
        """Try until it is answered: the store may be busy, or being started again."""
        problem = ""
        for attempt in range(ATTEMPTS):
            try:
                answer = self._session.request(
                    method,
                    self.url + path,
                    json=body,
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=20,
                )
            except requests.RequestException as unreachable:
                problem = str(unreachable)
            else:
                if answer.ok:
                    decoded: Json = answer.json()
                    return decoded
                problem = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 500 and answer.status_code != 429:
                    break
            time.sleep(min(0.3 * 2**attempt, 5))
        message = f"{method} {path}: {problem}"
        raise Refusal(message)
