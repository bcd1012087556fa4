from typing import Any

import pytest
from django.test import Client

from projects import keys
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
ACME = {
    "project": "acme",
    "environments": [
        {"environment": "production", "name": "Production", "timezone": "America/New_York"},
        {"environment": "staging", "name": "Staging", "timezone": "UTC"},
    ],
}


def get(client: Client, address: str, token: str) -> tuple[int, Any]:
    answer = client.get(address, headers={"Authorization": f"Bearer {token}"} if token else {})
    return answer.status_code, answer.json()


def test_a_token_sees_its_project_with_zones(client: Client, api_token: str) -> None:
    assert get(client, "/api/v1/projects", api_token) == (200, {"projects": [ACME]})
    assert get(client, "/api/v1/projects/acme", api_token) == (200, ACME)


@pytest.mark.parametrize("project", ["other", "no-such", "%00", "ACME"])
def test_other_projects_are_not_there(client: Client, api_token: str, project: str) -> None:
    status, told = get(client, f"/api/v1/projects/{project}", api_token)
    assert (status, told["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("token", ["", "wrong", "fs_api_" + "x" * 43])
def test_without_a_valid_token_401(client: Client, cast: Cast, token: str) -> None:
    status, told = get(client, "/api/v1/projects", token)
    assert (status, told["error"]["code"]) == (401, "unauthenticated")


def test_keys_of_other_kinds_are_no_tokens(
    client: Client, ingest_key: str, server_key: str, client_key: str
) -> None:
    for key in (ingest_key, server_key, client_key):
        assert get(client, "/api/v1/projects", key)[0] == 401


def test_a_session_is_no_token(admin_page: Client) -> None:
    assert admin_page.get("/api/v1/projects").status_code == 401


def test_a_revoked_token_is_none(client: Client, admin_page: Client, cast: Cast) -> None:
    key, token = keys.mint(cast.project, "api", name="n", created_by="x", role="viewer")
    assert get(client, "/api/v1/projects", token)[0] == 200
    admin_page.post(f"/acme/settings/keys/{key.id}/revoke")
    assert get(client, "/api/v1/projects", token)[0] == 401


def test_a_wrong_method_is_told_in_json(client: Client, api_token: str) -> None:
    answer = client.post("/api/v1/projects", headers={"Authorization": f"Bearer {api_token}"})
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert answer["Allow"] == "GET"
