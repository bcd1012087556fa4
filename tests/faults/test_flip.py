"""A planned flip with the worker stopped and web restarting; `make flip` asks it of 200 clients."""

from datetime import datetime, timedelta

import pytest

from benchmarks.flip import run
from tests.stack.processes import free_port

pytestmark = pytest.mark.stack


def test_a_flip_reaches_every_kind_of_client_at_its_second() -> None:
    found, plan = run(9, free_port(), ahead_s=28)
    step = plan["steps"][0]
    planned, recorded = (datetime.fromisoformat(step[name]) for name in ("at", "recorded_at"))
    for seen in found:
        told = seen.told()
        assert (told["missed"], told["went_back"]) == (0, 0), told
        assert told["first_ms"] >= 0, told
        last = planned + timedelta(milliseconds=told["max_ms"])
        assert last < recorded, "it was seen by all before the worker wrote it down"
    assert step["effective_at"] == step["at"]
