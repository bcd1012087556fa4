"""Event streams and flagd's sync service, asked over their own protocols."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import orjson
import pytest
from django.test import RequestFactory
from django.utils import timezone
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from flags import editing, flagd_sync, hub, plans, stream
from flags.asking import ask
from flags.hub import Hub, last_second, next_second
from flags.models import Flag
from flags.plans import Asked
from flags.stream import Stream
from flags.tickets import opened, page_stream
from projects.access import Access
from projects.models import Environment, Key, Membership, Role
from tests.conftest import Cast
from tests.flags.conftest import ACTOR, Asker, MakeFlag

pytestmark = pytest.mark.django_db(transaction=True)
ALL = "/ofrep/v1/evaluate/flags"
PATIENCE_S = 8
ON = {"default_variant": "on"}


def within(act: Coroutine[Any, Any, None]) -> None:
    """Runs it, and fails rather than wait for ever."""
    asyncio.run(asyncio.wait_for(act, PATIENCE_S * 2))


def turn_on(environment: Environment) -> None:
    editing.change(environment, "USE_CACHING", ON, actor=ACTOR)


def ticket_of(browser: Asker) -> str:
    [offered] = browser("POST", ALL, {"context": {}}).json()["eventStreams"]
    assert offered["type"] == "sse"
    return str(offered["url"].partition("?ticket=")[2])


class Listener:
    """A client of the event stream, speaking ASGI."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: asyncio.Queue[str] = asyncio.Queue()
        self.leaves = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            await self.pieces.put(message["body"].decode())

    async def event(self) -> tuple[str, dict[str, Any]]:
        """The next event: (its id, its data)."""
        while True:
            piece = await asyncio.wait_for(self.pieces.get(), PATIENCE_S)
            if "data: " in piece:
                lines = dict(line.split(": ", 1) for line in piece.strip().splitlines())
                return lines["id"], orjson.loads(lines["data"])


@asynccontextmanager
async def listening(ticket: str, *, last: str = "", path: str = "/flags/stream") -> Any:
    listener = Listener()
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": f"ticket={ticket}".encode(),
        "headers": [(b"last-event-id", last.encode())] if last else [],
    }
    shared = Hub()
    call = asyncio.create_task(Stream(shared)(scope, listener.receive, listener.send))
    try:
        yield listener
    finally:
        listener.leaves.set()
        await asyncio.wait_for(call, PATIENCE_S)
        await shared.close()


