"""A planned flip, seen by many clients of three kinds, with the worker stopped and web restarting.

    python -m benchmarks.flip [--clients 200] [--port 8100]

Starts a stack of its own, plans a flip for 40 s ahead, stops the worker (SIGSTOP) and ends the web
process 10 s before it, so that it is started anew. All clients are real providers, unmodified, a
third of each kind: flagd's for Python over gRPC, which evaluates in process; Python's for OFREP,
which asks four times a second; and npm's for browsers under node, which asks when the event stream
tells it to (a stand-in where `make node-clients` has not been). Prints the distribution of (first
new value − planned time) of each kind, and ends with 1 where a client saw the old value again,
never saw the new one, or was late: in process a second, by the event stream one at p99.
"""

import argparse
import json
import signal
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

from benchmarks import flip_real
from benchmarks.flip_clients import FLAG, Seen, browsers, in_process
from benchmarks.stack import Stack

AHEAD_S, RESTART_S = 40, 10
IN_TIME_MS = 1000


def run(clients: int, port: int, *, ahead_s: int = AHEAD_S) -> tuple[list[Seen], dict[str, Any]]:
    """The whole run: what each kind saw, and the plan as the API tells it afterwards.

    The flip is planned so many seconds ahead, in which all clients have to be there.
    """
    stack = Stack(port)
    try:
        keys = stack.boot["environments"]["production"]
        stack.api("POST", "/flags", {"key": FLAG, "type": "boolean"})
        planned = int(time.time()) + ahead_s
        at = datetime.fromtimestamp(planned, UTC).isoformat()
        patch = {"enabled": True, "default_variant": "on"}
        plan = stack.api("POST", f"/flags/{FLAG}/plans", {"at": at, "patch": patch})
        third, last, at_s = clients // 3, clients - 2 * (clients // 3), float(planned)
        server, client = keys["server_key"], keys["client_key"]
        web = flip_real.web_providers if flip_real.installed() else browsers
        with ProcessPoolExecutor(3) as pool:
            running: list[Future[Seen]] = [
                pool.submit(in_process, third, port, server, at_s),
                pool.submit(flip_real.ofrep_providers, third, stack.url, server, at_s),
                pool.submit(web, last, stack.url, client, at_s),
            ]
            time.sleep(max(planned - RESTART_S - time.time(), 0))
            stack.signal("worker", signal.SIGSTOP)
            stack.signal("web", signal.SIGTERM)
            found = [one.result() for one in running]
        before = stack.api("GET", f"/plans/{plan['id']}")
        if before["steps"][0]["done"]:
            raise SystemExit("the worker was not stopped: nothing is shown")
        stack.signal("worker", signal.SIGCONT)
        deadline = time.monotonic() + 30
        while not (after := stack.api("GET", f"/plans/{plan['id']}"))["steps"][0]["done"]:
            if time.monotonic() > deadline:
                raise SystemExit("the worker did not write the plan down after it went on")
            time.sleep(0.5)
        return found, after
    finally:
        stack.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--port", type=int, default=8100)
    arguments = parser.parse_args()
    found, plan = run(arguments.clients, arguments.port)
    wrong = []
    for seen in found:
        told = seen.told()
        print(json.dumps(told, ensure_ascii=False))
        if told["went_back"] or told["missed"]:
            wrong.append(f"{seen.kind}: not every client saw the new value, and stayed with it")
        elif told["p99_ms"] > IN_TIME_MS:
            wrong.append(f"{seen.kind}: late")
    step = plan["steps"][0]
    print(f"effective {step['effective_at']}, recorded {step['recorded_at']}")
    sys.exit("; ".join(wrong) or 0)


if __name__ == "__main__":
    main()
