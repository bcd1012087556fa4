"""The import page: looked at first, then taken; and what stays behind is said."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from flags.models import Flag, Policy, Segment
from projects.models import AuditEntry, Environment
from releases.models import Change
from tests.flags.conftest import MakeFlag
from tests.projects.people_pages import text

pytestmark = pytest.mark.django_db
IMPORT, EXPORT = "/acme/production/import", "/acme/production/export/flags.json"


def flagd_file(state: str = "ENABLED", default: str = "on") -> str:
    flag = {"state": state, "variants": {"on": True, "off": False}, "defaultVariant": default}
    return json.dumps({"flags": {"NEW": flag, "USE_CACHING": flag, "BAD": {"state": "ENABLED"}}})


def unleash_file() -> str:
    strategy: dict[str, Any] = {"name": "remoteAddress", "parameters": {"IPs": "10.0.0.1"}}
    return json.dumps(
        {
            "features": [{"name": "beta", "type": "release"}],
            "featureStrategies": [
                {"featureName": "beta", "environment": "development", **strategy}
            ],
            "featureEnvironments": [
                {"featureName": "beta", "environment": "development", "enabled": True}
            ],
        }
    )


def test_a_file_is_looked_at_and_nothing_happens(editor_page: Client, make_flag: MakeFlag) -> None:
    make_flag(default_variant="off")
    written = (AuditEntry.objects.count(), Change.objects.count())
    page = editor_page.post(IMPORT, {"action": "preview", "text": flagd_file()})
    said = text(page)
    assert "1 flag would be created, 1 changed" in said
    assert "NEW On for everyone." in said
    assert "default variant: off → on" in said
    assert "Flag BAD:" in said
    assert "1 thing in the file stays behind" in said
    assert (Flag.objects.count(), AuditEntry.objects.count()) == (1, written[0])
    assert Change.objects.count() == written[1]


def test_what_was_looked_at_is_taken_with_a_reason(
    editor_page: Client, make_flag: MakeFlag, environment: Environment
) -> None:
    make_flag(default_variant="off")
    form = {"action": "take", "text": flagd_file(), "reason": "moving in"}
    said = text(editor_page.post(IMPORT, form))
    assert "1 flag created, 1 changed" in said
    assert "Flag BAD:" in said
    assert Flag.objects.get(key="NEW").enabled
    change = Change.objects.filter(flag="USE_CACHING").latest("id")
    assert change.title == "USE_CACHING now on for everyone"
    assert change.details["reason"] == "moving in"
    again = editor_page.post(IMPORT, form | {"action": "preview"})
    assert "2 flags would stay as they are." in text(again)


def test_a_file_can_be_uploaded(editor_page: Client) -> None:
    upload = SimpleUploadedFile("flags.json", b"\xef\xbb\xbf" + flagd_file().encode())
    page = editor_page.post(IMPORT, {"action": "preview", "file": upload})
    assert "2 flags would be created" in text(page)
    assert "defaultVariant" in page.content.decode(), "it travels on with the form"


def test_an_environment_of_theirs_is_named(editor_page: Client) -> None:
    form = {"action": "preview", "text": unleash_file(), "source": "development"}
    said = text(editor_page.post(IMPORT, form))
    assert "remoteAddress" in said
    assert "behind" in said


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"action": "preview"}, "Choose a file, or paste"),
        ({"action": "preview", "text": "   "}, "Choose a file, or paste"),
        ({"action": "preview", "text": "{"}, "not JSON"),
        ({"action": "preview", "text": "[]"}, "Neither a flagd definition"),
        ({"action": "preview", "text": '{"flags": 5}'}, "flags must be"),
        ({"action": "explode", "text": "{}"}, "Action"),
    ],
)
def test_bad_files_say_what_is_wrong(editor_page: Client, form: dict[str, str], word: str) -> None:
    answer = editor_page.post(IMPORT, form)
    assert answer.status_code == 422
    assert word in text(answer)


def test_a_file_that_is_no_text_is_refused(editor_page: Client) -> None:
    upload = SimpleUploadedFile("flags.json", b"\xff\xfe\x00")
    answer = editor_page.post(IMPORT, {"action": "preview", "file": upload})
    assert answer.status_code == 422
    assert "not UTF-8" in text(answer)


def test_approval_holds_for_imports_too(
    editor_page: Client, admin_page: Client, environment: Environment
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    said = text(editor_page.post(IMPORT, {"action": "preview", "text": flagd_file()}))
    assert "0 flags would be created" in said
    assert "need the approval of another person" in said
    form = {"action": "take", "text": flagd_file(), "override": "first day"}
    refused = editor_page.post(IMPORT, form)
    assert refused.status_code == 422
    assert "Only an admin" in text(refused)
    assert not Flag.objects.exists()
    admin_page.post(IMPORT, form)
    assert Flag.objects.count() == 2


def test_all_flags_go_out_as_flagd_reads_them_and_come_back_the_same(
    viewer_page: Client, editor_page: Client, make_flag: MakeFlag
) -> None:
    make_flag(rules=[{"split": {"on": 25, "off": 75}}])
    answer = viewer_page.get(EXPORT)
    assert answer["Content-Disposition"] == 'attachment; filename="acme-production.flagd.json"'
    document = json.loads(answer.content)
    assert document["flags"]["USE_CACHING"]["targeting"]
    page = editor_page.post(
        "/acme/staging/import", {"action": "preview", "text": answer.content.decode()}
    )
    assert "1 flag would be created" in text(page)


def test_roles_and_methods(viewer_page: Client, outsider_page: Client, editor_page: Client) -> None:
    assert viewer_page.get(IMPORT).status_code == 403
    for path in (IMPORT, EXPORT):
        assert outsider_page.get(path).status_code == 404
    assert editor_page.put(IMPORT).status_code == 405
    assert editor_page.post(EXPORT).status_code == 405
    assert "Export all as a flagd file" in text(editor_page.get(IMPORT))
    assert not Segment.objects.exists()
