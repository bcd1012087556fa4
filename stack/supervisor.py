"""supervisor beneath `up`: starts, restarts with back-off, stops in order."""

import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stack.layout import ROOT, Layout, StackError, write_private
from stack.programs import Program

START_S = 20
# Beyond the longest stop of a program, as the groups stop one after another.
STOP_S = 40
PR_SET_PDEATHSIG = 1
WITHOUT_WAITING = False


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def configuration(programs: Sequence[Program], layout: Layout, sockets: Path) -> str:
    """supervisor's file: nothing starts by itself, whatever was started is kept running."""
    lines = [
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        "umask=077",
        "minfds=256",
        "minprocs=50",
        f"directory={_escaped(str(ROOT))}",
        f"logfile={_escaped(str(layout.logs / 'supervisor.log'))}",
        "logfile_maxbytes=5MB",
        "logfile_backups=2",
        f"pidfile={_escaped(str(layout.data / 'supervisord.pid'))}",
        f"childlogdir={_escaped(str(layout.logs))}",
        *(["user=root"] if os.geteuid() == 0 else []),
        "[unix_http_server]",
        f"file={_escaped(str(socket_path(sockets)))}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        lines += [
            f"[program:{program.name}]",
            f"command={_escaped(shlex.join(program.command))}",
            f"directory={_escaped(str(ROOT))}",
            f"priority={program.priority}",
            "autostart=false",
            "autorestart=true",
            "startsecs=1",
            "startretries=5",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_wait_s}",
            # PostgreSQL stops its own children; every other group is told as a whole.
            f"stopasgroup={'false' if program.stop_signal == 'INT' else 'true'}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={_escaped(str(layout.logs / f'{program.name}.log'))}",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=3",
            *([f"user={program.user}"] if program.user else []),
        ]
    return "\n".join(lines) + "\n"


def socket_path(sockets: Path) -> Path:
    """Where supervisor takes orders."""
    return sockets / "up.sock"


def _end_with_parent() -> None:
    """In the child: stop everything when `up` itself is killed (Linux; elsewhere the next `up`)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """One supervisord and the orders given to it."""

    def __init__(
        self, programs: Sequence[Program], layout: Layout, sockets: Path, variables: dict[str, str]
    ) -> None:
        write_private(layout.supervisor, configuration(programs, layout, sockets))
        self._socket = socket_path(sockets)
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(layout.supervisor)],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=(layout.logs / "supervisor.out.log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches `up`, which stops the parts in order
            preexec_fn=_end_with_parent,
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StackError(
                    "supervisor did not start:\n"
                    + (layout.tail("supervisor.out") or layout.tail("supervisor"))
                )
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def _call(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            return bool(self._call("getPID"))
        return False

    def start(self, name: str) -> None:
        """Start a program; to start one that runs already is no error."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("startProcess", name, WITHOUT_WAITING)

    def states(self) -> dict[str, dict[str, Any]]:
        """Each program's statename, pid and spawnerr; empty while supervisor does not answer."""
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            return {info["name"]: info for info in self._call("getAllProcessInfo")}
        return {}

    def stop(self) -> None:
        """Stop all programs, the last started first, then supervisor."""
        if self.running:
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
