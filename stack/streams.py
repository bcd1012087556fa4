"""The streams' process: granian with ASGI for event streams and flagd's sync."""

from granian.constants import Interfaces

from stack.serving import serve

STOP_S = 3


if __name__ == "__main__":
    serve(
        "config.asgi:application",
        Interfaces.ASGI,
        about="Flipscope's event streams and flagd sync.",
        port=8010,
        workers_kill_timeout=STOP_S,
    )
