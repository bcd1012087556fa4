"""Real providers of OpenFeature, unmodified, against running processes of ours: flagd's for Python
and JavaScript, in process and from a file, and OFREP's for browsers and servers."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.utils import timezone
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError

from flags import editing, plans
from flags.plans import Asked
from projects.models import Environment
from tests.clients.node_clients import finish, needs, start
from tests.clients.serving import Serving, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore")]
ACTOR = "editor@acme.example"
USER = EvaluationContext("u1", {"country": "NZ"})
NZ = [{"attribute": "country", "op": "in", "value": ["NZ"]}]
ON: dict[str, Any] = {"enabled": True, "default_variant": "on"}


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[Serving]:
    """For the tests that leave them running."""
    with serving() as found:
        yield found


@pytest.fixture
def mortal(db: None) -> Iterator[Serving]:
    """For a test that ends them."""
    with serving() as found:
        yield found


def create(environment: Environment, key: str, kind: str = "boolean", **given: Any) -> None:
    wanted = {"key": key, "type": kind, "enabled": True} | given
    editing.create(environment, wanted, actor=ACTOR)


def every_type(environment: Environment) -> None:
    create(environment, "F", rules=[{"if": NZ, "variant": "on"}])
    create(environment, "web/text", "string", variants={"a": "A"})
    create(environment, "whole", "number", variants={"a": 3})
    create(environment, "float", "number", variants={"a": 1, "b": 0.5})
    create(environment, "object", "object", variants={"a": {"b": [1, "x"]}})
    create(environment, "dark", enabled=False, off_variant="")


def plan_on(environment: Environment, key: str, seconds: float) -> datetime:
    at = (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
    asked = Asked(key, {"at": at.isoformat(), "patch": ON})
    plans.create(environment, [asked], actor=ACTOR, now=timezone.now())
    return at


def in_process(running: Serving, key: str) -> FlagdProvider:
    provider = FlagdProvider(
        host="127.0.0.1",
        port=running.sync_port,
        resolver_type=ResolverType.IN_PROCESS,
        selector=key,
        deadline_ms=20_000,
    )
    provider.initialize(EvaluationContext())
    return provider


def until(holds: Callable[[], bool], wait_s: float) -> float:
    """Seconds until it held; a flag that a provider has not heard of yet is no failure."""
    begun = time.monotonic()

    def held() -> bool:
        try:
            return holds()
        except FlagNotFoundError:
            return False

    while not held():
        assert time.monotonic() - begun < wait_s, "it did not hold in time"
        time.sleep(0.01)
    return time.monotonic() - begun


def check_every_type(provider: FlagdProvider) -> None:
    found = provider.resolve_boolean_details("F", False, USER)
    assert (found.value, found.variant, str(found.reason)) == (True, "on", "TARGETING_MATCH")
    assert found.flag_metadata["version"] == "1"
    assert found.flag_metadata["flagSetId"] == "acme/production"
    elsewhere = EvaluationContext("u1", {"country": "DE"})
    assert provider.resolve_boolean_details("F", True, elsewhere).value is False
    assert provider.resolve_string_details("web/text", "", USER).value == "A"
    assert provider.resolve_integer_details("whole", 0, USER).value == 3
    assert provider.resolve_float_details("float", 0.0, USER).value == 1.0
    assert provider.resolve_object_details("object", {}, USER).value == {"b": [1, "x"]}
    dark = provider.resolve_boolean_details("dark", True, USER)
    assert (dark.value, str(dark.reason)) == (True, "DISABLED")


def test_flagds_provider_in_process_hears_of_edits_and_flips_with_us_gone(
    mortal: Serving, environment: Environment, server_key: str
) -> None:
    every_type(environment)
    provider = in_process(mortal, server_key)
    try:
        check_every_type(provider)
        editing.change(environment, "F", {"enabled": False}, actor=ACTOR)
        took = until(lambda: not provider.resolve_boolean_details("F", True, USER).value, 5)
        assert took < 2.5
        create(environment, "LATER", enabled=False)
        at = plan_on(environment, "LATER", 4)
        planned = "TARGETING_MATCH"  # the plan has come: its time is in the targeting
        until(lambda: provider.resolve_boolean_details("LATER", True, USER).reason == planned, 3)
        mortal.kill()
        assert provider.resolve_boolean_details("LATER", True, USER).value is False
        until(lambda: provider.resolve_boolean_details("LATER", False, USER).value, 8)
        late = (datetime.now(UTC) - at).total_seconds()
        assert 0 <= late < 1, "not at its second"
        assert provider.resolve_boolean_details("LATER", False, USER).variant == "on"
    finally:
        provider.shutdown()


def test_flagds_provider_reads_our_export_from_a_file(
    running: Serving, environment: Environment, server_key: str, tmp_path: Path
) -> None:
    every_type(environment)
    exported = requests.get(
        f"{running.url}/flagd/flags.json",
        headers={"Authorization": f"Bearer {server_key}"},
        timeout=10,
    )
    file = tmp_path / "flags.json"
    file.write_bytes(exported.content)
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE, offline_flag_source_path=str(file), deadline_ms=5000
    )
    provider.initialize(EvaluationContext())
    try:
        check_every_type(provider)
    finally:
        provider.shutdown()


def on_each(marks: list[pytest.MarkDecorator]) -> Callable[[Any], Any]:
    def marked(test: Any) -> Any:
        for mark in marks:
            test = mark(test)
        return test

    return marked


@on_each(needs("@openfeature/ofrep-web-provider"))
def test_browsers_provider_sees_each_change_within_a_second_and_never_goes_back(
    running: Serving, environment: Environment, client_key: str
) -> None:
    """The web provider does not poll: it knows of a change by our event stream alone."""
    pro = [{"attribute": "plan", "op": "=", "value": "pro"}]
    create(environment, "F", rules=[{"if": pro, "variant": "on"}])
    process = start("ofrep_web.mjs", running.url, client_key, "F", "9")
    time.sleep(3.5)  # it is there, and has tried another user
    edited = time.time()
    editing.change(environment, "F", {"default_variant": "on"}, actor=ACTOR)
    time.sleep(1.5)
    editing.change(environment, "F", {"enabled": False}, actor=ACTOR)
    at = plan_on(environment, "F", 2.5)
    said = finish(process)
    by = {one["what"]: one for one in said}
    assert not any(one.get("errorCode") for one in said), said
    assert (by["ready"]["value"], by["ready"]["variant"]) == (False, "off")
    assert by["other context"]["value"] is True, "its value for a pro"
    assert by["listening"]["value"] is False
    assert by["listening"]["at"] / 1000 < edited, "it was too slow to start for this test"
    told = [one for one in said if one["what"] == "changed" and one["at"] / 1000 > edited]
    seen: list[dict[str, Any]] = []
    for one in told:  # each value once, whatever else an event was for
        if not seen or seen[-1]["value"] != one["value"]:
            seen.append(one)
    assert [one["value"] for one in seen] == [True, False, True]
    assert seen[0]["at"] / 1000 - edited < 1
    assert 0 <= seen[2]["at"] / 1000 - at.timestamp() < 1
    assert seen[2]["version"] == by["end"]["version"] == "4"


@on_each(needs("@openfeature/ofrep-provider"))
def test_the_server_sdk_for_javascript_gets_every_type(
    running: Serving, environment: Environment, server_key: str
) -> None:
    every_type(environment)
    asked = ("boolean:F", "string:web/text", "number:whole", "number:float", "object:object")
    process = start(
        "ofrep_server.mjs", running.url, server_key, *asked, "boolean:dark", "boolean:no"
    )
    found = {one["flag"]: one for one in finish(process)}
    values = {key: one["value"] for key, one in found.items()}
    assert values == {
        **{"F": True, "web/text": "A", "whole": 3, "float": 1, "object": {"b": [1, "x"]}},
        **{"dark": False, "no": False},
    }
    assert (found["F"]["variant"], found["F"]["reason"], found["F"]["version"]) == (
        "on",
        "TARGETING_MATCH",
        "1",
    )
    assert found["no"]["errorCode"] == "FLAG_NOT_FOUND"
    # What has no value gives the code's default; this version, older than OFREP 0.3, adds an error.
    assert {key for key, one in found.items() if one.get("errorCode")} == {"no", "dark"}


@on_each(needs("@openfeature/flagd-provider"))
def test_flagds_provider_for_javascript_flips_at_its_second_with_us_gone(
    mortal: Serving, environment: Environment, server_key: str
) -> None:
    create(environment, "LATER", enabled=False)
    at = plan_on(environment, "LATER", 5)
    script = ("flagd_in_process.mjs", "127.0.0.1", str(mortal.sync_port), server_key, "LATER")
    process = start(*script, "7")
    time.sleep(3)
    mortal.kill()
    found = finish(process)
    assert [(one["value"], one["variant"]) for one in found] == [(False, "off"), (True, "on")]
    assert 0 <= found[1]["at"] / 1000 - at.timestamp() < 1
