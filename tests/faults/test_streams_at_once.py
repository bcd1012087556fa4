"""Many streams on one process hear of every flip; `make streams` asks it of 1,500."""

import pytest

from benchmarks.streams import run
from tests.stack.processes import free_port

pytestmark = pytest.mark.stack


def test_every_stream_hears_of_every_flip_and_none_goes_back() -> None:
    *kinds, cost = run(40, 20, 3, free_port(), 60)
    assert [(kind["kind"], kind["streams"]) for kind in kinds] == [
        ("event streams", 40),
        ("flagd sync", 20),
    ]
    for kind in kinds:
        assert (kind["heard"], kind["missed"]) == (kind["streams"] * 3, 0), kind
        assert kind["went_back"] == 0, kind
    assert cost["streams_process_mb"][1] > cost["streams_process_mb"][0] > 0
