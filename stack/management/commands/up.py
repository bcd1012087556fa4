"""`manage.py up`: the whole product with one command."""

import os
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from stack.layout import Layout, StackError
from stack.running import Stack, Wanted

ADDRESSES = ("DATABASE_URL", "REDIS_URL", "EVENTS_URL", "SECRET_KEY")


class _Told(BaseException):
    """A signal asked for the end."""


def _tell(_number: int, _frame: FrameType | None) -> None:
    raise _Told


def _say(line: str) -> None:
    print(line, flush=True)


def _given() -> dict[str, str]:
    """What the environment gives, directly or by a file (NAME_FILE)."""
    given = {name: os.environ[name] for name in ADDRESSES if name in os.environ}
    for name in ADDRESSES:
        if name not in given and (path := os.environ.get(f"{name}_FILE")):
            given[name] = Path(path).read_text().strip()
    return given


class Command(BaseCommand):
    help = "Start everything the environment does not give, and keep it running."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="where pages and API answer")
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
        parser.add_argument("--data", type=Path, help="the data folder (default: .flipscope)")
        parser.add_argument(
            "--parts", action="store_true", help="only PostgreSQL, Valkey and the event store"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _tell)
        layout = Layout((options["data"] or settings.DATA_FOLDER).resolve())
        hosts = [host for host in settings.ALLOWED_HOSTS if host not in ("*", "127.0.0.1")]
        wanted = Wanted(
            host=options["host"],
            port=options["port"],
            parts_only=options["parts"],
            given=_given(),
            host_header="" if _answers_to_loopback() else hosts[0].lstrip("."),
        )
        stack: Stack | None = None
        try:
            layout.hold()
            stack = Stack(layout, wanted, _say)
            stack.start()
            _say("ready parts" if wanted.parts_only else f"ready {stack.url}")
            stack.keep()
        except StackError as error:
            print(f"up: {error}", file=sys.stderr, flush=True)
            raise SystemExit(1) from None
        except _Told:
            pass
        finally:
            if stack is not None:
                stack.stop()


def _answers_to_loopback() -> bool:
    return not settings.ALLOWED_HOSTS or bool({"*", "127.0.0.1"} & set(settings.ALLOWED_HOSTS))
