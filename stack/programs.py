"""The processes of the stack as supervisor is to run them."""

import sys
from dataclasses import dataclass

from stack.layout import Layout


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its command, how it is told to stop, as whom it runs."""

    name: str
    command: tuple[str, ...]
    stop_signal: str = "TERM"
    stop_wait_s: int = 10
    priority: int = 10
    user: str = ""


def engine(layout: Layout, port: int) -> Program:
    """The event store's door."""
    return Program(
        "engine",
        (
            *(sys.executable, "-m", "stack.engine"),
            *("--data", str(layout.engine), "--port", str(port)),
        ),
    )


def web(layout: Layout, host: str, port: int) -> Program:
    """Pages, API, intake and OFREP."""
    return Program(
        "web",
        (
            *(sys.executable, "-m", "stack.web"),
            *("--host", host, "--port", str(port), "--data", str(layout.data)),
        ),
        priority=30,
    )


def streams(layout: Layout, host: str, port: int) -> Program:
    """Server-sent events, and flagd's gRPC sync."""
    return Program(
        "streams",
        (
            *(sys.executable, "-m", "stack.streams"),
            *("--host", host, "--port", str(port), "--data", str(layout.data)),
        ),
        priority=30,
    )


def worker() -> Program:
    """Celery's worker: what a beat finds due."""
    return Program(
        "worker",
        (
            *(sys.executable, "-m", "celery", "-A", "config.celery", "worker"),
            *("--concurrency", "2", "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle"),
        ),
        priority=20,
    )


def beat() -> Program:
    """Celery's clock. Its schedule stands in the settings, so it keeps no file that could break."""
    return Program(
        "beat",
        (
            *(sys.executable, "-m", "celery", "-A", "config.celery", "beat"),
            *("--scheduler", "celery.beat:Scheduler", "--loglevel", "INFO"),
        ),
        priority=40,
    )
