"""flagd's own sync service (flagd.sync.v1): in-process providers of every language connect here.

They evaluate by themselves and keep the last document while we are away, so a planned change
happens in them at its second, whoever is down. A server key opens it: as `authorization` or
`x-api-key` metadata, or as the selector, where a provider can send nothing else.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from django.db import DatabaseError, InterfaceError
from google.protobuf.struct_pb2 import Struct
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from flags.asking import ask
from flags.documents import document_for
from flags.hub import Hub
from projects.keys import KeyHolder, find
from web.errors import StoreAway

OPTIONS = [
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),  # a second process on this port must fail, not share it
]


class FlagSync(sync_pb2_grpc.FlagSyncServiceServicer):
    """The service; `hub` is shared with the event streams of this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def SyncFlags(  # the protocol's name
        self, request: Any, context: Any
    ) -> AsyncIterator[Any]:
        """The whole document at once, then again whenever it changes."""
        holder = await _holder(request, context)
        sent = ""
        async with aclosing(self._hub.follow(holder.environment_id or 0)) as following:
            async for news in following:
                document = news.document
                if document.etag == sent:
                    continue  # a planned second came: providers have known of it all along
                if sent and await _look_up(_secret(request, context)) is None:
                    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "This key was revoked.")
                sent = document.etag
                yield sync_pb2.SyncFlagsResponse(
                    flag_configuration=document.text.decode(), sync_context=_about(holder)
                )

    async def FetchAllFlags(self, request: Any, context: Any) -> Any:
        holder = await _holder(request, context)
        try:
            document = await ask(lambda: document_for(holder.environment_id or 0))
        except StoreAway as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        return sync_pb2.FetchAllFlagsResponse(flag_configuration=document.text.decode())

    async def GetMetadata(self, request: Any, context: Any) -> Any:
        """Deprecated in the protocol: what it told comes with each document."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Use sync_context of SyncFlags.")


def _about(holder: KeyHolder) -> Struct:
    found = Struct()
    found.update({"flagSetId": f"{holder.project_slug}/{holder.environment_slug}"})
    return found


async def _holder(request: Any, context: Any) -> KeyHolder:
    holder: KeyHolder | None = None
    try:
        holder = await _look_up(_secret(request, context))
    except (DatabaseError, InterfaceError, StoreAway):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "The database does not answer right now.")
    if holder is None:
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED,
            "Send a server key as 'authorization: Bearer …' metadata, or as the selector.",
        )
    elif holder.kind != "server":
        await context.abort(
            grpc.StatusCode.PERMISSION_DENIED,
            "Rules are for server keys; a client key may evaluate over OFREP.",
        )
    else:
        return holder
    raise RuntimeError("an aborted call goes no further")


def _secret(request: Any, context: Any) -> str:
    sent = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
    for value in (sent.get("authorization"), sent.get("x-api-key"), sent.get("flagd-selector")):
        if value:
            scheme, _, rest = value.partition(" ")
            return rest.strip() if scheme.lower() == "bearer" else value.strip()
    return str(request.selector).strip()


async def _look_up(secret: str) -> KeyHolder | None:
    return await ask(lambda: find(secret, kinds=("server", "client")))


async def serve(hub: Hub, address: str) -> grpc.aio.Server:
    """A running server at host:port. Raises RuntimeError where the port is taken."""
    server = grpc.aio.server(options=OPTIONS)
    sync_pb2_grpc.add_FlagSyncServiceServicer_to_server(FlagSync(hub), server)
    server.add_insecure_port(address)
    await server.start()
    return server