def test_a_browser_is_told_of_an_edit(
    browser: Asker, environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the notice over Valkey: the look into the database would come far later."""
    make_flag()
    ticket = ticket_of(browser)
    monkeypatch.setattr(hub, "LOOK_S", 60.0)

    async def follow() -> None:
        async with listening(ticket) as listener:
            first, data = await listener.event()
            assert listener.status == 200
            assert listener.headers["content-type"].startswith("text/event-stream")
            assert listener.headers["cache-control"] == "no-store"
            assert listener.headers["x-accel-buffering"] == "no"
            assert data["type"] == "refetchEvaluation"
            await asyncio.sleep(0.5)  # its listener has subscribed by then
            await ask(lambda: turn_on(environment))
            then, data = await listener.event()
            assert then != first
            told = data["etag"]
            address = f"{ALL}?flagConfigEtag={told}"
            found = await ask(lambda: browser("POST", address, {"context": {}}))
            assert found.json()["flags"][0]["value"] is True

    within(follow())


def test_a_members_page_listens_too_and_nobody_else(
    cast: Cast, make_flag: MakeFlag, rf: RequestFactory
) -> None:
    make_flag()
    access = Access(cast.viewer, cast.project, Role.VIEWER, cast.production)
    address = page_stream(rf.get("/"), access)
    ticket = address.partition("?ticket=")[2]
    assert opened(ticket) == cast.production.pk
    assert opened(f"{ticket}x") is None

    async def follow() -> None:
        async with listening(ticket) as listener:
            _, data = await listener.event()
            assert data["type"] == "refetchEvaluation"

    within(follow())
    Membership.objects.filter(user=cast.viewer).delete()
    assert opened(ticket) is None


def test_a_planned_second_is_told_at_its_second_without_worker_or_valkey(
    browser: Asker, environment: Environment, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag(enabled=False)
    monkeypatch.setattr(Hub, "_notice", lambda self, message: None)
    at = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
    asked = Asked("USE_CACHING", {"at": at.isoformat(), "patch": {"enabled": True} | ON})
    plans.create(environment, [asked], actor=ACTOR, now=timezone.now())
    ticket = ticket_of(browser)

    async def follow() -> None:
        async with listening(ticket) as listener:
            await listener.event()
            await listener.event()
            assert 0 <= (datetime.now(UTC) - at).total_seconds() < 1
        assert not (await ask(Flag.objects.get)).enabled

    within(follow())


def test_an_event_comes_again_as_a_browsers_one_question_may_have_failed(
    browser: Asker, make_flag: MakeFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_flag()
    ticket = ticket_of(browser)
    monkeypatch.setattr(stream, "AGAIN_S", (0.0, 0.1))
    monkeypatch.setattr(stream, "BREATH_S", 0.5)

    async def follow() -> None:
        async with listening(ticket) as listener:
            said = [await listener.event() for _ in range(3)]
            assert said[0] == said[1] == said[2]
            assert "still here" in await asyncio.wait_for(listener.pieces.get(), PATIENCE_S)

    within(follow())


def test_who_comes_back_is_told_only_what_was_missed(
    browser: Asker, environment: Environment, make_flag: MakeFlag
) -> None:
    make_flag()
    ticket = ticket_of(browser)

    async def follow() -> None:
        async with listening(ticket) as listener:
            first, _ = await listener.event()
        async with listening(ticket, last=first) as listener:
            await asyncio.sleep(0.5)
            assert listener.pieces.qsize() == 1, "only its retry time"
        await ask(lambda: turn_on(environment))
        for last in (first, "g0-0", "long gone"):
            async with listening(ticket, last=last) as listener:
                assert (await listener.event())[1]["type"] == "refetchEvaluation"

    within(follow())


def test_a_ticket_opens_nothing_once_its_key_is_revoked(
    browser: Asker, make_flag: MakeFlag
) -> None:
    make_flag()
    ticket = ticket_of(browser)
    assert ticket == ticket_of(browser), "a new one each time would change every bulk answer"
    Key.objects.update(revoked_at=timezone.now())

    async def refused(sent: str, path: str, status: int) -> None:
        async with listening(sent, path=path) as listener:
            await asyncio.wait_for(listener.pieces.get(), PATIENCE_S)
            assert listener.status == status

    for sent in (ticket, "", "forged", f"{ticket}x"):
        within(refused(sent, "/flags/stream", 401))
    within(refused(ticket, "/", 404))


def test_the_seconds_at_which_a_document_changes_by_itself() -> None:
    from flags.definition import read
    from flags.evaluate import document_of

    ramp = {"variant": "on", "instead": "off"}
    ramp |= {"from": {"time": 1000, "percent": 0}, "until": {"time": 1600, "percent": 100}}  # type: ignore[dict-item]
    flag = {"type": "boolean", "enabled": True, "rules": [{"ramp": ramp}]}
    document = document_of([read("a", flag)], "s")
    assert (last_second(document, 999), next_second(document, 999)) == (0, 1000)
    assert (last_second(document, 1007), next_second(document, 1007)) == (1006, 1012)
    assert (last_second(document, 1600), next_second(document, 1600)) == (1600, None)


@asynccontextmanager
async def syncing() -> AsyncIterator[Any]:
    server = grpc.aio.server()
    shared = Hub()
    sync_pb2_grpc.add_FlagSyncServiceServicer_to_server(flagd_sync.FlagSync(shared), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield sync_pb2_grpc.FlagSyncServiceStub(channel)
    await server.stop(0)
    await shared.close()


def test_sync_sends_the_document_at_once_and_again_when_it_changes(
    server_key: str, environment: Environment, make_flag: MakeFlag
) -> None:
    make_flag()

    async def follow() -> None:
        async with syncing() as stub:
            stream = stub.SyncFlags(sync_pb2.SyncFlagsRequest(selector=server_key))
            first = orjson.loads((await stream.read()).flag_configuration)
            assert first["flags"]["USE_CACHING"]["defaultVariant"] == "off"
            await ask(lambda: turn_on(environment))
            then = orjson.loads((await stream.read()).flag_configuration)
            assert then["flags"]["USE_CACHING"]["defaultVariant"] == "on"
            stream.cancel()

    within(follow())


def test_sync_takes_a_server_key_wherever_a_provider_can_put_it(
    server_key: str, client_key: str, make_flag: MakeFlag
) -> None:
    make_flag()

    async def ask() -> None:
        async with syncing() as stub:
            everything = sync_pb2.FetchAllFlagsRequest()
            for name, value in (
                ("authorization", f"Bearer {server_key}"),
                ("authorization", server_key),
                ("x-api-key", server_key),
                ("flagd-selector", server_key),
            ):
                answer = await stub.FetchAllFlags(everything, metadata=[(name, value)])
                assert "USE_CACHING" in answer.flag_configuration
            for key, code in (
                (client_key, grpc.StatusCode.PERMISSION_DENIED),
                ("wrong", grpc.StatusCode.UNAUTHENTICATED),
                ("", grpc.StatusCode.UNAUTHENTICATED),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest(selector=key))
                assert refused.value.code() == code
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GetMetadata(sync_pb2.GetMetadataRequest())
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED

    within(ask())
