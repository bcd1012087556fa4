"""One tenant tries to read another's events: by every page of Explore, by name, id and flag."""

from typing import Any

import pytest
from django.test import Client

from projects.keys import mint
from projects.models import Environment
from tests.conftest import Cast
from tests.events.test_query import store

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]
TRACE = "5ec4e7" + "ab" * 13
SECRET = "s3cr3t"
HERE = "/acme/production"
BOX = "box_of=duration_ms&box_low=1&box_high=100000"
SIDES = f"a.field=flags.{SECRET}&a.is=%3D&a.value={SECRET}&b.field=service&b.is=%3D&b.value=shop"
TRIES = [
    f"{HERE}/explore?inline=1&by=service&by=user_id&events=all",
    f"{HERE}/explore?inline=1&by=flags.{SECRET}&events=all",
    f"{HERE}/explore?inline=1&view=events&events=all",
    f"{HERE}/explore?inline=1&view=traces&events=all",
    f"{HERE}/explore?inline=1&view=events&field=trace.trace_id&is=%3D&value={TRACE}&events=all",
    f"{HERE}/explore/answer?by=name",
    f"{HERE}/explore/part?by=name&token=0123456789abcdef",
    f"{HERE}/explore/pictures?by=name&op=P95&of=duration_ms",
    f"{HERE}/explore/fields",
    f"{HERE}/explore/values?field=service",
    f"{HERE}/explore/values?field=user_id&value=s3",
    f"{HERE}/explore/panel?by=name",
    f"{HERE}/explore/export.csv?by=name&events=all",
    f"{HERE}/explore/export.ndjson?events=all",
    f"{HERE}/explore/difference?inline=1&{BOX}",
    f"{HERE}/cohorts?inline=1&{SIDES}",
    f"{HERE}/requests?user={SECRET}",
    f"{HERE}/boards",
]


@pytest.fixture
def theirs(cast: Cast, environment: Environment) -> None:
    """Events of another tenant, at the same time, with names alike and names of their own."""
    common: dict[str, Any] = {"duration_ms": 50, "trace_id": TRACE, "name": SECRET}
    store(
        cast.foreign,
        [
            {**common, "service": SECRET, "user_id": f"{SECRET}{number}", f"{SECRET}.field": SECRET,
             "flags": {SECRET: SECRET}, "route": f"/{SECRET}", "plan": SECRET}
            for number in range(20)
        ],
    )  # fmt: skip
    store(environment, [{"service": "shop", "duration_ms": 5, "plan": "pro"} for _ in range(5)])


def text_of(response: Any) -> str:
    content = b"".join(response) if response.streaming else response.getvalue()
    return str(content.decode())


@pytest.mark.parametrize("address", TRIES)
def test_no_page_shows_anything_of_another_tenant(
    viewer_page: Client, theirs: None, address: str
) -> None:
    response = viewer_page.get(address, follow=True)
    assert response.status_code == 200
    # What was asked for is in the page; what was found is not.
    asked = address.partition("?")[2].count(SECRET)
    text = text_of(response)
    for found in (f"{SECRET}0", f"{SECRET}.field", f"/{SECRET}"):
        assert found not in text
    if not asked:
        assert SECRET not in text


def test_a_trace_of_another_tenant_is_not_there(viewer_page: Client, theirs: None) -> None:
    assert viewer_page.get(f"{HERE}/traces/{TRACE}").status_code == 404
    assert viewer_page.get(f"/other/production/traces/{TRACE}").status_code == 404


@pytest.mark.parametrize(
    "spec",
    [
        {"breakdowns": ["plan", "service", "user_id"]},
        {"breakdowns": [f"flags.{SECRET}"]},
        {"filters": [{"column": "trace.trace_id", "op": "=", "value": TRACE}]},
        {"filters": [{"column": "plan", "op": "=", "value": SECRET}]},
        {"filters": [{"column": "environment", "op": "exists"}]},
        {"breakdowns": [f"{SECRET}.field"]},
        {"calculated_fields": [{"name": "d", "expression": "$environment"}], "breakdowns": ["d"]},
        {"calculations": [{"op": "COUNT_DISTINCT", "column": "user_id"}],
         "compare_time_offset_seconds": 1800},
    ],
    ids=str,
)  # fmt: skip
def test_no_question_reads_another_tenants_events(
    client: Client, cast: Cast, theirs: None, spec: dict[str, Any]
) -> None:
    token = mint(cast.production.project, "api", name="t", created_by="x", role="admin")[1]
    response = client.post(
        "/api/v1/projects/acme/environments/production/query",
        spec,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    given = response.json()
    if response.status_code == 422:
        assert "No event of this environment has a field" in given["error"]["message"]
        return
    assert response.status_code == 200
    assert SECRET not in str(given["results"]).replace(f"flags.{SECRET}", "")
    counts = [row["data"].get("COUNT", 0) for row in given["results"]]
    assert sum(counts) <= 5
