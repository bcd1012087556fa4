"""A whole stack of its own for a benchmark, in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_S = 300  # on a machine that others use as well


class Stack:
    """`manage.py up` in a folder of its own, or in one that is there already."""

    def __init__(
        self,
        port: int,
        data: Path | None = None,
        *,
        project: str = "flip",
        settings: dict[str, str] | None = None,
        owner: tuple[str, str] = ("a@b.example", "a-long-Passphrase-9"),
    ) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.data = data or Path(tempfile.mkdtemp(prefix="flipscope-flip-"))
        self.data.mkdir(parents=True, exist_ok=True)
        self.log = (self.data / "up.log").open("w")
        self.up = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), "--data", str(self.data)],
            cwd=ROOT,
            env={**os.environ, **(settings or {})},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self._until(lambda: "ready http" in (self.data / "up.log").read_text(), START_S)
        made = subprocess.run(
            [
                *(sys.executable, "manage.py", "bootstrap", "--project", project),
                *("--email", owner[0], "--password", owner[1]),
                *("--data", str(self.data)),
            ],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        self.boot = json.loads(made.stdout.strip().splitlines()[-1])

    def _until(self, holds: Callable[[], bool], wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not holds():
            if self.up.poll() is not None or time.monotonic() > deadline:
                self.up.send_signal(signal.SIGTERM)  # nothing is left running
                self.up.wait(60)
                raise SystemExit("the stack did not start: " + (self.data / "up.log").read_text())
            time.sleep(0.2)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/v1/projects/flip/environments/production{path}",
            json.dumps(body).encode() if body is not None else None,
            {
                "Authorization": f"Bearer {self.boot['api_token']}",
                "Content-Type": "application/json",
            },
            method=method,
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def pids(self, name: str) -> list[int]:
        """A program's process and its children."""
        found = [int(json.loads((self.data / "run.json").read_text())[name][0])]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := entry / "stat").exists():
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                if parent in found:
                    found.append(int(entry.name))
        return found

    def signal(self, name: str, number: int) -> None:
        for pid in self.pids(name):
            os.kill(pid, number)

    def stop(self) -> None:
        self.signal("worker", signal.SIGCONT)
        self.up.send_signal(signal.SIGTERM)
        self.up.wait(40)
        self.log.close()

    def etag(self, path: str, body: Any) -> str:
        """What a client that asked once already holds."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            json.dumps(body).encode(),
            {
                "Authorization": f"Bearer {self.boot['environments']['production']['server_key']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.headers["ETag"])

    def stream(self, key: str) -> str:
        """The address of an event stream, as OFREP names it to whoever has this key."""
        request = urllib.request.Request(
            f"{self.url}/ofrep/v1/evaluate/flags",
            b"{}",
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(json.loads(answer.read())["eventStreams"][0]["url"])

    def cpu_s(self, name: str) -> float:
        """Processor time that a program and its children have used, user and system."""
        ticks = 0
        for pid in self.pids(name):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")
