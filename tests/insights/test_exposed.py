"""What a flag's definitions say of how its variants were assigned."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from flags import editing
from flags.models import Flag, FlagVersion
from insights import looks
from insights.examine import Plan
from insights.exposed import plan_between, plan_of, plan_of_definition
from insights.health import Health
from insights.models import Watch
from insights.sentences import moved_by
from projects.models import Environment

SPLIT = {"split": {"on": 10, "off": 90}}
RAMP = {"ramp": {"variant": "on", "instead": "off", "from": {}, "until": {}}}


def definition(*rules: dict[str, Any], enabled: bool = True, **more: Any) -> dict[str, Any]:
    return {"enabled": enabled, "rules": list(rules), **more}


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        (definition(SPLIT), Plan(split=True, shares=(90.0, 10.0))),
        (definition(RAMP), Plan(split=True, moving=True)),
        (definition(SPLIT | {"if": [{"segment": "staff"}]}), Plan()),
        (definition(SPLIT | {"by": "country"}), Plan()),
        (definition(RAMP | {"by": "account"}), Plan()),
        (definition(SPLIT, SPLIT), Plan()),
        (definition(SPLIT, enabled=False), Plan()),
        (definition({"variant": "on"}), Plan()),
        (definition({"split": {"on": 0, "off": 100}}), Plan()),
        (definition({"ramp": {"variant": "on", "instead": "blue"}}), Plan()),
        (definition(SPLIT, targeting={"if": []}), Plan()),
        ({}, Plan()),
    ],
    ids=[
        *("split", "ramp", "condition", "by country", "ramp by account", "two rules", "off"),
        *("no split", "nobody gets it", "ramp of others", "raw", "empty"),
    ],
)
def test_only_a_split_of_every_unit_is_by_chance(given: dict[str, Any], plan: Plan) -> None:
    assert plan_of_definition(given, "off", "on") == plan


def test_a_ramp_moves_units_and_is_no_sign_of_mixed_buckets() -> None:
    mixed = Health(units=1000, in_both=300)
    assert any("two variants" in text for text in mixed.warnings())
    assert mixed.warnings(moving=True) == []
    assert mixed.withheld(split=True)


@pytest.mark.django_db
def test_an_ended_watch_keeps_the_plan_that_was_in_force(environment: Environment) -> None:
    now = timezone.now()
    flag = Flag.objects.create(
        environment=environment, key="f", type="boolean", variants={"on": True, "off": False}
    )
    kept = [
        (1, 60, definition({"variant": "off"})),
        (2, 30, definition(SPLIT)),
        (3, 10, definition({"variant": "on"})),
    ]
    for version, minutes, given in kept:
        FlagVersion.objects.create(
            flag=flag, version=version, definition=given, at=now - timedelta(minutes=minutes)
        )
    started, ended = now - timedelta(minutes=30), now - timedelta(minutes=10)
    watch = Watch(
        environment=environment, flag="f", baseline="off", candidate="on", started_at=started
    )
    assert plan_of(looks.variants_compared(watch, ended), flag) == Plan(
        split=True, shares=(90.0, 10.0)
    )
    watch.ended_at = ended
    assert plan_of(looks.variants_compared(watch, now), flag) == Plan(
        split=True, shares=(90.0, 10.0)
    )
    watch.ended_at = None  # two definitions in one window, one of which splits nobody
    assert plan_of(looks.variants_compared(watch, now), flag) == Plan(moving=True)
    assert plan_between(None, "off", "on", (started, ended)) == Plan()


@pytest.mark.django_db
def test_two_splits_in_one_window_are_by_chance_without_one_share(environment: Environment) -> None:
    now = timezone.now()
    flag = Flag.objects.create(
        environment=environment, key="f", type="boolean", variants={"on": True, "off": False}
    )
    for version, share in ((1, 10), (2, 50)):
        FlagVersion.objects.create(
            flag=flag,
            version=version,
            definition=definition({"split": {"on": share, "off": 100 - share}}),
            at=now - timedelta(minutes=60 - 20 * version),
        )
    found = plan_between(flag, "off", "on", (now - timedelta(minutes=50), now))
    assert found == Plan(split=True, moving=True)


@pytest.mark.django_db
def test_what_a_flag_asks_for_and_that_changed_meanwhile_is_counted(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LEANS asks for MIDDLE, which asks for GATE: what GATE gives decides what LEANS does."""
    now = timezone.now()
    with monkeypatch.context() as earlier:
        earlier.setattr(timezone, "now", lambda: now - timedelta(minutes=50))
        for key, rule in (
            ("GATE", SPLIT),
            ("MIDDLE", SPLIT | {"if": [{"flag": "GATE", "is": "on"}]}),
            ("LEANS", SPLIT | {"if": [{"flag": "MIDDLE", "is": "on"}]}),
        ):
            given = {"key": key, "type": "boolean", "enabled": True, "default_variant": "off"}
            editing.create(environment, given | {"rules": [rule]}, actor="eve")
    flag = Flag.objects.get(environment=environment, key="LEANS")
    window = (now - timedelta(minutes=40), now + timedelta(minutes=1))
    assert plan_between(flag, "off", "on", window) == Plan()
    editing.change(environment, "GATE", {"enabled": False}, actor="eve")
    assert plan_between(flag, "off", "on", window) == Plan(moving=True, moved_by=("GATE",))
    before = (now - timedelta(minutes=40), now - timedelta(minutes=10))
    assert plan_between(flag, "off", "on", before) == Plan()
    assert moved_by(("GATE", "MIDDLE")) == (
        "who gets which also depends on GATE and MIDDLE, which changed meanwhile"
    )
