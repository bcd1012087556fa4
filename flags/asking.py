"""Django's database from an event loop: in a few threads, each call with a connection of its own.

A stream lives for days and asks seldom, so it holds no connection meanwhile.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

Answer = TypeVar("Answer")
_threads = ThreadPoolExecutor(4, thread_name_prefix="database")


async def ask(question: Callable[[], Answer]) -> Answer:
    """What the function returns or raises, without holding up the loop."""

    def asked() -> Answer:
        try:
            return question()
        finally:
            connections.close_all()

    return await asyncio.get_running_loop().run_in_executor(_threads, asked)
