"""Services over HTTP: each instance listens on a loopback port of its own.

Requests between them carry the time by the shop's own clock, there and back, so that a caller's
time holds its neighbours' work and nothing of what the machine adds to it.
"""

import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import urllib3

from demo import story
from demo.clock import WorkClock
from demo.shop.fleet import Foundry
from demo.shop.service import Build, Peer, Request, Response, Service

TIMEOUT_S = 30
NOW = "x-shop-now-ns"
IDLE_S = 60  # a connection that nobody uses is closed, and its thread ends


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, service: Service) -> None:
        self.service = service
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        target = urlsplit(self.path)
        clock = self.server.service.clock
        if isinstance(clock, WorkClock):
            clock.set(int(self.headers.get(NOW) or time.time_ns()))
        answer = self.server.service.ask(
            Request(
                self.command,
                target.path,
                dict(parse_qsl(target.query)),
                {name.lower(): value for name, value in self.headers.items()},
            )
        )
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header(NOW, str(clock.now_ns()))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Its log is its telemetry."""


class Cluster:
    """The shop as it runs: three services, each on several ports, builds switched while it does."""

    def __init__(self, foundry: Foundry, versions: Mapping[str, str]) -> None:
        self._foundry = foundry
        self.clock = foundry.clock
        self._pool = urllib3.PoolManager(num_pools=32, maxsize=64, retries=False)
        self._servers: dict[str, _Server] = {}
        self._peers: dict[str, Peer] = {
            name: _Across(self, name) for name in ("catalog", "pricing")
        }
        for service, names in story.INSTANCES.items():
            for name in names:
                self.start(Build(service, versions[service]), name)

    def start(self, build: Build, name: str) -> None:
        """Start this build as that instance, and let the one that it replaces finish."""
        server = _Server(self._foundry.instance(build, name, self._peers))
        threading.Thread(target=server.serve_forever, name=name, daemon=True).start()
        old = self._servers.get(name)
        self._servers[name] = server
        if old is not None:
            _retire(old)

    def ask(self, service: str, request: Request) -> Response:
        """The answer of one of the service's instances over HTTP."""
        server = self._servers[random.choice(story.INSTANCES[service])]
        port = server.server_address[1]
        query = f"?{urlencode(request.query)}" if request.query else ""
        answer = self._pool.request(
            request.method,
            f"http://127.0.0.1:{port}{request.path}{query}",
            headers=dict(request.headers),
            timeout=TIMEOUT_S,
        )
        return Response(answer.status, json.loads(answer.data), int(answer.headers[NOW]))

    def stop(self) -> None:
        for server in self._servers.values():
            _retire(server)


def _retire(server: _Server) -> None:
    """No new connections; requests in flight are answered by their threads."""
    server.shutdown()
    server.server_close()


class _Across:
    """A neighbour across the network."""

    def __init__(self, cluster: Cluster, service: str) -> None:
        self._cluster = cluster
        self._service = service

    def ask(self, request: Request) -> Response:
        clock = self._cluster.clock
        if not isinstance(clock, WorkClock):
            return self._cluster.ask(self._service, request)
        headers = {**request.headers, NOW: str(clock.now_ns())}
        answer = self._cluster.ask(self._service, replace(request, headers=headers))
        clock.set(answer.at_ns)
        return answer
