"""The history of a flag and of an environment, and the way back to any version."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from flags import editing, plans, schedule
from flags.models import Flag, FlagVersion, Launch, Plan, Policy
from flags.plans import Asked
from projects.models import Environment
from tests.flags.conftest import MakeFlag, freeze
from tests.projects.people_pages import text

pytestmark = pytest.mark.django_db
FLAG = "/acme/production/flags/USE_CACHING"
HISTORY, REVERT = f"{FLAG}/history", f"{FLAG}/revert"
NZ = {"attribute": "country", "op": "=", "value": "NZ"}


def split_in_nz(percent: int) -> dict[str, object]:
    return {"if": [NZ], "split": {"on": percent, "off": 100 - percent}}


def linked() -> None:
    """What a commit does: the entries of this test's transaction join the chain."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@pytest.fixture
def flag(make_flag: MakeFlag, environment: Environment) -> Flag:
    """Off, then 10% of New Zealand, then 25%."""
    made = make_flag(enabled=False)
    for percent in (10, 25):
        editing.change(
            environment,
            made.key,
            {"enabled": True, "rules": [split_in_nz(percent)]},
            actor="eve@acme.example",
            reason=f"to {percent}%",
        )
    made.refresh_from_db()
    linked()
    return made


def test_the_history_says_who_when_why_and_what_differed(
    viewer_page: Client, flag: Flag, environment: Environment
) -> None:
    page = viewer_page.get(HISTORY)
    said = text(page)
    assert "rule 1: on for 10% → 25% of users in New Zealand" in said
    assert "eve@acme.example : “to 25%”" in said
    assert "All 3 entries were checked just now: the chain holds" in said
    assert "<del>-         &quot;on&quot;: 10,</del>" in page.content.decode()
    assert "Go back to version" not in said, "viewers can't"
    assert "Served now" in said


def test_the_environments_history_has_plans_segments_and_rules_too(
    viewer_page: Client, flag: Flag, environment: Environment, admin_page: Client
) -> None:
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    asked = Asked(flag.key, {"at": soon, "patch": {"enabled": False}})
    plans.create(environment, [asked], actor="API key “ci”", now=timezone.now(), name="Big day")
    admin_page.post("/acme/production/launches/policy", {"action": "approval", "approval": "on"})
    linked()
    said = text(viewer_page.get("/acme/production/history"))
    assert "Planned: Big day" in said
    assert "API key “ci”" in said
    assert "approval: false → true" in said
    assert "5 entries" in said
    assert "1 entry" in text(viewer_page.get("/acme/production/history?who=ADMIN"))
    assert "Nothing by nobody." in text(viewer_page.get("/acme/production/history?who=nobody"))
    assert "Planned: Big day" in text(viewer_page.get(HISTORY))


def test_what_a_plan_did_names_it_and_its_time(
    viewer_page: Client, flag: Flag, environment: Environment
) -> None:
    now = timezone.now()
    at = now + timedelta(hours=1)
    asked = Asked(flag.key, {"at": at.isoformat(), "patch": {"enabled": False}})
    launch = plans.create(environment, [asked], actor="eve@acme.example", now=now)
    schedule.materialise(at + timedelta(seconds=5))
    said = text(viewer_page.get(HISTORY))
    plan = launch.plans.get()
    assert f"plan {plan.pk} on behalf of eve@acme.example" in said
    assert "written down" in said


def test_going_back_shows_what_it_would_do_and_does_it_with_a_reason(
    editor_page: Client, flag: Flag
) -> None:
    assert f'href="{REVERT}?to=2"' in editor_page.get(HISTORY).content.decode()
    page = editor_page.get(f"{REVERT}?to=2")
    assert "rule 1: on for 25% → 10% of users in New Zealand" in text(page)
    form = {"to": "2", "version": "3", "reason": "too much", "action": "revert"}
    answer = editor_page.post(REVERT, form)
    assert (answer.status_code, answer["Location"]) == (302, FLAG)
    flag.refresh_from_db()
    assert (flag.version, flag.rules) == (4, [split_in_nz(10)])
    assert FlagVersion.objects.get(version=4).reason == "too much"


def test_going_back_to_what_is_served_says_so(editor_page: Client, flag: Flag) -> None:
    assert "serves just that already" in text(editor_page.get(f"{REVERT}?to=3"))


