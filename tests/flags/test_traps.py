"""Traps of flag servers that the other files have no place for (facts/flags.md section 9)."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
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


@pytest.mark.django_db(transaction=True)
def test_whoever_was_told_of_a_change_waits_for_it_and_not_for_ever(
    environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flagConfigEtag names what an event told of; this process knows an older document."""
    make_flag()
    monkeypatch.setattr(documents, "FRESH_S", 1000.0)
    monkeypatch.setattr(documents, "BARRIER_S", 0.6)
    old = document_for(environment.id)

    def later() -> None:
        time.sleep(0.2)
        from django.db import connection

        Flag.objects.update(revision=old.generation + 1)
        connection.close()

    writer = threading.Thread(target=later)
    writer.start()
    begun = time.monotonic()
    found = document_since(environment.id, old.generation + 1)
    writer.join()
    assert found.generation == old.generation + 1
    assert 0.15 < time.monotonic() - begun < 0.6
    begun = time.monotonic()
    assert document_since(environment.id, 10**9) is found, "an answer, if an older one"
    assert 0.5 < time.monotonic() - begun < 2


@pytest.mark.parametrize("sent", ["", "g", "gx", "g-1", "9" * 30, "%00", "g1,g2", "W/g1"])
def test_a_strange_flag_config_etag_holds_nobody_up(
    server: Asker, make_flag: MakeFlag, sent: str
) -> None:
    make_flag()
    begun = time.monotonic()
    path = f"{ALL}?flagConfigEtag={sent}&flagConfigLastModified=soon"
    assert server("POST", path, {"context": {}}).status_code == 200
    assert time.monotonic() - begun < 1


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
