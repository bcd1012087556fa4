"""Server-sent events: "something changed, ask again" (OFREP 0.3, event-streams.yaml).

An ASGI application of one address. It says nothing of what changed, so a ticket is all it asks.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import orjson
from django.db import DatabaseError, InterfaceError

from flags.asking import ask
from flags.hub import Hub, News
from flags.tickets import opened

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = "/flags/stream"
BREATH_S = 15.0
AGAIN_S = (5.0, 15.0)  # after an event: browsers ask once, and never again if that fails
RETRY_MS = 1000
CORS = [(b"access-control-allow-origin", b"*")]
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies that gather answers would hold events back
    *CORS,
]


def event(news: News) -> bytes:
    """One event on the wire. Its etag comes back to us as `flagConfigEtag`."""
    data = {
        "type": "refetchEvaluation",
        "etag": f'"g{news.document.generation}"',
        "lastModified": int(time.time()),
    }
    return f"id: {news.id}\nevent: message\ndata: {orjson.dumps(data).decode()}\n\n".encode()


class Stream:
    """The application; `hub` is shared with whatever else streams in this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            await _said(send, 200, b"ok")
            return
        if scope["path"] != PATH:
            await _said(send, 404, b"Only event streams are here.")
            return
        if scope["method"] != "GET":
            await _said(send, 405, b"Only GET works here.")
            return
        query = parse_qs(scope["query_string"].decode("ascii", "replace"))
        try:
            environment_id = await ask(lambda: opened(query.get("ticket", [""])[-1]))
        except (DatabaseError, InterfaceError):
            await _said(send, 503, b"The database does not answer right now.")
            return
        if environment_id is None:
            await _said(send, 401, b"This ticket opens nothing. Ask for a new one over OFREP.")
            return
        headers = dict(scope["headers"])
        after = headers.get(b"last-event-id", b"").decode("ascii", "replace")
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await _pour(self._hub.follow(environment_id, after=after), receive, send)


async def _pour(news: AsyncGenerator[News], receive: Receive, send: Send) -> None:
    """Events until the client leaves, each sent again a little later. Whoever comes for the first
    time is told at once to ask again, as something may have changed since it asked."""
    gone = asyncio.ensure_future(_gone(receive))
    now = asyncio.get_running_loop().time
    latest = b""
    again: list[float] = []  # when to send it once more
    await _body(send, f"retry: {RETRY_MS}\n\n".encode())
    coming: asyncio.Future[News] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(news))
            waiting: set[asyncio.Future[Any]] = {gone, coming}
            wait_s = min(BREATH_S, max(again[0] - now(), 0)) if again else BREATH_S
            await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                break
            if coming.done():
                latest, coming = event(coming.result()), None
                again = [now() + later for later in AGAIN_S]
                await _body(send, latest)
            elif again and again[0] <= now():
                again.pop(0)
                await _body(send, latest)
            else:
                await _body(send, b": still here\n\n")
    finally:
        gone.cancel()
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await news.aclose()


async def _next(news: AsyncGenerator[News]) -> News:
    return await anext(news)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _said(send: Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *CORS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
