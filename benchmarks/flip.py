"""A planned flip, seen by many clients of three kinds, with the worker stopped and web restarting.

    python -m benchmarks.flip [--clients 200] [--port 8100]

Starts a stack of its own, plans a flip for 25 s ahead, stops the worker (SIGSTOP) and ends the web
process 10 s before it, so that it is started anew. In-process clients are flagd's provider for
Python over gRPC; server clients ask OFREP single again and again; browser clients ask OFREP bulk,
listen to the event stream that it names, and ask again when told. A sixth of the last two kinds are
real providers: openfeature-provider-ofrep, and @openfeature/ofrep-web-provider under node where
`make node-clients` installed it. Prints the distribution of (first new value − planned time) of
each kind, and how many clients saw the old value again.
"""

import argparse
import json
import signal
import time
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

from benchmarks import flip_real
from benchmarks.flip_clients import FLAG, Seen, browsers, in_process, server_side
from benchmarks.stack import Stack

AHEAD_S, RESTART_S = 25, 10
REAL = 6


def run(clients: int, port: int) -> tuple[list[Seen], dict[str, Any]]:
    """The whole run: what each kind saw, and the plan as the API tells it afterwards."""
    stack = Stack(port)
    try:
        keys = stack.boot["environments"]["production"]
        stack.api("POST", "/flags", {"key": FLAG, "type": "boolean"})
        planned = int(time.time()) + AHEAD_S
        at = datetime.fromtimestamp(planned, UTC).isoformat()
        patch = {"enabled": True, "default_variant": "on"}
        plan = stack.api("POST", f"/flags/{FLAG}/plans", {"at": at, "patch": patch})
        third, last = clients // 3, clients - 2 * (clients // 3)
        real, at_s = max(third // REAL, 1), float(planned)
        server, client = keys["server_key"], keys["client_key"]
        with ProcessPoolExecutor(5) as pool:
            running: list[Future[Seen] | Future[Seen | None]] = [
                pool.submit(in_process, third, port, server, at_s),
                pool.submit(server_side, third - real, stack.url, server, at_s),
                pool.submit(flip_real.ofrep_providers, real, stack.url, server, at_s),
                pool.submit(browsers, last - real, stack.url, client, at_s),
                pool.submit(flip_real.web_providers, real, stack.url, client, at_s),
            ]
            time.sleep(max(planned - RESTART_S - time.time(), 0))
            stack.signal("worker", signal.SIGSTOP)
            stack.signal("web", signal.SIGTERM)
            found = [seen for one in running if (seen := one.result())]
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
    for seen in found:
        print(json.dumps(seen.told()))
    step = plan["steps"][0]
    print(f"effective {step['effective_at']}, recorded {step['recorded_at']}")


if __name__ == "__main__":
    main()
