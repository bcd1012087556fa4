"""The event store's door: chDB in a process of its own, behind the part of ClickHouse's HTTP
interface that clickhouse-connect uses.

    FLIPSCOPE_ENGINE_SECRET=… python -m stack.engine --data DIR --port N

It listens on the loopback address only and answers nobody without the secret, /ping apart.
"""

import argparse
import base64
import binascii
import contextlib
import hmac
import json
import os
import select
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stack.gathering import Gathering
from stack.lanes import Answer, Busy, EngineError, Lanes, memory
from stack.statements import BadRequest, Request, understood, unpacked

MOST_BODY = 256 * 1024**2
MOST_CONNECTIONS = 256
IDLE_S = 120
WATCH_S = 0.25
STOP_S = 5.0
LEAST_MEMORY = 256 * 1024**2
# The statuses ClickHouse itself gives; every other error of the engine is a 500.
STATUS = {
    60: 404,
    81: 404,
    62: 400,
    47: 400,
    46: 400,
    26: 400,
    27: 400,
    36: 400,
    43: 400,
    53: 400,
    115: 400,
}


class Running:
    """The statements under way and the sockets of those who wait for them."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._sockets: dict[str, socket.socket] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def watched(self, mark: str, connection: socket.socket) -> Any:
        """While inside, the statement is killed as soon as its client has left."""
        with self._lock:
            self._sockets[mark] = connection
        try:
            yield
        finally:
            with self._lock:
                del self._sockets[mark]

    def watch(self) -> None:
        """For ever: kill what nobody waits for any more."""
        pause = threading.Event()
        while not pause.wait(WATCH_S):
            with self._lock:
                gone = [mark for mark, connection in self._sockets.items() if _left(connection)]
            for mark in gone:
                self._lanes.kill(mark)

    def kill_all(self) -> None:
        """Kill every watched statement."""
        with self._lock:
            marks = list(self._sockets)
        for mark in marks:
            self._lanes.kill(mark)


def _left(connection: socket.socket) -> bool:
    try:
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        return bool(poll.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


class Door(ThreadingHTTPServer):
    """The server: lanes, secret, and a bound on connections."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, port: int, lanes: Lanes, secret: str) -> None:
        self.lanes = lanes
        self.running = Running(lanes)
        self.gathering = Gathering(lanes)
        self.secret = secret.encode()
        self._room = threading.Semaphore(MOST_CONNECTIONS)
        super().__init__(("127.0.0.1", port), Visit)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # a client that left is no news
            super().handle_error(request, client_address)


