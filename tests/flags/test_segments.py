"""Another meaning of a segment is another version of the flags that name it."""

import pytest
from django.test import Client

from flags import grouping
from flags.governance import Withheld
from flags.models import Flag, Policy, Segment
from projects.models import AuditEntry, Environment
from releases.models import Change
from tests.flags.conftest import MakeFlag, freeze
from tests.projects.people_pages import text

pytestmark = pytest.mark.django_db
SEGMENTS = "/acme/production/segments"
NZ = {"match": "all", "if": [{"attribute": "country", "op": "=", "value": "NZ"}]}
AU = {"match": "all", "if": [{"attribute": "country", "op": "=", "value": "AU"}]}
TO_AU = {
    "name": "near",
    "match": "all",
    "rule-0-if-0-attribute": "country",
    "rule-0-if-0-op": "=",
    "rule-0-if-0-value": "AU",
    "reason": "they asked",
    "action": "save",
}


@pytest.fixture
def flag(make_flag: MakeFlag, environment: Environment) -> Flag:
    """On for New Zealand, by a segment; another flag that names it is off."""
    grouping.keep(environment, "near", NZ, actor="eve")
    make_flag("OTHER", enabled=False, rules=[{"if": [{"segment": "near"}], "variant": "on"}])
    return make_flag(rules=[{"if": [{"segment": "near"}], "variant": "on"}])


def test_a_change_of_a_segment_is_one_of_each_flag_that_serves_by_it(
    editor_page: Client, flag: Flag
) -> None:
    before = flag.version
    assert editor_page.post(SEGMENTS, TO_AU | {"version": "1"}).status_code == 302
    flag.refresh_from_db()
    assert flag.version == before + 1
    change = Change.objects.get(flag=flag.key, details__version=flag.version)
    assert change.title == "USE_CACHING: segment near is now users in Australia"
    assert (change.actor, change.details["reason"]) == ("editor@acme.example", "they asked")
    assert flag.versions.get(version=flag.version).change_id == change.pk
    assert not Change.objects.filter(flag="OTHER").exists(), "nobody noticed: it is off"
    page = text(editor_page.get(f"/acme/production/flags/{flag.key}/history"))
    assert f"version {flag.version}" in page


def test_other_words_about_a_segment_change_no_flag(environment: Environment, flag: Flag) -> None:
    before = flag.version
    grouping.keep(environment, "near", NZ, actor="eve", description="our neighbours")
    flag.refresh_from_db()
    assert flag.version == before
    assert not Change.objects.filter(title__contains="segment near is now").exists()


def test_approval_holds_for_segments_that_flags_serve_by(
    environment: Environment, editor_page: Client, admin_page: Client, flag: Flag
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    page = editor_page.post(SEGMENTS, TO_AU)
    assert page.status_code == 422
    assert "need the approval of another person" in text(page)
    forbidden = editor_page.post(SEGMENTS, TO_AU | {"override": "I may"})
    assert "Only an admin may override" in text(forbidden)
    assert Segment.objects.get(name="near").definition == NZ, "nothing is half saved"
    assert admin_page.post(SEGMENTS, TO_AU | {"override": "an incident"}).status_code == 302
    assert Segment.objects.get(name="near").definition == AU
    entry = AuditEntry.objects.get(action="segment.changed")
    assert entry.reason == "they asked · without approval: an incident"


def test_a_freeze_holds_for_segments_too_but_not_for_one_that_nobody_is_served_by(
    environment: Environment, flag: Flag
) -> None:
    freeze(environment)
    with pytest.raises(Withheld, match="is frozen until"):
        grouping.keep(environment, "near", AU, actor="eve")
    Flag.objects.filter(key=flag.key).update(enabled=False)
    grouping.keep(environment, "near", AU, actor="eve")
    assert Segment.objects.get(name="near").definition == AU
