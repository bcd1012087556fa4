"""A pytest plugin: the real PostgreSQL, Valkey and event engine, started once for the run.

Loaded by `-p tests.parts`, so it runs before Django's settings are read: they take the addresses
from the data folder's stack.json, as every manage.py command does.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 90


def start() -> Path:
    """Starts the parts in a fresh folder and returns it; they end with this process."""
    folder = Path(tempfile.mkdtemp(prefix="flipscope-tests-"))
    log = (folder / "up.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--parts", "--data", str(folder)],
        cwd=ROOT,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def stop() -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    deadline = time.monotonic() + WAIT_S
    while "ready parts" not in (folder / "up.log").read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the parts did not start:\n" + (folder / "up.log").read_text()[-3000:])
        time.sleep(0.1)
    return folder


def runs_tests() -> bool:
    """Not where pytest only tells of itself, nor where its workers (`-n 2`) run them all."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return True
    return not {"--help", "-h", "--version", "-n"} & set(sys.argv)


if runs_tests():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the parts are stopped
    os.environ["FLIPSCOPE_DATA"] = str(start())
