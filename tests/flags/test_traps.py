"""Traps of flag servers that the other files have no place for (facts/flags.md section 9)."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from flags import documents, editing, plans, stream
from flags.documents import document_for, document_since
from flags.evaluate import context_of, evaluate
from flags.models import Flag
from projects.models import Environment
from tests.flags.conftest import ACTOR, Asker, MakeFlag
from tests.flags.test_schedule import flip
from tests.flags.test_streams import listening, ticket_of, within

ALL = "/ofrep/v1/evaluate/flags"
ON = {"default_variant": "on"}


@pytest.mark.django_db(transaction=True)
def test_a_stream_that_has_nothing_to_say_still_breathes(
    browser: Asker, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies end connections on which nothing comes for a minute or less."""
    assert stream.BREATH_S <= 15
    make_flag()
    ticket = ticket_of(browser)
    monkeypatch.setattr(stream, "BREATH_S", 0.05)

    async def follow() -> None:
        async with listening(ticket) as listener:
            pieces = [await asyncio.wait_for(listener.pieces.get(), 8) for _ in range(4)]
            assert ": still here\n\n" in pieces

    within(follow())


class Clock:
    """A clock on which only waiting takes time; `then` happens at the end of the third wait."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.now, self.waits, self.then = 1000.0, 0, then

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits += 1
        if self.waits == 3:
            self.then()


def test_whoever_was_told_of_a_change_waits_for_it(
    environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flagConfigEtag names what an event told of; this process knows an older document."""
    make_flag()
    clock = Clock(lambda: Flag.objects.update(revision=F("revision") + 1))
    monkeypatch.setattr(documents, "time", clock)
    old = document_for(environment.id)
    assert document_since(environment.id, old.generation) is old
    assert clock.waits == 0
    assert document_since(environment.id, old.generation + 1).generation == old.generation + 1
    assert clock.waits == 3


def test_nobody_waits_for_ever_for_a_change(
    environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag()
    clock = Clock()
    monkeypatch.setattr(documents, "time", clock)
    old, begun = document_for(environment.id), clock.now
    assert document_since(environment.id, 10**9) is old, "an answer, if an older one"
    assert clock.now - begun == pytest.approx(documents.BARRIER_S, abs=documents.BARRIER_STEP_S)


@pytest.mark.parametrize("sent", ["", "g", "gx", "g-1", "9" * 30, "%00", "g1,g2", "W/g1"])
def test_a_strange_flag_config_etag_holds_nobody_up(
    server: Asker, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    make_flag()
    clock = Clock()
    monkeypatch.setattr(documents, "time", clock)
    path = f"{ALL}?flagConfigEtag={sent}&flagConfigLastModified=soon"
    assert server("POST", path, {"context": {}}).status_code == 200
    assert clock.waits == 0


@pytest.mark.parametrize("act", ["cancel", "edit"])
def test_an_act_just_before_the_second_is_in_time(
    environment: Environment,
    make_flag: MakeFlag,
    monkeypatch: pytest.MonkeyPatch,
    act: str,
) -> None:
    make_flag(enabled=False)
    plan = flip(environment, "USE_CACHING", timezone.now() + timedelta(hours=1))
    before = plan.at - timedelta(milliseconds=50)
    monkeypatch.setattr("flags.editing.timezone.now", lambda: before)
    if act == "cancel":
        plans.cancel(environment, plan.pk, actor=ACTOR, now=before)
    else:
        rules: Any = [{"split": {"on": 0, "off": 100}}]
        editing.change(environment, "USE_CACHING", {"rules": rules}, actor=ACTOR)
    monkeypatch.setattr("time.time", lambda: plan.at.timestamp() + 1)
    found = evaluate(document_for(environment.id), "USE_CACHING", context_of({"targetingKey": "u"}))
    assert found.variant == "off", "cancelled, or its new rule serves off"
