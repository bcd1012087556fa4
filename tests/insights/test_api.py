"""The JSON API of findings: shapes of the contract, numbers of the shop, errors that say why."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from tests.insights.conftest import Shop

pytestmark = pytest.mark.django_db
Ask = Callable[..., tuple[int, Any]]
DELTA = {
    *("measure", "scope", "baseline", "candidate", "ratio", "difference", "interval"),
    *("events", "units", "verdict", "evidence"),
}


@pytest.fixture
def ask(api_token: str) -> Ask:
    def asked(path: str, project: str = "acme", **query: str) -> tuple[int, Any]:
        response = Client().get(
            f"/api/v1/projects/{project}/environments/production{path}",
            query,
            headers={"Authorization": f"Bearer {api_token}"},
        )
        return response.status_code, response.json()

    return asked


def test_changes_are_listed_newest_first_with_their_verdicts(shop: Shop, ask: Ask) -> None:
    shop.look()
    status, found = ask("/changes")
    assert status == 200
    assert [one["kind"] for one in found["changes"]] == ["marker", "deploy"]
    assert {
        *("id", "kind", "time", "title", "service", "flag", "build_id", "actor", "url"),
        *("verdict", "findings"),
    } <= found["changes"][0].keys()


def test_changes_are_paged(shop: Shop, ask: Ask) -> None:
    shop.look()
    _, first = ask("/changes", limit="1")
    _, second = ask("/changes", limit="1", before=first["next"].partition("=")[2])
    assert [one["kind"] for one in (*first["changes"], *second["changes"])] == ["marker", "deploy"]


def test_one_change_has_its_findings_and_deltas(shop: Shop, ask: Ask) -> None:
    shop.look()
    _, listed = ask("/changes", kind="marker")
    status, change = ask(f"/changes/{listed['changes'][0]['id']}")
    assert status == 200
    assert change["title"] == "Newsletter"
    assert change["deltas"]
    for delta in change["deltas"]:
        assert delta.keys() >= DELTA


def test_a_flags_variants_are_compared_in_the_scope_asked_for(shop: Shop, ask: Ask) -> None:
    shop.look()
    status, found = ask("/comparisons", flag="USE_CACHING", route="/export", service="shop")
    assert status == 200
    assert (found["baseline"]["label"], found["candidate"]["label"]) == ("off", "on")
    assert found["anchored"] is True
    by = {one["measure"]: one for one in found["deltas"]}
    assert len(by) == len(found["deltas"])
    mean = by["latency_mean"]
    assert mean["verdict"] == "worse"
    assert mean["interval"]["ratio"][0] < mean["ratio"] < mean["interval"]["ratio"][1]
    assert sum(mean["events"]) > sum(mean["units"]) > 100
    assert all(re.fullmatch(r"[A-Z0-9].*", one["sentence"]) for one in found["findings"])


def test_a_window_that_starts_later_shows_numbers_but_claims_nothing(shop: Shop, ask: Ask) -> None:
    shop.look()
    since = (shop.now - timedelta(minutes=20)).isoformat()
    status, found = ask("/comparisons", flag="USE_CACHING", since=since)
    assert status == 200
    assert found["anchored"] is False
    assert found["findings"] == []
    assert found["deltas"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "invalid"),
        ({"flag": "F", "build": "b"}, "invalid"),
        ({"flag": "NEVER_SEEN"}, "nothing_to_compare"),
        ({"flag": "USE_CACHING", "baseline": "off", "candidate": "maybe"}, "nothing_to_compare"),
        ({"build": "b1"}, "nothing_to_compare"),
        ({"build": "b9"}, "nothing_to_compare"),
        ({"flag": "USE_CACHING", "since": "2026-01-01T00:00:00"}, "invalid"),
        (
            {
                "flag": "USE_CACHING",
                "since": "2026-01-02T00:00:00Z",
                "until": "2026-01-01T00:00:00Z",
            },
            "invalid",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(
    shop: Shop, ask: Ask, query: dict[str, str], code: str
) -> None:
    status, found = ask("/comparisons", **query)
    assert status == 422
    assert found["error"]["code"] == code
    assert found["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/changes?kind=nonsense", "/changes?since=yesterday", "/changes/abc", "/changes/1e9"]
)
def test_bad_questions_are_refused_with_an_error_body(shop: Shop, ask: Ask, path: str) -> None:
    status, found = ask(path)
    assert 400 <= status < 500
    assert found["error"].keys() >= {"code", "message"}


def test_another_projects_findings_are_404(shop: Shop, ask: Ask) -> None:
    for path in ("/changes", "/changes/1", "/comparisons?flag=USE_CACHING"):
        assert ask(path, project="other")[0] == 404


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "0126-07-06T07:03:43Z", "9999-12-31T23:59:59-12:00"]
)
@pytest.mark.parametrize("path", ["/comparisons", "/changes", "/what-changed"])
def test_a_time_of_no_year_to_ask_for_is_told_so(
    environment: object, ask: Ask, path: str, time: str
) -> None:
    status, found = ask(path, flag="F", until=time)
    assert (status, found["error"]["field"]) == (422, "until")
