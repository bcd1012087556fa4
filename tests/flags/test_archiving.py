"""A flag is archived and restored: nobody is served it, and nothing of its history is lost."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from flags import archiving, editing, plans
from flags.documents import document_for
from flags.models import Flag, FlagVersion, Plan, Policy
from flags.wrong import DefinitionError
from projects.models import AuditEntry, Environment
from releases.models import Change
from tests.flags.conftest import Asker, MakeFlag
from tests.insights.traffic import send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]  # pages ask it
BASE = "/api/v1/projects/acme/environments/production/flags"
PAGE = "/acme/production/flags"


def asked(server: Asker, key: str = "USE_CACHING") -> Any:
    return server("POST", f"/ofrep/v1/evaluate/flags/{key}", {"context": {"targetingKey": "u"}})


def test_an_archived_flag_is_found_by_nobody_and_restored_as_it_was(
    api: Asker, server: Asker, environment: Environment, make_flag: MakeFlag
) -> None:
    make_flag(default_variant="on")
    before = document_for(environment.pk)
    assert asked(server).json()["variant"] == "on"
    gone = api("DELETE", f"{BASE}/USE_CACHING?reason=its+code+is+gone")
    assert gone.json()["archived_at"]
    answer = asked(server)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "FLAG_NOT_FOUND")
    assert server("POST", "/ofrep/v1/evaluate/flags", {}).json()["flags"] == []
    assert server("GET", "/flagd/flags.json").json()["flags"] == {}
    between = document_for(environment.pk)
    assert between.etag != before.etag, "whoever syncs is told"
    assert between.generation > before.generation, "and no barrier waits for what was"
    assert api("GET", BASE).json()["flags"] == []
    assert [one["key"] for one in api("GET", f"{BASE}?archived=true").json()["flags"]] == [
        "USE_CACHING"
    ]
    back = api("POST", f"{BASE}/USE_CACHING/restore", {"reason": "too early"})
    assert back.json()["archived_at"] is None
    assert asked(server).json()["variant"] == "on"
    assert FlagVersion.objects.count() == 1
    assert list(AuditEntry.objects.order_by("id").values_list("action", "reason")) == [
        ("flag.created", ""),
        ("flag.archived", "its code is gone"),
        ("flag.restored", "too early"),
    ]
    titles = Change.objects.order_by("id").values_list("title", flat=True)
    assert "USE_CACHING archived: its code's own default holds" in titles
    assert "USE_CACHING restored" in titles


def test_what_gives_users_nothing_is_no_change_for_them(
    environment: Environment, make_flag: MakeFlag
) -> None:
    make_flag(enabled=False)
    changes = Change.objects.count()
    archiving.archive(environment, "USE_CACHING", actor="eve")
    assert Change.objects.count() == changes


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/USE_CACHING", {"enabled": False}),
        ("POST", "", {"key": "USE_CACHING", "type": "boolean"}),
        ("POST", "/USE_CACHING/plans", {"at": "2099-01-01T00:00:00Z", "patch": {"enabled": False}}),
    ],
    ids=["changed", "made anew", "planned"],
)
def test_an_archived_flag_stays_as_it_is(
    api: Asker, environment: Environment, make_flag: MakeFlag, method: str, path: str, body: Any
) -> None:
    make_flag(default_variant="on")
    archiving.archive(environment, "USE_CACHING", actor="eve")
    answer = api(method, f"{BASE}{path}", body)
    assert answer.status_code in (409, 422)
    flag = Flag.objects.get()
    assert (flag.version, flag.enabled) == (1, True)
    assert not Plan.objects.exists()


def test_a_flag_that_another_one_asks_for_or_a_launch_changes_stays(
    api: Asker, environment: Environment, make_flag: MakeFlag, editor_page: Client
) -> None:
    make_flag("BASE_FLAG", default_variant="on")
    needs = {"if": [{"flag": "BASE_FLAG", "is": "on"}], "variant": "on"}
    make_flag("OTHER", rules=[needs])
    refused = api("DELETE", f"{BASE}/BASE_FLAG")
    assert refused.status_code == 422
    assert "OTHER asks for it" in refused.json()["error"]["message"]
    page = editor_page.post(f"{PAGE}/BASE_FLAG/archive", {})
    assert (page.status_code, b"OTHER asks for it" in page.content) == (422, True)
    later = {"at": (timezone.now() + timedelta(hours=2)).isoformat(), "patch": {"enabled": False}}
    launch = plans.create(
        environment, [plans.Asked("OTHER", later)], actor="eve", now=timezone.now(), name="Spring"
    )
    with pytest.raises(DefinitionError, match="The launch Spring changes it"):
        archiving.archive(environment, "OTHER", actor="eve")
    plans.cancel(environment, launch.plans.get().pk, actor="eve", now=timezone.now())
    archiving.archive(environment, "OTHER", actor="eve")
    archiving.archive(environment, "BASE_FLAG", actor="eve")
    again = api("POST", f"{BASE}/OTHER/restore", {})
    assert again.status_code == 422
    assert "there is no flag BASE_FLAG" in again.json()["error"]["message"]
    archiving.restore(environment, "BASE_FLAG", actor="eve")
    assert api("POST", f"{BASE}/OTHER/restore", {}).status_code == 200


def test_what_users_have_is_archived_with_an_approval_or_an_admins_override(
    environment: Environment, make_flag: MakeFlag, editor_page: Client, admin_page: Client
) -> None:
    make_flag(default_variant="on")
    make_flag("UNUSED", enabled=False)
    Policy.objects.create(environment=environment, approval=True)
    address = f"{PAGE}/USE_CACHING/archive"
    assert b"need the approval" in editor_page.post(address, {}).content
    assert b"Only an admin" in editor_page.post(address, {"override": "please"}).content
    assert b'name="override"' in admin_page.post(address, {}).content
    admin_page.post(address, {"override": "nobody uses it"})
    assert Flag.objects.get(key="USE_CACHING").archived_at
    assert "nobody uses it" in AuditEntry.objects.get(action="flag.archived").reason
    editor_page.post(f"{PAGE}/UNUSED/archive", {})
    assert Flag.objects.get(key="UNUSED").archived_at


def test_the_page_says_who_asks_for_it_and_the_list_hides_it(
    make_flag: MakeFlag, ingest_key: str, editor_page: Client, viewer_page: Client
) -> None:
    make_flag(default_variant="on")
    address = f"{PAGE}/USE_CACHING"
    assert f'href="{address}/archive"' in editor_page.get(address).content.decode()
    assert f'href="{address}/archive"' not in viewer_page.get(address).content.decode()
    assert b"No request has reported it in 30 days" in editor_page.get(f"{address}/archive").content
    event = {"time": timezone.now().isoformat(), "service": "shop", "name": "GET /"}
    send([event | {"flags": {"USE_CACHING": "on"}, "service.instance.id": "pod-1"}], ingest_key)
    said = editor_page.get(f"{address}/archive").content.decode()
    assert "shop" in said
    assert "1 of 1 instance in the last hour" in said
    editor_page.post(f"{address}/archive", {"reason": "done with it"})
    listed = viewer_page.get(PAGE).content.decode()
    assert "USE_CACHING" not in listed
    assert "USE_CACHING" in viewer_page.get(f"{PAGE}?state=archived").content.decode()
    page = editor_page.get(address).content.decode()
    assert "editor@acme.example archived it" in page
    assert f'action="{address}/restore"' in page
    assert "Turn off" not in page
    assert f'action="{address}/restore"' not in viewer_page.get(address).content.decode()
    assert "USE_CACHING archived" in viewer_page.get(f"{address}/history").content.decode()
    assert editor_page.post(f"{address}/restore", {}).status_code == 302
    assert "Turn off" in editor_page.get(address).content.decode()


def test_who_may_archive(
    environment: Environment,
    make_flag: MakeFlag,
    viewer_page: Client,
    outsider_page: Client,
    editor_page: Client,
) -> None:
    make_flag()
    for act in ("archive", "restore"):
        assert viewer_page.post(f"{PAGE}/USE_CACHING/{act}").status_code == 403
        assert outsider_page.post(f"{PAGE}/USE_CACHING/{act}").status_code == 404
        assert editor_page.post(f"{PAGE}/NOPE/{act}").status_code == 404
    assert editor_page.get(f"{PAGE}/USE_CACHING/restore").status_code == 405
    with pytest.raises(editing.NoSuchFlag):
        archiving.restore(environment, "NOPE", actor="eve")
