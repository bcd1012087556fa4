"""The whole stack, from an empty folder to `ready`, and back to nothing."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stack import postgres, programs, ready, survivors, valkey
from stack.layout import ROOT, Layout, StackError, port_is_free, write_private
from stack.programs import Program
from stack.supervisor import Supervisor

PART_S = 120
WEB_S = 300  # a crash is seen at once; a busy machine only needs longer
STREAMS_AFTER, SYNC_AFTER = 10, 15  # ports, counted from the web's
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line and what the environment gives."""

    host: str
    port: int
    parts_only: bool
    given: dict[str, str]
    host_header: str


@dataclass(frozen=True, slots=True)
class Part:
    """A process that others need: its program and whether it answers."""

    program: Program
    answers: Callable[[], bool]


def _nothing() -> None:
    """Where the database is not ours there is nothing to prepare."""


class Stack:
    """One data folder's processes."""

    def __init__(self, layout: Layout, wanted: Wanted, say: Callable[[str], None]) -> None:
        self._layout = layout
        self._wanted = wanted
        self._say = say
        self._supervisor: Supervisor | None = None
        self._noted: dict[str, int] = {}
        self._prepare: Callable[[], None] = _nothing

    def start(self) -> None:
        """Everything up, in order; StackError says why a part does not come."""
        shown = "127.0.0.1" if self._wanted.host in ("0.0.0.0", "::") else self._wanted.host  # noqa: S104
        self.url = f"http://{shown}:{self._wanted.port}"
        if ended := survivors.end(self._layout):
            self._say(f"ended what an earlier run left: {', '.join(ended)}")
        if not self._wanted.parts_only:
            self._check_ports()
        kept = self._layout.kept()
        self._sockets = Path(kept["sockets"])
        self._parts, addresses = self._what_is_missing(kept)
        self._variables = self._environment(kept)
        self._others = [] if self._wanted.parts_only else self._own_programs()
        self._supervise()
        for part in self._parts:
            self._await(part)
        self._prepare()
        self._write_addresses(addresses | self._own_addresses(kept["SECRET_KEY"]))
        if self._wanted.parts_only:
            return
        for command in ("migrate", "migrate_events"):
            self._manage(command)
        self._start_others()
        self._await_web()

    def _check_ports(self) -> None:
        for after, what in ((0, "pages"), (STREAMS_AFTER, "streams"), (SYNC_AFTER, "flagd sync")):
            port = self._wanted.port + after
            if not port_is_free(self._wanted.host, port):
                raise StackError(
                    f"port {port} on {self._wanted.host} is in use, wanted for {what}; "
                    "choose another with --port N"
                )

    def _own_addresses(self, secret_key: str) -> dict[str, str]:
        return {
            "SECRET_KEY": secret_key,
            "WEB_URL": self.url,
            "STREAMS_PORT": str(self._wanted.port + STREAMS_AFTER),
            "SYNC_HOST": self._wanted.host,
            "SYNC_PORT": str(self._wanted.port + SYNC_AFTER),
        }

    def _what_is_missing(self, kept: dict[str, str]) -> tuple[list[Part], dict[str, str]]:
        parts, given = [], self._wanted.given
        addresses = dict(given)
        if "DATABASE_URL" not in given:
            program, folder = postgres.prepare(self._layout, self._sockets, kept["postgres"])
            password = kept["postgres"]
            parts.append(Part(program, lambda: ready.postgres(password, folder, postgres.NAME)))
            addresses["DATABASE_URL"] = postgres.url(password, folder)
            self._prepare = lambda: postgres.ensure_database(password, folder)
        if "REDIS_URL" not in given:
            path = valkey.socket_path(self._sockets)
            parts.append(
                Part(valkey.program(self._layout, self._sockets), lambda: ready.valkey(path))
            )
            addresses["REDIS_URL"] = f"unix://{quote(str(path))}?db=0"
        if "EVENTS_URL" not in given:
            port = int(kept["engine_port"])
            parts.append(
                Part(
                    programs.engine(self._layout, port),
                    lambda: ready.page(f"http://127.0.0.1:{port}/ping"),
                )
            )
            addresses["EVENTS_URL"] = f"http://flipscope:{kept['engine']}@127.0.0.1:{port}/default"
            addresses["EVENTS_GATHER"] = "door"
        return parts, addresses

    def _own_programs(self) -> list[Program]:
        return [
            programs.web(self._layout, self._wanted.host, self._wanted.port),
            programs.streams(self._layout, self._wanted.host, self._wanted.port + STREAMS_AFTER),
            programs.worker(),
            programs.beat(),
        ]

    def _environment(self, kept: dict[str, str]) -> dict[str, str]:
        return {
            **os.environ,
            survivors.MARK: str(self._layout.data),
            "FLIPSCOPE_DATA": str(self._layout.data),
            "FLIPSCOPE_ENGINE_SECRET": kept["engine"],
            "PYTHONUNBUFFERED": "1",
        }

    def _write_addresses(self, addresses: dict[str, str]) -> None:
        write_private(self._layout.stack, json.dumps(addresses | self._wanted.given, indent=1))

    def _supervise(self) -> None:
        everything = [part.program for part in self._parts] + self._others
        self._supervisor = Supervisor(everything, self._layout, self._sockets, self._variables)
        for part in self._parts:
            self._supervisor.start(part.program.name)
        self._note()

    def _start_others(self) -> None:
        if self._supervisor is not None:
            for program in self._others:
                self._supervisor.start(program.name)
        self._note()

    def _note(self) -> None:
        """Write down who runs, when that has changed; start again what was given up."""
        if self._supervisor is None:
            return
        states = self._supervisor.states()
        for name, state in states.items():
            if state["statename"] == "FATAL":
                self._say(f"{name} ends again and again; see {self._layout.logs / f'{name}.log'}")
                self._supervisor.start(name)
        pids = {name: int(state["pid"]) for name, state in states.items() if state["pid"]}
        pids["supervisor"] = self._supervisor.pid
        if states and pids != self._noted:
            survivors.write_down(self._layout, pids)
            self._noted = pids

    def _await(self, part: Part) -> None:
        self._until(part.answers, part.program.name, PART_S)

    def _await_web(self) -> None:
        header = self._wanted.host_header
        self._until(lambda: ready.page(f"{self.url}/healthz", host_header=header), "web", WEB_S)
        streams = f"{self.url.rpartition(':')[0]}:{self._wanted.port + STREAMS_AFTER}/healthz"
        self._until(lambda: ready.page(streams), "streams", WEB_S)

    def _until(self, answers: Callable[[], bool], name: str, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not answers():
            states = self._supervisor.states() if self._supervisor else {}
            given_up = states.get(name, {}).get("statename") == "FATAL"
            if given_up or time.monotonic() > deadline:
                why = (
                    "ends as soon as it is started" if given_up else f"no answer in {wait_s:.0f} s"
                )
                detail = self._layout.tail(name) or states.get(name, {}).get("spawnerr", "")
                raise StackError(
                    f"{name} did not become ready ({why}); the last lines of "
                    f"{self._layout.logs / f'{name}.log'}:\n{detail}"
                )
            time.sleep(0.05)
        self._note()

    def _manage(self, command: str) -> None:
        log = self._layout.logs / "migrate.log"
        with log.open("ab") as output:
            done = subprocess.run(
                [sys.executable, "manage.py", command],
                cwd=ROOT,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise StackError(
                f"`manage.py {command}` failed; the last lines of {log}:\n"
                + self._layout.tail("migrate")
            )

    def keep(self) -> None:
        """Supervise until a signal ends it."""
        while True:
            time.sleep(LOOK_S)
            if self._supervisor is None or not self._supervisor.running:
                self._say("supervisor ended; starting everything again")
                survivors.end(self._layout)
                self._noted = {}
                self._supervise()
                self._start_others()
            self._note()

    def stop(self) -> None:
        """End every process of this folder; nothing is left when this returns."""
        with contextlib.suppress(ValueError):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
        if self._supervisor is not None:
            self._supervisor.stop()
        survivors.end(self._layout)
        with contextlib.suppress(FileNotFoundError):
            self._layout.stack.unlink()
