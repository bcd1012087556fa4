"""Two people, and two processes, at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from flags import documents, editing
from flags.documents import document_for
from flags.evaluate import context_of, evaluate
from flags.models import Flag, FlagVersion
from projects.models import Environment
from releases.models import Change
from tests.flags.conftest import ACTOR, MakeFlag

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Runs each act in a thread of its own with a connection of its own; errors are results."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return act()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_two_changes_at_once_keep_both(environment: Environment, make_flag: MakeFlag) -> None:
    make_flag()
    patches: list[dict[str, Any]] = [
        {"default_variant": "on"},
        {"rules": [{"split": {"on": 20, "off": 80}}]},
    ]
    at_once(
        *(
            lambda patch=patch: editing.change(environment, "USE_CACHING", patch, actor=ACTOR)
            for patch in patches
        )
    )
    flag = Flag.objects.get()
    assert (flag.version, flag.default_variant) == (3, "on")
    assert flag.rules == patches[1]["rules"]
    assert [one.version for one in FlagVersion.objects.order_by("version")] == [1, 2, 3]
    assert Change.objects.count() == 2


def test_of_two_who_saw_the_same_version_one_is_told(
    environment: Environment, make_flag: MakeFlag
) -> None:
    make_flag()
    results = at_once(
        *(
            lambda percent=percent: editing.change(
                environment,
                "USE_CACHING",
                {"rules": [{"split": {"on": percent, "off": 100 - percent}}]},
                actor=ACTOR,
                version=1,
            )
            for percent in (10, 20, 30)
        )
    )
    refused = [one for one in results if isinstance(one, editing.FlagMovedOn)]
    assert len(refused) == 2
    assert Flag.objects.get().version == 2
    assert Change.objects.count() == 1


def test_of_two_who_create_one_key_one_is_told(environment: Environment) -> None:
    given = {"key": "A", "type": "boolean"}
    results = at_once(*[lambda: editing.create(environment, given, actor=ACTOR)] * 3)
    assert sum(isinstance(one, editing.FlagExists) for one in results) == 2
    assert FlagVersion.objects.count() == 1


def test_an_edit_is_served_at_once_where_it_was_made(
    environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag()
    monkeypatch.setattr(documents, "FRESH_S", 1000.0)
    assert evaluate(document_for(environment.id), "USE_CACHING", context_of({})).value is False
    editing.change(environment, "USE_CACHING", {"default_variant": "on"}, actor=ACTOR)
    assert evaluate(document_for(environment.id), "USE_CACHING", context_of({})).value is True
