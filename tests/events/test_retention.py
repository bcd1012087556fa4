"""Retention by the engine's TTL, deletion of one user, export of raw events."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow.parquet as parquet
import pytest
from django.test import Client

from events import retention, tied
from events.models import Retention, UserDeletion
from events.query.answer import answer
from events.store.client import client
from events.store.read import Statement, run
from projects.models import AuditEntry, Environment
from tests.conftest import Cast

pytestmark = pytest.mark.usefixtures("event_store")
NOW = datetime.now(UTC)


def post(key: str, items: Any, path: str = "/api/v1/events") -> None:
    response = Client().post(
        path, orjson.dumps(items), content_type="application/json", headers={"X-API-Key": key}
    )
    assert response.status_code == 200, response.content


def count(environment: Environment) -> int:
    found = answer(environment.id, {"time_range": 40 * 86_400})
    return int(found["results"][0]["data"]["COUNT"])


@pytest.fixture
def no_ttl() -> Any:
    yield
    Retention.objects.all().delete()
    retention._set_ttls()


def test_each_environment_keeps_its_events_as_long_as_it_says(
    ingest_key: str, cast: Cast, no_ttl: None
) -> None:
    from projects.keys import mint

    other = mint(cast.staging, "ingest", name="s", created_by="x")[1]
    days = [{"service": "a", "time": (NOW - timedelta(days=n)).isoformat()} for n in (1, 10, 20)]
    for key in (ingest_key, other):
        post(key, days)
    Retention.objects.create(environment=cast.production, days=15)
    Retention.objects.create(environment=cast.staging, days=0)
    assert set(retention.apply(NOW).tables) == set(retention.TABLES)
    assert retention.apply(NOW).tables == []  # it is so already
    client().command("OPTIMIZE TABLE events FINAL")
    assert (count(cast.production), count(cast.staging)) == (2, 3)
    Retention.objects.filter(environment=cast.production).update(days=5)
    retention.apply(NOW)
    client().command("OPTIMIZE TABLE events FINAL")
    assert (count(cast.production), count(cast.staging)) == (1, 3)


def test_one_users_events_are_deleted_with_their_whole_requests(
    ingest_key: str, environment: Environment, cast: Cast
) -> None:
    from projects.keys import mint

    other = mint(cast.staging, "ingest", name="s", created_by="x")[1]
    items = [
        {"service": "a", "user_id": "ada", "trace_id": "aa", "flags": {"F": "on"}},
        {"service": "b", "trace_id": "aa", "parent_id": "1", "kind": "internal"},
        {"service": "a", "user_id": "ada"},
        {"service": "a", "user_id": "bob", "flags": {"F": "on"}},
    ]
    post(ingest_key, items)
    post(other, items)
    exposed = [{"flag": "G", "variant": "x", "user_id": one} for one in ("ada", "bob")]
    post(ingest_key, exposed, "/api/v1/exposures")
    UserDeletion.objects.create(environment=environment, user_id="ada", asked_by="admin")
    assert retention.apply(NOW).deleted == 1
    assert (count(environment), count(cast.staging)) == (1, 4)
    left = run(
        Statement(
            "SELECT (SELECT count() FROM exposures FINAL WHERE environment = {e:UInt32}) AS traces,"
            " (SELECT groupArray(user_id) FROM unit_exposures WHERE environment = {e:UInt32}) AS u",
            {"e": environment.id},
        )
    ).rows[0]
    assert (left["traces"], left["u"]) == (1, ["bob"])
    done = UserDeletion.objects.get()
    assert (done.events, done.user_id) == (3, "ad…")
    assert retention.apply(NOW).deleted == 0
    assert tied.tie_all(NOW) >= 0


PAGE = "/acme/settings/retention"


def test_an_admin_sets_the_days_and_asks_for_a_deletion(
    cast: Cast, admin_page: Client, viewer_page: Client, outsider_page: Client
) -> None:
    assert admin_page.post(f"{PAGE}/production", {"days": "30"}).status_code == 302
    assert Retention.objects.get().days == 30
    assert "30 days" in viewer_page.get(PAGE).content.decode()
    form = {"environment": cast.production.id, "user_id": "ada", "reason": "ticket 7"}
    assert admin_page.post(f"{PAGE}/delete-user", form).status_code == 302
    assert UserDeletion.objects.get().user_id == "ada"
    told = AuditEntry.objects.order_by("id")
    assert [one.action for one in told] == ["retention.set", "user_events.deleted"]
    assert "ada" not in str(told[1].__dict__)
    for page, status in ((viewer_page, 403), (outsider_page, 404)):
        assert page.post(f"{PAGE}/production", {"days": "1"}).status_code == status
        assert page.post(f"{PAGE}/delete-user", form).status_code == status
    assert "Delete one user" not in viewer_page.get(PAGE).content.decode()
    assert outsider_page.get(PAGE).status_code == 404


@pytest.mark.parametrize("days", ["", "-1", "x", "20000", "1e9"])
def test_what_are_no_days_is_said(cast: Cast, admin_page: Client, days: str) -> None:
    response = admin_page.post(f"{PAGE}/production", {"days": days}, follow=True)
    assert "Days:" in response.content.decode()
    assert not Retention.objects.exists()


def test_a_deletion_needs_an_environment_of_this_project(cast: Cast, admin_page: Client) -> None:
    form = {"environment": cast.foreign.id, "user_id": ""}
    assert admin_page.post(f"{PAGE}/delete-user", form).status_code == 422
    assert not UserDeletion.objects.exists()


EXPORT = "/api/v1/projects/acme/environments/production/export"


def export(token: str, **spec: Any) -> Any:
    return Client().post(
        EXPORT,
        orjson.dumps({"time_range": 3600, **spec}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def test_any_questions_events_come_as_ndjson_or_parquet(
    ingest_key: str, api_token: str, environment: Environment
) -> None:
    post(
        ingest_key,
        [{"service": "a", "n": n, "text": "é", "duration_ms": n / 4} for n in range(50)],
    )
    filters = [{"column": "n", "op": ">=", "value": 10}]
    lines = b"".join(export(api_token, filters=filters).streaming_content).splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 40
    assert {row["strings"]["text"] for row in rows} == {"é"}
    assert len(rows[0]["trace_id"]) == 32
    response = export(api_token, filters=filters, format="parquet", limit=25)
    assert response["Content-Type"] == "application/vnd.apache.parquet"
    table = parquet.read_table(io.BytesIO(b"".join(response.streaming_content)))
    assert table.num_rows == 25
    assert sorted(dict(table.column("integers")[0].as_py())) == ["n"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [({"format": "csv"}, "format"), ({"limit": 0}, "limit"), ({"limit": "x"}, "limit"),
     ({"filters": [{"column": "nobody", "op": "=", "value": 1}]}, "filters.0.column")],
)  # fmt: skip
def test_what_cannot_be_exported_is_said(
    api_token: str, environment: Environment, spec: dict[str, Any], field: str
) -> None:
    response = export(api_token, **spec)
    assert response.status_code == 422
    assert response.json()["error"]["field"] == field


def test_an_export_of_a_foreign_project_is_404(api_token: str, environment: Environment) -> None:
    response = Client().post(
        EXPORT.replace("acme", "other"),
        b"{}",
        content_type="application/json",
        headers={"Authorization": f"Bearer {api_token}"},
    )
    assert response.status_code == 404
