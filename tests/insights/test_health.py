"""Cohorts that are not what they seem: said, and where they must be, nothing is claimed."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from events.store.read import Result, Statement, run
from flags import editing
from insights import health as health_module
from insights.cohorts import Comparison, Variants
from insights.examine import Plan, examine
from insights.health import Health, Window, health, health_of_many
from insights.results import delta_json
from projects.models import Environment
from tests.insights.traffic import Request, requests, send

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
END = START + timedelta(minutes=30)
SPLIT = {"off": {"split": 500}, "on": {"split": 480}}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (Health(SPLIT, 400, 1), ""),
        (Health(SPLIT, 400, 12), "3.0% of those asked for saw two variants"),
        (Health(SPLIT, 10, 10), ""),
        (Health({"off": {"cached": 60, "split": 40}, "on": {"split": 100}}), "unevenly"),
        (Health(SPLIT, placeless={"error": 200}), "16.9% of evaluations got the code's own"),
        (Health({"off": {"default": 500}, "on": {"targeting_match": 500}}), ""),
    ],
    ids=["sound", "some in both", "too few to tell", "cached", "errors", "default is ordinary"],
)
def test_warnings_say_what_is_wrong(known: Health, said: str) -> None:
    assert said in "; ".join(known.warnings())
    assert bool(said) == bool(known.warnings())


def test_only_a_split_promises_one_variant_a_unit() -> None:
    mixed = Health(SPLIT, 400, 100)
    assert "nothing is claimed" in mixed.withheld(split=True)
    assert not mixed.withheld(split=False)


def test_another_providers_split_is_chance_if_it_is_kept_to() -> None:
    assert Health(SPLIT, 400, 1).by_chance
    assert not Health(SPLIT, 400, 40).by_chance
    assert not Health({"off": {"default": 500}, "on": {"split": 500}}, 400, 1).by_chance


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_mixed_bucketing_withholds_every_claim(environment: Environment, ingest_key: str) -> None:
    def mixed(request: Request, rng: random.Random) -> None:
        on = rng.random() < 0.5  # every request draws anew
        request.fields["flags"]["CACHE"] = "on" if on else "off"
        request.fields["duration_ms"] *= 4 if on else 1

    send(requests(START, count=2500, change=mixed), ingest_key)
    known = health(environment.id, "CACHE", START, END)
    assert known.both_share > 0.5
    comparison = Comparison(environment.id, Variants("CACHE", "off", "on"), START, END)
    result = examine(comparison, Plan(split=True, shares=(50, 50)))
    assert not result.findings
    assert "two variants of one version" in result.note
    assert all("nothing is claimed" in one.reason for one in result.judged)
    assert {delta_json(one)["harm_excluded"] for one in result.judged} == {None}  # no gate passes
    assert examine(comparison).findings  # without a promise it is a concurrent comparison


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_what_was_served_before_the_start_is_another_versions(
    environment: Environment, ingest_key: str
) -> None:
    """A flag is off for everyone and, within the hour, turned on for half of the users."""
    turned_on = START + timedelta(minutes=15)

    def as_served(request: Request, rng: random.Random) -> None:
        late = datetime.fromisoformat(request.fields["time"]) >= turned_on
        on = late and int(request.fields["user_id"].strip("u")) % 2
        request.fields["flags"]["CACHE"] = "on" if on else "off"

    send(requests(START, count=2500, change=as_served), ingest_key)
    assert health(environment.id, "CACHE", START, END).in_both > 50
    known = health(environment.id, "CACHE", turned_on, END)
    assert known.units > 50
    assert known.in_both == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_many_flags_are_asked_about_in_one_scan_each_in_its_own_time(
    environment: Environment, ingest_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two flags that are turned on for half of the users at different times."""
    on_at = {"EARLY": START + timedelta(minutes=5), "LATE": START + timedelta(minutes=20)}

    def as_served(request: Request, rng: random.Random) -> None:
        at = datetime.fromisoformat(request.fields["time"])
        odd = int(request.fields["user_id"].strip("u")) % 2
        for flag, turned_on in on_at.items():
            request.fields["flags"][flag] = "on" if at >= turned_on and odd else "off"

    send(requests(START, count=1500, change=as_served), ingest_key)
    whole = [Window(flag, START, END) for flag in on_at]
    own = [Window(flag, since, END) for flag, since in on_at.items()]
    asked: list[Statement] = []

    def counted(statement: Statement) -> Result:
        asked.append(statement)
        return run(statement)

    monkeypatch.setattr(health_module, "run", counted)
    found = health_of_many(environment.id, [*own, *whole])
    assert [one.in_both for one in found[:2]] == [0, 0]
    assert min(one.in_both for one in found[2:]) > 50
    assert len([one for one in asked if "FROM exposures" in one.sql]) == 2  # a flag once in each
    monkeypatch.setattr(health_module, "run", pytest.fail)
    assert health_of_many(environment.id, [*own, *whole]) == found  # kept for a while
    early = found[0].reasons
    assert set(early) == {"on", "off"}
    requests_since = 1500 * 25 / 30
    assert sum(sum(own.values()) for own in early.values()) == pytest.approx(requests_since, abs=2)


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_a_flags_page_says_who_saw_two_variants_of_one_version(
    environment: Environment, ingest_key: str, viewer_page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = datetime.now(UTC) - timedelta(minutes=40)
    for key, swap in (("MIXED", 0.5), ("CLEAN", 0.0)):
        split = {"rules": [{"split": {"on": 50, "off": 50}}], "enabled": True}
        with monkeypatch.context() as earlier:
            earlier.setattr(timezone, "now", lambda: started - timedelta(minutes=10))
            editing.create(environment, {"key": key, "type": "boolean"} | split, actor="eve")

        def asked(request: Request, rng: random.Random, key: str = key, swap: float = swap) -> None:
            on = bool(int(request.fields["user_id"].strip("u")) % 2) != (rng.random() < swap)
            request.fields["flags"][key] = "on" if on else "off"

        send(requests(started, count=600, change=asked), ingest_key)
    mixed = viewer_page.get("/acme/production/flags/MIXED").content.decode()
    clean = viewer_page.get("/acme/production/flags/CLEAN").content.decode()
    assert re.search(r"<b>[\w,]+ of [\d,]+ users saw two variants of one version</b>", mixed)
    assert "two variants" not in clean


@pytest.mark.django_db
@pytest.mark.usefixtures("event_store")
def test_a_flag_that_another_one_moves_is_not_said_to_be_mixed(
    environment: Environment, ingest_key: str, viewer_page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves others by what GATE gives, without a version of its own."""
    started = datetime.now(UTC) - timedelta(minutes=40)
    split = {"split": {"on": 50, "off": 50}}
    with monkeypatch.context() as earlier:
        earlier.setattr(timezone, "now", lambda: started - timedelta(minutes=10))
        for key, rule in (
            ("GATE", split),
            ("MIDDLE", split | {"if": [{"flag": "GATE", "is": "on"}]}),
            ("LEANS", split | {"if": [{"flag": "MIDDLE", "is": "on"}]}),
        ):
            given = {"key": key, "type": "boolean", "enabled": True, "default_variant": "off"}
            editing.create(environment, given | {"rules": [rule]}, actor="eve")

    def asked(request: Request, rng: random.Random) -> None:
        request.fields["flags"]["LEANS"] = rng.choice(("on", "off"))

    send(requests(started, count=600, change=asked), ingest_key)
    address = "/acme/production/flags/LEANS"
    assert "users saw two variants" in viewer_page.get(address).content.decode()
    editing.change(environment, "GATE", {"enabled": False}, actor="eve")
    assert "users saw two variants" not in viewer_page.get(address).content.decode()