def test_somebody_elses_edit_in_between_is_shown_first(editor_page: Client, flag: Flag) -> None:
    form = {"to": "1", "version": "2", "action": "revert"}
    answer = editor_page.post(REVERT, form)
    assert answer.status_code == 422
    assert "changed to version 3 while you looked" in text(answer)
    flag.refresh_from_db()
    assert flag.version == 3


def test_going_back_asks_for_approval_as_any_change_does(
    editor_page: Client, admin_page: Client, flag: Flag, environment: Environment
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    assert "need the approval of another person" in text(editor_page.get(f"{REVERT}?to=2"))
    form = {"to": "2", "version": "3", "reason": "too much"}
    refused = editor_page.post(REVERT, form | {"action": "revert"})
    assert refused.status_code == 422
    flag.refresh_from_db()
    assert flag.version == 3
    local = (timezone.now() + timedelta(hours=2)).astimezone(environment.zone)
    when = {"date": local.date().isoformat(), "time": f"{local:%H:%M}"}
    planned = editor_page.post(REVERT, form | when | {"action": "plan"})
    launch = Launch.objects.get()
    assert planned["Location"] == f"/acme/production/launches/{launch.pk}"
    assert (launch.approval_needed, launch.plans.get().status) == (True, Plan.Status.WAITING)
    admin_page.post(f"/acme/production/launches/{launch.pk}/act", {"action": "approve"})
    schedule.materialise(timezone.now() + timedelta(hours=3))
    flag.refresh_from_db()
    assert flag.rules == [split_in_nz(10)]


def test_a_freeze_holds_back_too_and_an_admins_override_stays_on_the_record(
    editor_page: Client, admin_page: Client, flag: Flag, environment: Environment
) -> None:
    freeze(environment)
    form = {"to": "2", "version": "3", "action": "revert"}
    assert "frozen" in text(editor_page.post(REVERT, form))
    assert "Or ask an admin" in text(editor_page.post(REVERT, form))
    assert "Only an admin" in text(editor_page.post(REVERT, form | {"override": "it burns"}))
    assert not FlagVersion.objects.filter(version=4).exists()
    assert "override now, with a reason" in text(admin_page.post(REVERT, form))
    admin_page.post(REVERT, form | {"override": "it burns"})
    assert "in the freeze: it burns" in FlagVersion.objects.get(version=4).reason


@pytest.mark.parametrize("to", ["9", "x", "-1", "", "99999999999999"])
def test_an_unknown_version_is_404(editor_page: Client, flag: Flag, to: str) -> None:
    assert editor_page.get(f"{REVERT}?to={to}").status_code == 404


def test_bad_forms_say_what_is_wrong(editor_page: Client, flag: Flag) -> None:
    for form, word in (
        ({"to": "2", "action": "revert"}, "Version"),
        ({"to": "2", "version": "3", "action": "dance"}, "Action"),
        ({"to": "2", "version": "3", "action": "plan"}, "Say the date"),
    ):
        answer = editor_page.post(REVERT, form)
        assert answer.status_code == 422
        assert word in text(answer)


def test_roles_and_outsiders(
    viewer_page: Client, outsider_page: Client, flag: Flag, editor_page: Client
) -> None:
    assert viewer_page.get(f"{REVERT}?to=2").status_code == 403
    for path in (HISTORY, f"{REVERT}?to=2", "/acme/production/history"):
        assert outsider_page.get(path).status_code == 404
    assert editor_page.get("/acme/production/flags/NOPE/history").status_code == 404
    assert editor_page.post(HISTORY).status_code == 405
    assert viewer_page.get(f"{HISTORY}?page=x&who=%00").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_broken_chain_is_said_on_the_page(viewer_page: Client, flag: Flag) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE projects_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE projects_auditentry SET actor = 'nobody' WHERE number = 2")
        cursor.execute("ALTER TABLE projects_auditentry ENABLE TRIGGER USER")
    assert "The chain is broken at entry 2" in text(viewer_page.get(HISTORY))
    assert "The chain is broken at entry 2" in text(viewer_page.get("/acme/settings/audit"))


@pytest.mark.parametrize("number", ["²", "0", "-1", "", "9" * 10, "9" * 17, "9" * 300])
def test_going_back_to_what_is_no_version_is_404(
    editor_page: Client, flag: Flag, number: str
) -> None:
    assert editor_page.get(REVERT, {"to": number}).status_code == 404
