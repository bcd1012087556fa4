"""OpenFeature's own OFREP provider, unmodified, against a live server."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from pytest_django.live_server_helper import LiveServer

from flags import editing
from projects.models import Environment

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = "editor@acme.example"
USER = EvaluationContext("u1", {"country": "NZ"})


@pytest.fixture
def client(live_server: LiveServer, server_key: str) -> Iterator[OpenFeatureClient]:
    provider = OFREPProvider(
        live_server.url, headers_factory=lambda: {"Authorization": f"Bearer {server_key}"}
    )
    api.set_provider_and_wait(provider, "test")
    yield api.get_client("test")
    provider.session.close()
    api.clear_providers()


def create(environment: Environment, key: str, kind: str = "boolean", **given: Any) -> None:
    wanted = {"key": key, "type": kind, "enabled": True} | given
    editing.create(environment, wanted, actor=ACTOR)


def test_a_flip_is_seen_by_the_provider(
    client: OpenFeatureClient, environment: Environment
) -> None:
    create(environment, "USE_CACHING")
    assert client.get_boolean_value("USE_CACHING", True, USER) is False
    editing.change(environment, "USE_CACHING", {"default_variant": "on"}, actor=ACTOR)
    flipped = time.monotonic()
    while not client.get_boolean_value("USE_CACHING", False, USER):
        assert time.monotonic() - flipped < 1, "the old value is served for more than a second"
        time.sleep(0.02)
    found = client.get_boolean_details("USE_CACHING", False, USER)
    assert (found.variant, str(found.reason)) == ("on", "STATIC")
    assert found.flag_metadata == {"flagSetId": "acme/production", "version": "2"}


def test_values_of_every_type_arrive_as_such(
    client: OpenFeatureClient, environment: Environment
) -> None:
    create(environment, "text", "string", variants={"a": "A"})
    create(environment, "whole", "number", variants={"a": 3})
    create(environment, "float", "number", variants={"a": 1, "b": 0.5})
    create(environment, "object", "object", variants={"a": {"b": [1, None]}})
    assert client.get_string_details("text", "", USER).value == "A"
    assert client.get_integer_details("whole", 0, USER).value == 3
    assert client.get_object_details("object", {}, USER).value == {"b": [1, None]}
    found = client.get_float_details("float", 0.0, USER)
    assert (found.value, found.error_code) == (1.0, None)


def test_a_key_with_a_slash_and_a_request_without_a_context(
    client: OpenFeatureClient, environment: Environment
) -> None:
    create(environment, "web/new", default_variant="on")
    assert client.get_boolean_details("web/new", False).error_code is None
    assert client.get_boolean_value("web/new", False) is True


def test_rules_and_splits_reach_the_right_users(
    client: OpenFeatureClient, environment: Environment
) -> None:
    rules = [
        {"if": [{"attribute": "country", "op": "in", "value": ["NZ"]}], "variant": "on"},
        {"split": {"on": 50, "off": 50}},
    ]
    create(environment, "F", rules=rules)
    assert client.get_boolean_value("F", False, USER) is True
    users = [EvaluationContext(f"u{i}", {"country": "DE"}) for i in range(60)]
    first = [client.get_boolean_value("F", False, user) for user in users]
    assert first == [client.get_boolean_value("F", False, user) for user in users]
    assert 15 < sum(first) < 45


def test_what_cannot_be_served_falls_back_to_the_code_with_a_reason(
    client: OpenFeatureClient, environment: Environment
) -> None:
    create(environment, "off", enabled=False, off_variant="")
    found = client.get_boolean_details("off", True, USER)
    assert (found.value, found.error_code, str(found.reason)) == (True, None, "DISABLED")
    missing = client.get_boolean_details("missing", True, USER)
    assert (missing.value, missing.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    bad = EvaluationContext("u1", {"targetingKey": ["x"]})
    assert client.get_boolean_details("off", True, bad).error_code == ErrorCode.INVALID_CONTEXT
