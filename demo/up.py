"""Child processes of the demo: Flipscope itself, started, shown, waited for, stopped."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from demo.flipscope import ROOT

STOP_S = 40
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """In a child, before it becomes its program: be told to end when the demo is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Up:
    """`manage.py up`, whose output is passed on as it comes."""

    def __init__(self, *, port: int, data: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [
                *(sys.executable, str(ROOT / "manage.py"), "up"),
                *("--port", str(port), "--data", str(data)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,
            start_new_session=True,  # Ctrl-C reaches the demo, which stops its parts in order
        )
        threading.Thread(target=self._relay, name="up", daemon=True).start()

    def _relay(self) -> None:
        for line in self._process.stdout or ():
            print(line, end="", flush=True)
            if line.startswith("ready http"):
                self.url = line.split()[1].rstrip("/")
                self._ready.set()

    def ready(self, timeout_s: float) -> bool:
        """Whether it is ready by then."""
        return self._ready.wait(timeout_s)

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End it and, should it not end in time, everything it started."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
