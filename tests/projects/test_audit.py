import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from projects import audit
from projects.models import AuditEntry
from tests.conftest import Cast
from tests.projects.people_pages import text

pytestmark = pytest.mark.django_db


def act(cast: Cast, actor: str = "eve@acme.example", action: str = "flag.changed") -> AuditEntry:
    return audit.record(
        project=cast.project,
        environment=cast.production,
        actor=actor,
        action=action,
        object_type="flag",
        object_id="USE_CACHING",
        before={"enabled": False},
        after={"enabled": True},
        reason="Black Friday",
    )


def test_the_log_tells_who_what_where_and_why(viewer_page: Client, cast: Cast) -> None:
    act(cast)
    page = text(viewer_page.get("/acme/settings/audit"))
    for word in ("eve@acme.example", "flag.changed", "USE_CACHING", "production", "Black Friday"):
        assert word in page
    assert "Times in America/New_York." in page


def test_filters_narrow_by_actor_and_action(viewer_page: Client, cast: Cast) -> None:
    act(cast)
    act(cast, actor="mallory@acme.example", action="key.minted")
    page = text(viewer_page.get("/acme/settings/audit?actor=MALL&action=key"))
    assert "1 entry" in page
    assert "eve@acme.example" not in page
    assert "Nothing matches." in text(viewer_page.get("/acme/settings/audit?actor=nobody"))


def test_long_logs_have_pages(viewer_page: Client, cast: Cast) -> None:
    for number in range(51):
        act(cast, actor=f"person-{number}")
    first = viewer_page.get("/acme/settings/audit")
    assert "person-50" in text(first)
    assert "person-0 " not in text(first)
    assert "?page=2&amp;actor=" in first.content.decode()
    assert "person-0 " in text(viewer_page.get("/acme/settings/audit?page=2"))


@pytest.mark.parametrize("query", ["actor=%00", "page=abc", "page=-1", "page=999", "action=%25"])
def test_odd_queries_are_answered(viewer_page: Client, cast: Cast, query: str) -> None:
    act(cast)
    assert viewer_page.get(f"/acme/settings/audit?{query}").status_code == 200


def test_other_projects_acts_are_not_shown(outsider_page: Client, cast: Cast) -> None:
    act(cast)
    assert "eve@acme.example" not in text(outsider_page.get("/other/settings/audit"))


@pytest.mark.parametrize("actor", ["", "  "])
def test_an_act_without_an_actor_is_refused(cast: Cast, actor: str) -> None:
    with pytest.raises(ValueError, match="an act has an actor"):
        act(cast, actor=actor)


def test_the_database_refuses_it_too(cast: Cast) -> None:
    entry = act(cast)
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry.objects.filter(id=entry.id).update(actor="")
