"""Short, seeded versions of the fuzzers: the long ones are `make fuzz-guided` and `fuzz-schema`."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from projects.models import Environment
from tests.events.mutations import Request, mutated
from tests.fuzz import schema
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_readers_raise_nothing_but_their_refusals(name: str) -> None:
    chance, target = random.Random(20261125), TARGETS[name]
    read = sum(target(body) for body in target.seeds)
    for _ in range(150):
        seed = Request("", chance.choice(target.seeds), "")
        target(mutated(seed, chance, packed=False).body)
    # A deploy's hook that tells of nothing new says so by refusing.
    assert read or name.startswith("hook-") or name == "encodings"


@contextmanager
def one_connection() -> Iterator[None]:
    """As Django's own test client does it: a request must not end the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_requests_made_from_the_documents_never_answer_500(
    environment: Environment, event_store: None
) -> None:
    statuses: Counter[int] = Counter()
    bad: list[str] = []
    documents = schema.documents(environment)
    with one_connection():
        for document, headers in documents:
            for operation in schema.operations(document):
                found = schema.ask(operation, headers, 4, 20261125)
                bad += found.bad
                statuses += found.statuses
    cache.clear()
    assert not bad
    assert statuses[200] >= 10
    assert statuses[422] >= 10
