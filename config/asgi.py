"""The streams' process: server-sent events by ASGI, and flagd's gRPC sync beside it."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402  # Django has to be set up first

from flags import flagd_sync  # noqa: E402
from flags.hub import Hub  # noqa: E402
from flags.stream import Receive, Scope, Send, Stream  # noqa: E402

STOP_S = 1.0
hub = Hub()
stream = Stream(hub)


async def _lifespan(receive: Receive, send: Send) -> None:
    """gRPC lives as long as the process does."""
    server: Any = None
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                server = await flagd_sync.serve(hub, f"{settings.SYNC_HOST}:{settings.SYNC_PORT}")
            except RuntimeError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        else:
            if server is not None:
                await server.stop(STOP_S)
            await hub.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Granian's entry."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await stream(scope, receive, send)
