"""When the store is slow, away or full: answered within a second, taken again when it is back."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client

from events import admission
from events.models import Refusal
from events.query.answer import answer
from events.store import insert, space
from projects.models import Environment

pytestmark = pytest.mark.usefixtures("event_store")


def post(key: str, service: str = "shop", body: Any = None) -> Any:
    return Client().post(
        "/api/v1/events",
        orjson.dumps(body or [{"service": service}]),
        content_type="application/json",
        headers={"X-API-Key": key},
    )


@pytest.fixture
def hanging() -> Iterator[str]:
    """A store that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://x:y@127.0.0.1:{listener.getsockname()[1]}/default"


def test_a_store_that_hangs_is_503_within_a_second_and_then_at_once(
    ingest_key: str,
    environment: Environment,
    settings: Any,
    hanging: str,
    patience: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(insert, "WAIT_S", patience)
    post(ingest_key)
    good, settings.EVENTS_URL = settings.EVENTS_URL, hanging
    took = []
    for _ in range(4):
        began = time.monotonic()
        response = post(ingest_key, "late")
        took.append(time.monotonic() - began)
        assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert max(took) < 1.5
    assert sum(took) < 2.5  # while it is known to be away nobody waits
    settings.EVENTS_URL = good
    assert post(ingest_key, "late").status_code == 200


def test_intake_resumes_by_itself(ingest_key: str, environment: Environment, settings: Any) -> None:
    good = settings.EVENTS_URL
    settings.EVENTS_URL = "http://x:y@127.0.0.1:9/default"
    assert [post(ingest_key).status_code for _ in range(5)] == [503] * 5
    settings.EVENTS_URL = good
    assert post(ingest_key).status_code == 200


def test_a_disk_nearly_full_is_refused_with_the_reason_and_pages_go_on(
    ingest_key: str, environment: Environment, settings: Any, viewer_page: Client
) -> None:
    space._known.clear()
    space.free_bytes()
    for _ in range(100):
        if space.free_bytes() is not None:
            break
        time.sleep(0.05)
    free = space.free_bytes()
    assert free is not None
    assert free > 1024**2
    settings.EVENTS_MIN_FREE_BYTES = 10**18
    response = post(ingest_key)
    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert "EVENTS_MIN_FREE_BYTES" in orjson.loads(response.content)["error"]["message"]
    page = viewer_page.get("/acme/production/data")
    assert page.status_code == 200
    assert "nearly full" in page.content.decode()
    assert Refusal.objects.get().reason == "store_full"
    settings.EVENTS_MIN_FREE_BYTES = 0
    assert post(ingest_key).status_code == 200


def test_room_is_bounded_and_given_back(settings: Any) -> None:
    settings.INGEST_MAX_DECODING = 1
    settings.INGEST_MAX_BYTES_AT_ONCE = 1000
    with admission.admitted(5000, packed=False):  # larger than all the room: alone
        began = time.monotonic()
        with pytest.raises(admission.Busy), admission.admitted(1, packed=False):
            pass
        assert 0.4 < time.monotonic() - began < 1
    with (
        admission.admitted(45, packed=True),  # taken for twenty times as much
        admission.admitted(90, packed=False),
        pytest.raises(admission.Busy),
        admission.admitted(20, packed=False),
    ):
        pass
    with admission.decoding(), pytest.raises(admission.Busy), admission.decoding():
        pass
    with admission.admitted(1000, packed=False), admission.decoding():
        pass


@pytest.mark.django_db(transaction=True)
def test_many_single_events_at_once_count_once_each(
    ingest_key: str, environment: Environment
) -> None:
    bodies = [[{"service": "many", "n": number}] for number in range(40)] * 2
    codes: list[int] = []

    def one(body: Any) -> None:
        for _ in range(10):
            response = post(ingest_key, body=body)
            codes.append(response.status_code)
            if response.status_code == 200:
                break
            time.sleep(0.2)
        connection.close()

    threads = [threading.Thread(target=one, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes.count(200) == 80
    assert set(codes) <= {200, 503}
    found = answer(environment.id, {"time_range": 3600})
    assert found["results"][0]["data"]["COUNT"] == 40
