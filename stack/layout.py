"""The data folder: what lies where, the secrets kept in it, and who may hold it."""

import contextlib
import fcntl
import json
import os
import secrets
import socket
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A socket's path holds 107 bytes; PostgreSQL and supervisor add to the name they are given.
MOST_SOCKET_PATH = 100


class StackError(Exception):
    """Why the stack can't start, in one line for the person who started it."""


class Layout:
    """The files of one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.logs = data / "logs"
        self.postgres = data / "postgres"
        self.valkey = data / "valkey"
        self.engine = data / "engine"
        self.supervisor = data / "supervisord.conf"
        self.record = data / "run.json"
        self.stack = data / "stack.json"
        self._kept = data / "secrets.json"
        self._lock_file: int | None = None

    def hold(self) -> None:
        """Make the folder and take its lock, which ends with this process however it ends."""
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.logs, self.valkey, self.engine):
                folder.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.data / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackError(
                f"cannot write to the data folder {self.data}: {error.strerror}; "
                "choose another with --data DIR"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(lock, 20).decode().strip() or "unknown"
            os.close(lock)
            raise StackError(
                f"another `up` (process {holder}) already runs on {self.data}"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock_file = lock

    def kept(self) -> dict[str, str]:
        """The values made once for this folder: passwords, keys, the sockets' folder."""
        try:
            values: dict[str, str] = json.loads(self._kept.read_text())
        except (OSError, ValueError):
            values = {}
        for name, size in (("postgres", 24), ("engine", 24), ("SECRET_KEY", 48)):
            values.setdefault(name, secrets.token_urlsafe(size))
        values["sockets"] = self._socket_folder(values.get("sockets", ""))
        values["engine_port"] = str(_free_port(int(values.get("engine_port", "0"))))
        write_private(self._kept, json.dumps(values, indent=1))
        return values

    def _socket_folder(self, before: str) -> str:
        inside = self.data / "sockets"
        if len(os.fsencode(inside / ".s.PGSQL.5432.lock")) <= MOST_SOCKET_PATH:
            inside.mkdir(mode=0o700, exist_ok=True)
            return str(inside)
        if before and (folder := Path(before)).is_dir() and folder.owner() == inside.parent.owner():
            return before
        return tempfile.mkdtemp(prefix="flipscope-", dir="/tmp")

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a part's log."""
        with contextlib.suppress(OSError):
            text = (self.logs / f"{name}.log").read_bytes()[-16_384:].decode("utf-8", "replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _free_port(before: int) -> int:
    if before and port_is_free("127.0.0.1", before):
        return before
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
