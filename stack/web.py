"""The web process: granian with threads for pages, API, intake and OFREP."""

import os

from granian.constants import Interfaces

from stack.serving import serve

# Python uses one core a process, and reading events is work: without a second one pages wait too.
WORKERS = min(os.cpu_count() or 1, 4)
THREADS = 32  # most of them wait: for the store, or for an insert that others share
STOP_S = 5


if __name__ == "__main__":
    serve(
        "config.wsgi:application",
        Interfaces.WSGI,
        about="Flipscope's web process.",
        port=8000,
        workers=WORKERS,
        blocking_threads=THREADS,
        workers_kill_timeout=STOP_S,
    )
