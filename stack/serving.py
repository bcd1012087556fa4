"""granian for our processes, whose workers leave when their parent does.

After a kill -9 of granian's main process a worker would live on with the port, and a second granian
would share it: requests would be answered by either. So the worker watches its parent.
"""

import argparse
import gc
import importlib
import os
import sys
import threading
import time
from typing import Any

from granian import Granian
from granian.constants import Interfaces

WATCH_S = 0.1
# A batch of events is some 100,000 objects, none of them in a cycle: with Python's own threshold of
# 700 the collector's rounds took four fifths of the time that reading such a batch as JSON took.
COLLECTED_AFTER = 50_000
# A page asks its stores a dozen times, and after each answer its thread waits for Python's lock for
# as long as this while events are read in another: by the default of 5 ms that was most of a page.
SWITCHED_S = 0.001


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def load(target: str) -> Any:
    """In the worker: watch the parent, then import the application."""
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    module, _, name = target.partition(":")
    application = getattr(importlib.import_module(module), name)
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER)
    sys.setswitchinterval(SWITCHED_S)
    return application


def serve(
    application: str, interface: Interfaces, *, about: str, port: int, **settings: Any
) -> None:
    """Serve where the command line says until told to stop; `settings` are granian's."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--data", help="the data folder; read by the settings, named here to see")
    arguments = parser.parse_args()
    if arguments.data:
        os.environ["FLIPSCOPE_DATA"] = arguments.data
    Granian(
        application,
        address=arguments.host,
        port=arguments.port,
        interface=interface,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        websockets=False,
        **settings,
    ).serve(target_loader=load)
