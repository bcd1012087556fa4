"""How fast the demo's history is made and sent: `python -m benchmarks.demo_backfill [--hours 12]`.

The receiving end is a process that answers 200 and keeps nothing, so the figure is of the shop's
code, OpenFeature, the OpenTelemetry SDK and its exporter alone, on one core.
"""

import argparse
import io
import multiprocessing
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

from demo import history
from demo.flags import WANTED


class _Swallow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


def _serve(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Swallow)
    told.send(server.server_address[1])
    server.serve_forever()


def _document() -> dict[str, object]:
    flags = {
        wanted.key: {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": {"fractional": [["on", wanted.percent], ["off", 100 - wanted.percent]]},
        }
        for wanted in WANTED
    }
    return {"flags": flags}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=12)
    asked = parser.parse_args()
    here, there = multiprocessing.Pipe()
    sink = multiprocessing.Process(target=_serve, args=(there,), daemon=True)
    sink.start()
    now_s = time.time()
    with tempfile.TemporaryDirectory() as folder:
        plan = history.Plan(
            url=f"http://127.0.0.1:{here.recv()}",
            ingest_key="i",
            document=_document(),
            begin_s=now_s - asked.hours * 3600,
            end_s=now_s,
            start_s=now_s,
            hours=asked.hours,
            rate=50,
            seed=1,
            progress=str(Path(folder) / "history.json"),
        )
        out = io.StringIO()
        begun, used = time.perf_counter(), time.process_time()
        history.run(plan, out)
        took_s, used_s = time.perf_counter() - begun, time.process_time() - used
    sink.terminate()
    requests = int(out.getvalue().split(" requests kept")[0].split()[-1].replace(",", ""))
    print(f"{requests:,} requests in {took_s:.1f} s: {requests / took_s:,.0f} a second")
    print(f"{used_s / requests * 1e6:.0f} µs of one core each")


if __name__ == "__main__":
    main()
