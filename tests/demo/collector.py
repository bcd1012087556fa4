"""Flipscope as the demo sees it, for tests of the demo alone: it takes in, serves flags, counts."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from demo.flags import WANTED


def document(percents: dict[str, int] | None = None) -> dict[str, Any]:
    """The demo's flags as flagd reads them; `percents` says otherwise for some."""
    flags: dict[str, Any] = {}
    for wanted in WANTED:
        percent = (percents or {}).get(wanted.key, wanted.percent)
        flags[wanted.key] = {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": {"fractional": [["on", percent], ["off", 100 - percent]]},
        }
    return {"flags": flags}


class Collector:
    def __init__(self) -> None:
        self.spans: list[tuple[dict[str, str], Span]] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []
        self.refuse = 0  # so many exports are answered 503 first
        self.core = FlagdCore()
        self.core.set_flags(document())
        self.url = ""


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.answer(200, json.dumps(document()).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                self.traces(body)
            elif self.path.startswith("/ofrep/"):
                self.evaluation(json.loads(body))
            else:
                collector.posted.append((self.path, json.loads(body)))
                self.answer(201, b"{}")

        def traces(self, body: bytes) -> None:
            if collector.refuse:
                collector.refuse -= 1
                self.answer(503, b"")
                return
            told = ExportTraceServiceRequest.FromString(gzip.decompress(body))
            for group in told.resource_spans:
                resource = {a.key: a.value.string_value for a in group.resource.attributes}
                for scope in group.scope_spans:
                    collector.spans += [(resource, span) for span in scope.spans]
            self.answer(200, b"")

        def evaluation(self, asked: dict[str, Any]) -> None:
            key = self.path.rsplit("/", 1)[1]
            context = EvaluationContext(asked["context"].pop("targetingKey"), asked["context"])
            found = collector.core.resolve_boolean_value(key, False, context)
            answer = {
                "key": key,
                "value": found.value,
                "variant": found.variant,
                "reason": str(found.reason),
            }
            self.answer(200, json.dumps(answer).encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
