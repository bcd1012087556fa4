"""Which flags should be tidied up, and why."""

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from flags import editing
from flags.models import Flag
from projects.models import Environment

pytestmark = pytest.mark.usefixtures("event_store")
PAGE = "/acme/production/hygiene"


def make(environment: Environment, key: str, *, days: int, **given: object) -> None:
    at = timezone.now() - timedelta(days=days)
    with patch("django.utils.timezone.now", return_value=at):
        editing.create(environment, {"key": key, "type": "boolean"} | given, actor="a@b.c")
    Flag.objects.filter(key=key).update(created_at=at)


def test_untidy_flags_are_listed_with_the_evidence(
    viewer_page: Client, outsider_page: Client, environment: Environment
) -> None:
    make(environment, "FRESH", days=0)
    make(environment, "OLD_AND_ON", days=40, enabled=True, default_variant="on")
    make(environment, "SPLIT", days=10, enabled=True, rules=[{"split": {"on": 5, "off": 95}}])
    make(environment, "OVERDUE", days=0, remove_by="2026-01-01", owner="ann")
    text = viewer_page.get(PAGE).content.decode()
    assert "Three flags to tidy up" in text
    assert "It has been on for everyone for 40 days." in text
    assert text.count("No request has reported it in 30 days.") == 2
    assert "(2026-01-01)" in text
    assert text.index("OVERDUE") < text.index("OLD_AND_ON")
    assert "FRESH" not in text
    assert outsider_page.get(PAGE).status_code == 404
    assert viewer_page.post(PAGE).status_code == 405


def test_where_all_is_well_it_says_so(viewer_page: Client, environment: Environment) -> None:
    assert "Every flag is in use" in viewer_page.get(PAGE).content.decode()
