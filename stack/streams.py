"""The streams' process: granian with ASGI, whose worker leaves when its parent does."""

import argparse
import os

from granian import Granian
from granian.constants import Interfaces

from stack.web import load

APPLICATION = "config.asgi:application"
STOP_S = 3


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="Flipscope's event streams and flagd sync.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--data", help="the data folder; read by the settings, named here to see")
    arguments = parser.parse_args()
    if arguments.data:
        os.environ["FLIPSCOPE_DATA"] = arguments.data
    Granian(
        APPLICATION,
        address=arguments.host,
        port=arguments.port,
        interface=Interfaces.ASGI,
        workers_kill_timeout=STOP_S,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        websockets=False,
    ).serve(target_loader=load)


if __name__ == "__main__":
    main()
