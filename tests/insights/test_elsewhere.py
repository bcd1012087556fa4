"""A flag that Flipscope never defined: seen in events, changed in another tool, compared all the
same."""

from datetime import timedelta

import pytest
from django.test import Client

from flags.models import Flag
from releases.models import Change
from tests.insights.conftest import Shop
from tests.releases.hooked import hook
from tests.releases.test_flag_hooks import post

pytestmark = pytest.mark.django_db


def test_a_flag_of_another_tool_has_a_page_a_change_and_a_comparison(
    shop: Shop, viewer_page: Client, api_token: str
) -> None:
    sender = hook(shop.environment, "sentry")
    told = {
        "action": "updated",
        "change_id": 7,
        "created_at": (shop.now - timedelta(minutes=15)).isoformat(),
        "created_by": {"id": "ann@acme.example", "type": "email"},
        "flag": "USE_CACHING",
    }
    assert post(sender, {"data": [told], "meta": {"version": 1}}).status_code == 200
    shop.look()
    assert not Flag.objects.exists()
    page = viewer_page.get("/acme/production/flags/USE_CACHING")
    assert page.status_code == 200
    assert "slower" in page.content.decode()
    change = Change.objects.get(flag="USE_CACHING")
    at = f"/acme/production/changes/{change.id}"
    assert "USE_CACHING changed" in viewer_page.get(at).content.decode()
    assert "USE_CACHING changed" in viewer_page.get("/acme/production/timeline").content.decode()
    asked = (
        Client()
        .get(
            "/api/v1/projects/acme/environments/production/comparisons",
            {"flag": "USE_CACHING", "baseline": "off", "candidate": "on"},
            headers={"Authorization": f"Bearer {api_token}"},
        )
        .json()
    )
    assert asked["baseline"]["units"] > 50
    assert {one["measure"] for one in asked["deltas"]} >= {"latency_mean", "error_rate"}
    assert asked["findings"], "it is three times slower"
