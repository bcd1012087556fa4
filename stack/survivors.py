"""Processes of an earlier `up` that was killed: found by what it wrote down, and ended."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from stack.layout import Layout, write_private

WAIT_S = 5.0
_PROC = Path("/proc")
MARK = "FLIPSCOPE_UP_FOLDER"


def started(pid: int) -> str:
    """When a process began, as the system says it; empty when there is none."""
    if (_PROC / "self").exists():
        try:
            stat = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if stat[0] == "Z" else stat[19]
    asked = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def write_down(layout: Layout, pids: dict[str, int]) -> None:
    """Note who runs, so that a later `up` can end what a kill -9 of this one leaves."""
    noted = {name: [pid, started(pid)] for name, pid in pids.items()}
    write_private(layout.record, json.dumps(noted, indent=1))


def end(layout: Layout) -> list[str]:
    """End every survivor; their names."""
    found = _noted(layout) | _marked(layout)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid, (name, since) in found.items():
            if started(pid) == since:
                _send(pid, signal.SIGINT if name == "postgres" and number == 15 else number)
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and _alive(found):
            time.sleep(0.05)
        if not _alive(found):
            break
    with contextlib.suppress(FileNotFoundError):
        layout.record.unlink()
    return sorted({name for name, _since in found.values()})


def _alive(found: dict[int, tuple[str, str]]) -> bool:
    return any(started(pid) == since for pid, (_name, since) in found.items())


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number == signal.SIGKILL and os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def _noted(layout: Layout) -> dict[int, tuple[str, str]]:
    try:
        noted = json.loads(layout.record.read_text())
        return {
            int(pid): (str(name), str(since))
            for name, (pid, since) in noted.items()
            if since and started(int(pid)) == since
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _marked(layout: Layout) -> dict[int, tuple[str, str]]:
    """Where /proc tells: those born after the last note, and children of children."""
    mark = f"{MARK}={layout.data}".encode()
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        pid = int(folder.name)
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0") and (since := started(pid)):
                found[pid] = ((folder / "comm").read_text().strip(), since)
    return found
