"""Time as the shop's code sees it: the wall's, or a virtual one that only sleeping moves.

The same handlers run on both. Live requests really wait; history is written by requests that
wait on the virtual clock, so that a day of them takes a minute.
"""

import threading
import time
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Clock(Protocol):
    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""


class WallClock:
    def now_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class VirtualClock:
    """Stands still until someone sleeps; `now` is kept per thread, a request at a time."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now = threading.local()
        self._start_ns = start_ns

    def set(self, now_ns: int) -> None:
        self._now.ns = now_ns

    def now_ns(self) -> int:
        return getattr(self._now, "ns", self._start_ns)

    def sleep(self, seconds: float) -> None:
        self._now.ns = self.now_ns() + int(seconds * NANOSECONDS)
