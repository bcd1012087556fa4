"""Planned changes over the API: made, refused, edited, cancelled, paused, approved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from flags import plans, schedule
from flags.models import Flag, FlagVersion, Freeze, Plan, Policy
from projects.keys import mint
from projects.models import AuditEntry, Environment, Key
from releases.models import Change
from tests.flags.conftest import Asker, MakeFlag

BASE = "/api/v1/projects/acme/environments/production"
PLANS = f"{BASE}/flags/USE_CACHING/plans"
ON = {"enabled": True, "default_variant": "on"}


def ahead(**given: float) -> str:
    return (datetime.now(UTC).replace(microsecond=0) + timedelta(**given)).isoformat()


def flip(**given: Any) -> dict[str, Any]:
    return {"at": ahead(hours=1), "timezone": "America/New_York", "patch": ON} | given


def ramp(**given: Any) -> dict[str, Any]:
    found = {"from": ahead(hours=1), "until": ahead(hours=2), "variant": "on"}
    return found | {"percent": {"from": 0, "to": 100}} | given


def when(hours: float) -> datetime:
    """A time so many hours ahead: what `now` is then."""
    return timezone.now() + timedelta(hours=hours)


@pytest.fixture
def off(make_flag: MakeFlag) -> Flag:
    return make_flag(enabled=False)


def test_a_flip_is_planned_listed_materialised_and_on_the_record(api: Asker, off: Flag) -> None:
    answer = api("POST", PLANS, flip(reason="spring"))
    assert answer.status_code == 201, answer.content
    plan = answer.json()
    assert (plan["flag"], plan["status"], plan["kind"]) == ("USE_CACHING", "planned", "once")
    assert plan["summary"] == "USE_CACHING turns on for everyone"
    assert plan["timezone"] == "America/New_York"
    listed = api("GET", f"{BASE}/plans").json()["plans"]
    assert [one["id"] for one in listed] == [plan["id"]]
    assert schedule.materialise(timezone.now()) == 0
    late = when(1.5)
    assert schedule.materialise(late) == 1
    assert schedule.materialise(late) == 0
    off.refresh_from_db()
    assert (off.enabled, off.default_variant, off.version) == (True, "on", 2)
    change = Change.objects.get(source="plan")
    assert change.time.isoformat() == plan["at"]
    assert change.title == "USE_CACHING turned on for everyone"
    assert change.actor == f"plan {plan['id']} on behalf of API key “test api”"
    version = FlagVersion.objects.get(version=2)
    assert (version.at, version.reason) == (change.time, "spring")
    step = api("GET", f"{BASE}/plans/{plan['id']}").json()["steps"][0]
    assert (step["effective_at"], step["recorded_at"]) == (plan["at"], late.isoformat())
    assert (step["version"], step["change_id"]) == (2, change.id)
    assert Plan.objects.get().status == "done"
    assert AuditEntry.objects.filter(action="flag.changed").count() == 1


def test_a_ramp_is_two_versions_and_ends_as_a_plain_default(api: Asker, off: Flag) -> None:
    plan = api("POST", PLANS, ramp()).json()
    assert plan["kind"] == "ramp"
    assert "ramps on from 0% to 100%" in plan["summary"]
    schedule.materialise(when(1.5))
    off.refresh_from_db()
    assert off.rules[-1]["ramp"]["variant"] == "on"
    assert Plan.objects.get().status == "running"
    schedule.materialise(when(2.5))
    off.refresh_from_db()
    assert (off.enabled, off.rules, off.default_variant) == (True, [], "on")
    assert [change.title for change in Change.objects.filter(source="plan")] == [
        "USE_CACHING now on for everyone",
        "USE_CACHING turned ramping on from 0% to 100% of users",
    ]


def test_steps_with_hold_times_and_a_holdback(api: Asker, off: Flag) -> None:
    steps = [{"at": ahead(hours=h), "percent": p} for h, p in ((1, 10), (2, 50), (3, 100))]
    given = {"variant": "on", "steps": steps, "holdback": {"percent": 2, "until": ahead(hours=9)}}
    plan = api("POST", PLANS, given).json()
    assert len(plan["steps"]) == 4
    found = []
    for hours in (1.5, 2.5, 3.5, 9.5):
        schedule.materialise(when(hours))
        off.refresh_from_db()
        found.append(off.rules[0]["split"]["on"] if off.rules else off.default_variant)
    assert found == [10, 50, 98, "on"]


def test_a_plan_keeps_the_rules_that_have_conditions(api: Asker, make_flag: MakeFlag) -> None:
    nz = {"if": [{"attribute": "country", "op": "=", "value": "NZ"}], "variant": "on"}
    flag = make_flag(rules=[nz, {"split": {"on": 10, "off": 90}}])
    assert api("POST", PLANS, ramp(percent={"to": 50})).status_code == 201
    schedule.materialise(when(1.5))
    flag.refresh_from_db()
    assert flag.rules[0] == nz
    assert flag.rules[1]["ramp"]["from"]["percent"] == 10
    schedule.materialise(when(2.5))
    flag.refresh_from_db()
    assert flag.rules == [nz, {"split": {"off": 50, "on": 50}}]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"at": "2020-01-01T00:00:00", "timezone": "Mars/Base", "patch": {}}, "timezone"),
        (flip(at="2020-01-01T00:00:00"), "at"),
        (flip(timezone="Mars/Base", at="2030-01-01T00:00:00"), "timezone"),
        (flip(at="2027-03-28T02:30:00", timezone="Europe/Berlin"), "at"),
        (flip(at="2027-10-31T02:30:00", timezone="Europe/Berlin"), "fold"),
        (flip(patch={}), "patch"),
        (flip(patch={"variants": {}}), "patch.variants"),
        (flip(patch={"default_variant": "red"}), "patch.default_variant"),
        (flip(patch={"rules": [{"split": {"on": 40, "off": 40}}]}), "patch.rules[0].split"),
        (flip(patch={"enabled": False}), "patch"),
        (flip(colour="red"), "colour"),
        (flip(holdback=99), "holdback.percent"),
        (flip(holdback={"percent": 2, "until": ahead(minutes=5)}), "holdback.until"),
        ({"patch": ON}, "at"),
        (ramp(variant="red"), "variant"),
        (ramp(until=ahead(minutes=5)), "until"),
        (ramp(percent={"from": 0, "to": 0}), "percent.to"),
        (ramp(percent={"from": 0, "to": 101}), "percent.to"),
        (ramp(percent=50), "percent"),
        ({"variant": "on", "steps": []}, "steps"),
        ({"variant": "on", "steps": [{"at": ahead(hours=1)}]}, "steps[0]"),
    ],
)
def test_a_bad_plan_is_refused_with_the_field_and_nothing_is_saved(
    api: Asker, off: Flag, given: dict[str, Any], field: str
) -> None:
    answer = api("POST", PLANS, given)
    assert answer.status_code == 422, answer.content
    assert answer.json()["error"]["field"] == field
    assert not Plan.objects.exists()
    assert not AuditEntry.objects.filter(action="plan.created").exists()


def test_a_ramp_that_would_take_the_variant_from_somebody_is_refused(
    api: Asker, make_flag: MakeFlag
) -> None:
    make_flag(rules=[{"split": {"on": 50, "off": 50}}])
    answer = api("POST", PLANS, ramp())
    assert answer.status_code == 422
    assert "Begin at 50%" in answer.json()["error"]["message"]


def test_plans_of_one_flag_do_not_overlap(api: Asker, off: Flag) -> None:
    assert api("POST", PLANS, ramp()).status_code == 201
    for given in (flip(at=ahead(hours=1.5)), flip(), ramp(until=ahead(hours=9))):
        answer = api("POST", PLANS, given)
        assert answer.status_code == 409, answer.content
        assert "another plan for that time" in answer.json()["error"]["message"]
    later = flip(at=ahead(hours=3), patch={"enabled": False})
    assert api("POST", PLANS, later).status_code == 201


def test_a_plan_is_cancelled_once(api: Asker, off: Flag) -> None:
    plan = api("POST", PLANS, flip()).json()
    one = f"{BASE}/plans/{plan['id']}"
    assert api("DELETE", one).json()["status"] == "cancelled"
    assert api("DELETE", one).status_code == 409
    assert schedule.materialise(when(2)) == 0
    assert api("GET", f"{BASE}/plans").json() == {"plans": []}
    assert api("GET", f"{BASE}/plans?status=all").json()["plans"][0]["status"] == "cancelled"
    assert api("DELETE", f"{BASE}/plans/{2**70}").status_code == 404


def test_an_edited_plan_happens_at_its_new_time_only(api: Asker, off: Flag) -> None:
    plan = api("POST", PLANS, flip()).json()
    one = f"{BASE}/plans/{plan['id']}"
    answer = api("PATCH", one, {"at": ahead(hours=5)})
    assert answer.status_code == 200, answer.content
    assert schedule.materialise(when(2)) == 0
    assert schedule.materialise(when(5.5)) == 1
    assert api("PATCH", one, {"at": ahead(hours=7)}).status_code == 409


def test_a_paused_plan_expires_visibly_and_never_happens(api: Asker, off: Flag) -> None:
    plan = api("POST", PLANS, flip()).json()
    one = f"{BASE}/plans/{plan['id']}"
    assert api("POST", f"{one}/pause", {"reason": "wait"}).json()["status"] == "paused"
    assert api("POST", f"{one}/resume").json()["status"] == "planned"
    api("POST", f"{one}/pause")
    assert schedule.materialise(when(2)) == 0
    assert schedule.expire(when(2)) == 1
    found = api("GET", one).json()
    assert found["status"] == "expired"
    assert "It did not happen, and will not" in found["note"]
    assert api("POST", f"{one}/resume").status_code == 409
    assert schedule.materialise(when(3)) == 0


def test_who_turns_a_flag_off_ends_its_ramp_for_good(api: Asker, off: Flag) -> None:
    plan = api("POST", PLANS, ramp()).json()
    schedule.materialise(when(1.5))
    answer = api("PATCH", f"{BASE}/flags/USE_CACHING", {"enabled": False})
    assert answer.status_code == 200
    assert schedule.materialise(when(3)) == 0
    off.refresh_from_db()
    assert not off.enabled
    found = api("GET", f"{BASE}/plans/{plan['id']}").json()
    assert found["status"] == "overtaken"
    assert "by hand" in found["note"]


def test_an_edit_beside_a_ramp_leaves_it_alone(api: Asker, off: Flag) -> None:
    api("POST", PLANS, ramp())
    schedule.materialise(when(1.5))
    off.refresh_from_db()
    nz = {"if": [{"attribute": "country", "op": "=", "value": "NZ"}], "variant": "on"}
    answer = api("PATCH", f"{BASE}/flags/USE_CACHING", {"rules": [nz, *off.rules]})
    assert answer.status_code == 200, answer.content
    assert schedule.materialise(when(3)) == 1
    off.refresh_from_db()
    assert (off.rules, off.default_variant) == ([nz], "on")


def test_a_variant_that_a_plan_needs_stays_until_the_plan_goes(
    api: Asker, make_flag: MakeFlag
) -> None:
    flag = make_flag(type="string", variants={"a": "A", "b": "B"})
    api("POST", PLANS, flip(patch={"default_variant": "b"}))
    answer = api("PATCH", f"{BASE}/flags/USE_CACHING", {"variants": {"a": "A"}})
    assert answer.status_code == 422
    assert "could not be carried out" in answer.json()["error"]["message"]
    flag.refresh_from_db()
    assert flag.version == 1


def test_a_later_edit_is_told_to_whoever_looks_at_the_plan(api: Asker, off: Flag) -> None:
    plan = api("POST", PLANS, flip()).json()
    assert plan["warnings"] == []
    api("PATCH", f"{BASE}/flags/USE_CACHING", ON)
    warned = api("GET", f"{BASE}/plans/{plan['id']}").json()["warnings"]
    assert "was changed by API key “test api” after this was planned" in warned[0]
    assert "would change nothing any more" in warned[1]


def test_a_ramp_held_and_rolled_back_on_the_record(api: Asker, off: Flag) -> None:
    soon = {"from": ahead(seconds=3), "until": ahead(hours=1), "variant": "on"}
    plan = api("POST", PLANS, soon).json()
    one = f"{BASE}/plans/{plan['id']}"
    start = Plan.objects.get().at
    schedule.materialise(start + timedelta(seconds=1))
    held = api("POST", f"{one}/pause")
    assert held.status_code == 200, held.content
    off.refresh_from_db()
    assert off.rules[-1]["ramp"]["hold"] >= int(timezone.now().timestamp()) + 3
    assert schedule.materialise(when(2)) == 0
    assert api("POST", f"{one}/resume").json()["status"] == "running"
    back = api("POST", f"{one}/roll-back", {"reason": "errors", "within_s": 60})
    assert back.status_code == 200, back.content
    off.refresh_from_db()
    assert off.rules[-1]["ramp"]["back"]
    assert api("POST", f"{one}/roll-back").status_code == 409
    assert schedule.materialise(when(2)) == 1
    off.refresh_from_db()
    assert (off.rules, off.default_variant) == ([], "off")
    assert Plan.objects.get().status == "done"
    assert api("POST", f"{one}/explode").status_code == 404


# Governance


def test_where_approval_is_needed_another_person_gives_it(
    api: Asker, environment: Environment, off: Flag
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    refused = api("PATCH", f"{BASE}/flags/USE_CACHING", ON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "approval")
    plan = api("POST", PLANS, flip()).json()
    assert plan["status"] == "waiting"
    assert api("POST", f"{BASE}/plans/{plan['id']}/approve").status_code == 409  # the same key
    launch = Plan.objects.get().launch
    plans.approve(launch, actor="second@acme.example", now=timezone.now())
    found = api("GET", f"{BASE}/plans/{plan['id']}").json()
    assert (found["status"], found["approved_by"]) == ("planned", "second@acme.example")
    assert schedule.materialise(when(2)) == 1


def test_a_key_of_ones_own_is_no_other_person(
    api: Asker, environment: Environment, off: Flag
) -> None:
    """Who made a key stands behind it, whether it asks or approves."""
    Policy.objects.create(environment=environment, approval=True)
    launch = Plan.objects.get(id=api("POST", PLANS, flip()).json()["id"]).launch
    by = Key.objects.get(kind="api").created_by
    with pytest.raises(plans.PlanConflict, match="another person"):
        plans.approve(launch, actor=by, now=timezone.now())
    mint(environment.project, "api", name="second", created_by=by, role="admin")
    with pytest.raises(plans.PlanConflict, match="another person"):
        plans.approve(launch, actor="API key “second”", now=timezone.now())
    mint(environment.project, "api", name="theirs", created_by="else@acme.example", role="admin")
    plans.approve(launch, actor="API key “theirs”", now=timezone.now())
    assert Plan.objects.get().status == "planned"


def test_without_approval_a_plan_expires_and_never_fires_later(
    api: Asker, environment: Environment, off: Flag
) -> None:
    Policy.objects.create(environment=environment, approval=True)
    plan = api("POST", PLANS, flip()).json()
    assert schedule.materialise(when(2)) == 0
    assert schedule.expire(when(2)) == 1
    found = api("GET", f"{BASE}/plans/{plan['id']}").json()
    assert found["status"] == "expired"
    with pytest.raises(plans.PlanConflict):
        plans.approve(Plan.objects.get().launch, actor="x@y.z", now=timezone.now())


def test_turning_off_waits_for_nobody(
    api: Asker, environment: Environment, make_flag: MakeFlag
) -> None:
    flag = make_flag(default_variant="on")
    Policy.objects.create(environment=environment, approval=True)
    now = timezone.now()
    Freeze.objects.create(environment=environment, name="Sale", begins=now, ends=when(5), actor="x")
    assert api("PATCH", f"{BASE}/flags/USE_CACHING", {"enabled": False}).status_code == 200
    refused = api("PATCH", f"{BASE}/flags/USE_CACHING", {"enabled": True})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "freeze")
    body = {"enabled": True, "override": "the boss said so"}
    assert api("PATCH", f"{BASE}/flags/USE_CACHING", body).status_code == 200
    version = FlagVersion.objects.get(flag=flag, version=3)
    assert version.reason == "In the freeze: the boss said so"


def test_a_plan_in_a_freeze_needs_an_override(
    api: Asker, environment: Environment, off: Flag
) -> None:
    Freeze.objects.create(
        environment=environment, name="Sale", begins=when(0.5), ends=when(5), actor="x"
    )
    refused = api("POST", PLANS, flip())
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "freeze")
    assert not Plan.objects.exists()
    assert api("POST", PLANS, flip(override="agreed with sales")).status_code == 201


def test_several_flags_are_launched_whole_or_not_at_all(api: Asker, make_flag: MakeFlag) -> None:
    make_flag("A", enabled=False)
    make_flag("B", enabled=False)
    parts = [{"flag": "A", "plan": flip()}, {"flag": "B", "plan": ramp()}]
    answer = api("POST", f"{BASE}/launches", {"name": "Spring", "plans": parts})
    assert answer.status_code == 201, answer.content
    assert [part["flag"] for part in answer.json()["plans"]] == ["A", "B"]
    bad = [{"flag": "A", "plan": flip(at=ahead(hours=9), patch={"enabled": False})}]
    bad.append({"flag": "NOPE", "plan": flip()})
    assert api("POST", f"{BASE}/launches", {"name": "x", "plans": bad}).status_code == 404
    assert Plan.objects.count() == 2


def test_a_viewers_token_and_a_foreign_one_change_nothing(
    api: Asker, off: Flag, environment: Environment
) -> None:
    from projects.keys import mint

    _, viewer = mint(
        environment.project, "api", name="v", created_by="admin@acme.example", role="viewer"
    )
    assert Asker(viewer)("POST", PLANS, flip()).status_code == 403
    other = "/api/v1/projects/other/environments/production"
    assert api("GET", f"{other}/plans").status_code == 404
    assert not Plan.objects.exists()