class Visit(BaseHTTPRequestHandler):
    """One connection; many requests one after another."""

    protocol_version = "HTTP/1.1"
    server_version = "flipscope-engine"
    timeout = IDLE_S
    wbufsize = 64 * 1024  # head and body in one packet
    disable_nagle_algorithm = True
    server: Door

    def log_message(self, *_args: Any) -> None:
        """Requests are not logged: the statements hold people's data."""

    def do_GET(self) -> None:
        """/ping, or a statement in the URL."""
        self._serve()

    def do_POST(self) -> None:
        """A statement, in the URL or the body."""
        self._serve()

    def _serve(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/ping":
            self._body()
            self._answer(200, b"Ok.\n")
            return
        url = dict(parse_qsl(address.query, keep_blank_values=True))
        if not self._known(url):
            self.close_connection = True
            self._answer(401, b"who asks? name and secret are wrong\n", {"Connection": "close"})
            return
        try:
            body = self._body()
            request = understood(url, body, self.headers.get("Content-Type", ""))
            answer = self._run(request)
        except BadRequest as error:
            self.close_connection = True
            self._answer(error.status, f"{error}\n".encode(), {"Connection": "close"})
        except Busy:
            self._answer(503, b"the engine is busy; try again\n", {"Retry-After": "2"})
        except EngineError as error:
            status = STATUS.get(error.code, 500)
            self._answer(
                status, f"{error}\n".encode(), {"X-ClickHouse-Exception-Code": str(error.code)}
            )
        else:
            summary = {
                "read_rows": str(answer.read_rows),
                "read_bytes": str(answer.read_bytes),
                "written_rows": str(answer.written_rows),
                "result_rows": str(answer.result_rows),
            }
            self._answer(200, answer.body, {"X-ClickHouse-Summary": json.dumps(summary)})

    def _run(self, request: Request) -> Answer:
        lanes = self.server.lanes
        mark = lanes.mark()
        if request.group and request.data is not None and _named(request):
            return self.server.gathering.insert(
                request.sql, request.shape, request.data, request.settings,
                request.group, request.marked,
            )  # fmt: skip
        settings = {**request.settings, "log_comment": mark}
        with lanes.lend(quick=request.quick) as lane:
            if request.data is not None:
                return lane.insert(request.sql, request.shape, request.data, settings)
            with self.server.running.watched(mark, self.connection):
                return lane.read(request.sql, request.shape, request.parameters, settings)

    def _known(self, url: dict[str, str]) -> bool:
        given = url.pop("password", "") or self.headers.get("X-ClickHouse-Key", "")
        url.pop("user", None)
        kind, _, packed = self.headers.get("Authorization", "").partition(" ")
        if not given and kind.lower() == "basic":
            with contextlib.suppress(binascii.Error, ValueError):
                given = base64.b64decode(packed).decode().partition(":")[2]
        return hmac.compare_digest(given.encode(), self.server.secret)

    def _body(self) -> bytes:
        packing = self.headers.get("Content-Encoding", "")
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return unpacked(self._chunks(), packing, MOST_BODY)
        size = _size(self.headers.get("Content-Length") or "0", 10)
        if size > MOST_BODY:
            raise BadRequest(413, f"a body may have {MOST_BODY} bytes")
        return unpacked(self._exactly(size), packing, MOST_BODY)

    def _chunks(self) -> bytes:
        chunks, total = [], 0
        while size := _size(self.rfile.readline(64).partition(b";")[0].decode("latin-1"), 16):
            total += size
            if total > MOST_BODY:
                raise BadRequest(413, f"a body may have {MOST_BODY} bytes")
            chunks.append(self._exactly(size))
            self.rfile.readline(8)
        while self.rfile.readline(8192).strip():
            pass
        return b"".join(chunks)

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise BadRequest(400, "the body ended early")
        return data

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _named(request: Request) -> bool:
    return bool(request.settings.get("insert_deduplication_token"))


def _size(text: str, base: int) -> int:
    try:
        size = int(text.strip(), base)
    except ValueError:
        raise BadRequest(400, "the body's length is not a number") from None
    if size < 0:
        raise BadRequest(400, "the body's length is negative")
    return size


def _most_bytes(text: str) -> int:
    """The engine's memory: as set, else six tenths of what there is."""
    if not text:
        return memory() * 6 // 10
    if not text.isdecimal() or int(text) < LEAST_MEMORY:
        raise SystemExit(f"EVENTS_ENGINE_BYTES={text}: must be {LEAST_MEMORY} or more.")
    return int(text)


def main() -> None:
    """Open the folder, answer until SIGTERM or SIGINT, close the folder."""
    parser = argparse.ArgumentParser(description="The embedded event store.")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    arguments = parser.parse_args()
    secret = os.environ.get("FLIPSCOPE_ENGINE_SECRET", "")
    if not secret:
        raise SystemExit("FLIPSCOPE_ENGINE_SECRET is not set")
    arguments.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lanes = Lanes(str(arguments.data), _most_bytes(os.environ.get("EVENTS_ENGINE_BYTES", "")))
    door = Door(arguments.port, lanes, secret)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=door.running.watch, daemon=True).start()
    threading.Thread(target=door.serve_forever, daemon=True).start()
    print(f"engine answers on 127.0.0.1:{arguments.port}", flush=True)
    while not stop.wait(1):
        pass
    door.shutdown()
    door.running.kill_all()
    lanes.close(STOP_S)
    os._exit(0)  # chDB's own threads must not hold up a stop


if __name__ == "__main__":
    main()
