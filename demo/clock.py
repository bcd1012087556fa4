"""Time as the shop's code sees it: a virtual one that only sleeping moves.

The same handlers answer live requests and write history. Live ones really wait; in history a day
of them takes a minute. Both tell their time by what the code waited for alone: what a busy laptop
adds to it would look like a change at the moment when history ends and live traffic begins.
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


class WorkClock(VirtualClock):
    """A virtual clock whose sleepers really wait; the wall's where no request is under way."""

    def now_ns(self) -> int:
        return getattr(self._now, "ns", 0) or time.time_ns()

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        time.sleep(seconds)
