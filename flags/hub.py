"""News of flags → whoever streams them, within the second and without a worker.

One task an environment that somebody follows. It wakes by a notice over Valkey, by the clock at
each second at which a plan changes what is served, every few seconds while a ramp moves, and every
few seconds to look into the database, so that neither Valkey nor the worker is needed for a flip.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import redis.asyncio
from django.conf import settings

from flags import documents
from flags.asking import ask
from flags.evaluate import Document
from flags.notices import CHANNEL
from web.errors import StoreAway

log = logging.getLogger("flipscope.flags")

LOOK_S = 2.0
AFTER_S = 0.005  # past the second, so that every clock that rounds down has reached it
RETRY_S = 1.0
MOST_OFTEN_S, LEAST_OFTEN_S = 2, 30


@dataclass(frozen=True, slots=True)
class News:
    """What is served now: `number` counts within this process, `id` is the same in all of them."""

    number: int
    document: Document
    second: int

    @property
    def id(self) -> str:
        return f"g{self.document.generation}-{self.second}"


@dataclass(slots=True)
class _Room:
    """One environment: its latest news, who waits for more, and the task that looks."""

    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    news: News | None = None
    followers: int = 0
    task: asyncio.Task[None] | None = None


def last_second(document: Document, now: float) -> int:
    """The last second at which what is served changed by itself; within a ramp, its last tick."""
    passed = [second for second in document.seconds if second <= now]
    for start, stop in document.spans:
        if start <= now < stop:
            step = _step(start, stop)
            passed.append(start + int((now - start) // step) * step)
    return max(passed, default=0)


def next_second(document: Document, now: float) -> int | None:
    """The next such second, if any is to come."""
    ahead = [second for second in document.seconds if second > now]
    for start, stop in document.spans:
        if start <= now < stop:
            step = _step(start, stop)
            ahead.append(start + (int((now - start) // step) + 1) * step)
    return min(ahead, default=None)


def _step(start: int, stop: int) -> int:
    return min(max((stop - start) // 100, MOST_OFTEN_S), LEAST_OFTEN_S)


class Hub:
    """What one process streams."""

    def __init__(self) -> None:
        self._rooms: dict[int, _Room] = {}
        self._listener: asyncio.Task[None] | None = None

    async def follow(self, environment_id: int, *, after: str = "") -> AsyncGenerator[News]:
        """The latest news first (unless its id is `after`), then each as it comes."""
        room = self._rooms.setdefault(environment_id, _Room())
        room.followers += 1
        if room.task is None or room.task.done():
            room.task = asyncio.create_task(self._look(environment_id, room))
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        told = -1
        try:
            while True:
                async with room.changed:
                    while (news := room.news) is None or news.number <= told:
                        await room.changed.wait()
                told = news.number
                if news.id != after:
                    yield news
                after = ""
        finally:
            room.followers -= 1
            if not room.followers:
                self._leave(environment_id, room)

    async def close(self) -> None:
        """Ends what looks and listens; to be called when nobody follows any more."""
        tasks = [room.task for room in self._rooms.values() if room.task]
        tasks += [self._listener] if self._listener else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _leave(self, environment_id: int, room: _Room) -> None:
        if room.task is not None:
            room.task.cancel()
        if self._rooms.get(environment_id) is room:
            del self._rooms[environment_id]

    async def _look(self, environment_id: int, room: _Room) -> None:
        while True:
            room.woken.clear()
            try:
                document = await ask(lambda: _fresh(environment_id))
            except StoreAway:
                await asyncio.sleep(RETRY_S)
                continue
            except Exception:
                log.exception("stream.failed", extra={"environment_id": environment_id})
                await asyncio.sleep(RETRY_S)
                continue
            second = last_second(document, time.time())
            known = room.news
            if known is None or (known.document, known.second) != (document, second):
                number = 0 if known is None else known.number + 1
                async with room.changed:
                    room.news = News(number, document, second)
                    room.changed.notify_all()
            upcoming = next_second(document, time.time())
            wait_s = LOOK_S
            if upcoming is not None:
                wait_s = min(wait_s, max(upcoming - time.time() + AFTER_S, 0))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(room.woken.wait(), wait_s)

    async def _listen(self) -> None:
        """Notices over Valkey wake the room they are for."""
        while True:
            try:
                client = redis.asyncio.Redis.from_url(
                    settings.REDIS_URL.replace("valkey://", "redis://", 1)
                )
                async with client, client.pubsub() as subscribed:
                    await subscribed.psubscribe(f"{CHANNEL}*")
                    async for message in subscribed.listen():
                        self._notice(message)
            except (redis.RedisError, OSError):
                await asyncio.sleep(RETRY_S)

    def _notice(self, message: dict[str, object]) -> None:
        name = message.get("channel")
        if message.get("type") != "pmessage" or not isinstance(name, bytes):
            return
        number = name.decode("ascii", "replace").removeprefix(CHANNEL)
        if number.isdigit() and (room := self._rooms.get(int(number))):
            room.woken.set()


def _fresh(environment_id: int) -> Document:
    documents.forget_check(environment_id)
    return documents.document_for(environment_id)
