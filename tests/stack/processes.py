"""`manage.py up` as a process of a test's own, and what it leaves behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
READY_S = 240.0
GIVEN = ("DATABASE_URL", "REDIS_URL", "EVENTS_URL", "FLIPSCOPE_DATA")


def free_port() -> int:
    """A port that is free, and so are those that `up` takes beside it."""
    while True:
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError, OverflowError):
            port = 0
            for beside in (0, 10, 15):
                probe = probes.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port and port + beside))
                port = port or int(probe.getsockname()[1])
            return port


class Up:
    """One run of `up` on a data folder."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        descriptor, name = tempfile.mkstemp(prefix="flipscope-up-", suffix=".log")
        os.close(descriptor)
        self._log = Path(name)
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--data", str(data), *arguments],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name not in GIVEN},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def ready(self) -> "Up":
        """Waits for its `ready` line."""
        deadline = time.monotonic() + READY_S
        while not any(line.startswith("ready ") for line in self.output.splitlines()):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return self

    def addresses(self) -> dict[str, str]:
        content: dict[str, str] = json.loads((self.data / "stack.json").read_text())
        return content

    def pids(self) -> dict[str, int]:
        """The processes it has written down."""
        try:
            noted: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        except FileNotFoundError:  # between the end of the old ones and the start of the new
            return {}
        return {name: int(entry[0]) for name, entry in noted.items()}

    def stop(self) -> int:
        """Asks it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(45)

    def kill_everything(self) -> None:
        """A power cut: kill -9 of `up` and of all it started."""
        self.process.kill()
        for pid in left(self.data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


def ingest_key(data: Path, email: str, password: str) -> str:
    """`manage.py bootstrap` of the project acme on a running stack: production's ingest key."""
    done = subprocess.run(
        [
            *(sys.executable, "manage.py", "bootstrap", "--project", "acme"),
            *("--email", email, "--password", password, "--data", str(data)),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in GIVEN},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return str(answer["environments"]["production"]["ingest_key"])


def left(data: Path) -> dict[int, str]:
    """Processes that belong to the folder, by their command line or environment."""
    found = {}
    mark = f"FLIPSCOPE_UP_FOLDER={data}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if command and (
                os.fsencode(data) in command or mark in (folder / "environ").read_bytes()
            ):
                found[int(folder.name)] = command.replace(b"\0", b" ").decode()
    return found


def until(condition: Any, wait_s: float = 20.0) -> None:
    """Waits for something to become true."""
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline, f"not so within {wait_s} s"
        time.sleep(0.05)
