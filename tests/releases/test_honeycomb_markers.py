"""Markers as honeymarker sends them."""

import json
import time
from typing import Any

import pytest
from django.test import Client

from projects.models import Environment
from releases.models import Change
from tests.releases.hooked import hook


class Marker:
    def __init__(self, key: str) -> None:
        self.key = key

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"X-Honeycomb-Team": self.key, "Authorization": "Basic eDp5"}
        response = Client().generic(
            method, path, data, content_type="application/json", headers=headers
        )
        return response.status_code, json.loads(response.content)


@pytest.fixture
def marker(ingest_key: str) -> Marker:
    return Marker(ingest_key)


def test_a_marker_is_a_change_of_its_dataset(marker: Marker, environment: Environment) -> None:
    now = int(time.time())
    body = {"message": "deploy 5", "type": "deploy", "url": "https://ci.example", "start_time": now}
    status, got = marker.ask("POST", "/1/markers/shop", body)
    change = Change.objects.get()
    assert status == 201
    assert got["id"] == str(change.id)
    assert {name: got[name] for name in body} == body
    assert (change.kind, change.marker_kind, change.service, change.title) == (
        "marker", "deploy", "shop", "deploy 5",
    )  # fmt: skip
    assert marker.ask("POST", "/1/markers/shop", body)[1]["id"] == got["id"]
    assert marker.ask("GET", "/1/markers/shop") == (200, [got])
    assert marker.ask("GET", "/1/markers/other") == (200, [])


def test_a_put_keeps_what_it_does_not_name(marker: Marker, environment: Environment) -> None:
    path = "/1/markers/__all__"
    _, made = marker.ask("POST", path, {"message": "incident", "type": "incident"})
    assert Change.objects.get().service == ""
    end = made["start_time"] + 60
    status, got = marker.ask("PUT", f"{path}/{made['id']}", {"end_time": end})
    assert (status, got["end_time"], got["message"]) == (200, end, "incident")
    assert marker.ask("DELETE", f"{path}/{made['id']}")[0] == 200
    assert marker.ask("GET", path) == (200, [])


@pytest.mark.parametrize(
    "body", [{"start_time": "x"}, {"url": "javascript:x"}, {"url": "http://["}, [], {"message": {}}]
)
def test_bad_markers_are_told_why(marker: Marker, environment: Environment, body: Any) -> None:
    status, got = marker.ask("POST", "/1/markers/shop", body)
    assert status in (400, 422)
    assert got["error"]
    assert not Change.objects.exists()


def test_other_changes_are_out_of_reach(marker: Marker, environment: Environment) -> None:
    hook(environment, "curl").post({"title": "mine"})
    other = Change.objects.get()
    assert marker.ask("DELETE", f"/1/markers/__all__/{other.id}")[0] == 404
    assert marker.ask("GET", "/1/markers/__all__") == (200, [])


def test_an_unknown_key_is_401(environment: Environment) -> None:
    assert Marker("wrong").ask("POST", "/1/markers/shop", {})[0] == 401
