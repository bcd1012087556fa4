"""Clients of a planned flip that are real providers, unmodified: Python OFREP and npm web OFREP."""

import json
import shutil
import subprocess
import threading
import time

from benchmarks.flip_clients import AFTER_S, FLAG, Client, Seen, summed
from benchmarks.stack import ROOT

NODE = ROOT / "tests" / "clients" / "node"
WEB = "OFREP web with SSE (@openfeature/ofrep-web-provider)"
TURN_S = 0.25  # how often a server asks


def ofrep_providers(count: int, url: str, key: str, planned: float) -> Seen:
    """`openfeature-provider-ofrep` in a thread each, asking four times a second."""
    from openfeature.contrib.provider.ofrep import OFREPProvider
    from openfeature.evaluation_context import EvaluationContext

    clients, failures = [Client(planned) for _ in range(count)], [0] * count

    def one(number: int) -> None:
        provider = OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {key}"})
        time.sleep(TURN_S * number / max(count, 1))
        while (begun := time.time()) < planned + AFTER_S:
            try:
                found = provider.resolve_boolean_details(
                    FLAG, default_value=False, evaluation_context=EvaluationContext("u")
                )
                clients[number].saw(found.value, time.time())
            except Exception:
                failures[number] += 1  # web is restarting: the application gets its own default
            time.sleep(max(TURN_S - (time.time() - begun), 0.01))
        provider.session.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return summed("OFREP server (openfeature-provider-ofrep)", clients, sum(failures))


def installed() -> bool:
    """Whether `make node-clients` has been here."""
    return (
        bool(shutil.which("node"))
        and (NODE / "node_modules/@openfeature/ofrep-web-provider").is_dir()
    )


def web_providers(count: int, url: str, key: str, planned: float) -> Seen:
    """`@openfeature/ofrep-web-provider` under node, all in one process."""
    node = shutil.which("node") or "node"
    until = str(int((planned + AFTER_S) * 1000))
    done = subprocess.run(
        [node, "ofrep_web_many.mjs", url, key, FLAG, str(count), until],
        cwd=NODE,
        capture_output=True,
        text=True,
        check=True,
    )
    clients = []
    for line in done.stdout.splitlines():
        said, client = json.loads(line), Client(planned)
        client.first = said["first"] / 1000 - planned if said["first"] else 0.0
        client.back = said["back"]
        clients.append(client)
    return summed(WEB, clients)
