"""The web process: granian with threads, whose worker leaves when its parent does.

After a kill -9 of granian's main process its worker would live on with the port, and a second
granian would share it: requests would be answered by either. So the worker watches its parent.
"""

import argparse
import importlib
import os
import threading
import time
from typing import Any

from granian import Granian
from granian.constants import Interfaces

APPLICATION = "config.wsgi:application"
# Python uses one core a process, and reading events is work: without a second one pages wait too.
WORKERS = min(os.cpu_count() or 1, 4)
THREADS = 32  # most of them wait: for the store, or for an insert that others share
WATCH_S = 0.1
STOP_S = 5


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def load(target: str) -> Any:
    """In the worker: watch the parent, then import the application."""
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="Flipscope's web process.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data", help="the data folder; read by the settings, named here to see")
    arguments = parser.parse_args()
    if arguments.data:
        os.environ["FLIPSCOPE_DATA"] = arguments.data
    Granian(
        APPLICATION,
        address=arguments.host,
        port=arguments.port,
        interface=Interfaces.WSGI,
        workers=WORKERS,
        blocking_threads=THREADS,
        workers_kill_timeout=STOP_S,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        websockets=False,
    ).serve(target_loader=load)


if __name__ == "__main__":
    main()
