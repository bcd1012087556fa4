"""How fast flags are answered over OFREP, and how soon a flip is served everywhere.

    python -m benchmarks.ofrep --url http://127.0.0.1:8000 --project acme \\
        --environment production --server-key fs_server_… --token fs_api_…

Makes its flags over the API (again runs reuse them), asks over kept-alive connections from several
processes, and flips one flag many times while all ask.
"""

import argparse
import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

BULK = "/ofrep/v1/evaluate/flags"
RULES: list[dict[str, Any]] = [
    {"if": [{"attribute": "country", "op": "in", "value": ["NZ", "AU"]}], "variant": "on"},
    {"split": {"off": 50, "on": 50}},
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask, and with what."""

    url: str
    api: str
    server_key: str
    token: str

    def flags(self, method: str, key: str = "", body: Any = None) -> requests.Response:
        """The JSON API of flags; the caller judges the status."""
        address = f"{self.url}{self.api}/flags{f'/{key}' if key else ''}"
        named = {"Authorization": f"Bearer {self.token}"}
        return requests.request(method, address, json=body, headers=named, timeout=30)

    def session(self) -> requests.Session:
        """One kept-alive connection that evaluates."""
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.server_key}"
        return session


def make_flags(place: Place, count: int) -> list[str]:
    """Boolean flags with a condition and a split each, made where they are not there yet."""
    keys = [f"bench-{number:04}" for number in range(count)]
    for key in keys:
        wanted = {"key": key, "type": "boolean", "enabled": True, "rules": RULES}
        status = place.flags("POST", body=wanted).status_code
        assert status in (201, 409), status
    return keys


def ask(place: Place, key: str, seconds: float, known: str) -> list[float]:
    """Milliseconds of each answer on one connection; `known` is an ETag to send, "" for none."""
    session, took = place.session(), []
    if known:
        session.headers["If-None-Match"] = known
    address = f"{place.url}{BULK}{f'/{key}' if key else ''}"
    until, asked = time.perf_counter() + seconds, 0
    while (began := time.perf_counter()) < until:
        asked += not known  # another user each time, but one and the same where it is known
        context = {"context": {"targetingKey": f"u{asked}", "country": "DE"}}
        response = session.post(address, json=context, timeout=30)
        took.append((time.perf_counter() - began) * 1000)
        assert response.status_code == (304 if known else 200), response.content[:300]
    return took


def measure(
    name: str, place: Place, key: str, options: argparse.Namespace, known: str = ""
) -> None:
    """One kind of question from several processes at once, as a line of figures."""
    with ProcessPoolExecutor(options.senders) as pool:
        begun = [
            pool.submit(ask, place, key, options.seconds, known) for _ in range(options.senders)
        ]
        took = sorted(one for future in begun for one in future.result())
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"{name}: {len(took) / options.seconds:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def first_etag(place: Place) -> str:
    """What a client that asked once already holds."""
    context = {"context": {"targetingKey": "u0", "country": "DE"}}
    response = place.session().post(f"{place.url}{BULK}", json=context, timeout=30)
    print(f"a bulk answer: {len(response.content):,} bytes")
    return str(response.headers["ETag"])


def flip(place: Place, times: int, connections: int, watched: str) -> None:
    """Seconds from the API's answer until no connection to the web process at `watched` gets the
    value before any more."""
    key = "bench-flip"
    status = place.flags("POST", body={"key": key, "type": "boolean", "enabled": True}).status_code
    assert status in (201, 409), status
    late, going = [], threading.Event()
    wanted, changed = [False], [0.0]
    seen = [0.0] * connections  # when each connection last got what was served before

    def watch(number: int) -> None:
        session, address = place.session(), f"{watched}{BULK}/{key}"
        while not going.is_set():
            begun = time.perf_counter()
            answer = session.post(address, json={"context": {}}, timeout=30).json()
            if answer["value"] is not wanted[0] and begun > changed[0]:
                seen[number] = time.perf_counter()

    watchers = [threading.Thread(target=watch, args=(number,)) for number in range(connections)]
    place.flags("PATCH", key, {"default_variant": "off"})
    time.sleep(2)
    for watcher in watchers:
        watcher.start()
    for number in range(times):
        variant = "off" if number % 2 else "on"
        time.sleep(1.3 + 0.037 * number)  # at every phase of the half second between two checks
        changed[0] = float("inf")
        response = place.flags("PATCH", key, {"default_variant": variant, "reason": "benchmark"})
        assert response.status_code == 200, response.content
        wanted[0], changed[0] = variant == "on", time.perf_counter()
        time.sleep(1.2)
        late.append(max(0.0, max(seen) - changed[0]))
    going.set()
    for watcher in watchers:
        watcher.join()
    median, most = statistics.median(late), max(late)
    where = "the same process" if watched == place.url else "another process"
    print(f"{times} flips, {connections} connections to {where}: the old value was last seen")
    print(f"{median:.2f} s after the API's answer in the median, {most:.2f} s at most")


def evaluate_alone(count: int) -> None:
    """The evaluator itself on such flags, without HTTP: one thread."""
    from flags.definition import read
    from flags.evaluate import context_of, document_of, evaluate

    given = {"type": "boolean", "enabled": True, "rules": RULES}
    document = document_of([read(f"bench-{n:04}", given) for n in range(count)], "acme/bench")
    rounds = max(1, 20_000 // count)
    begun = time.perf_counter()
    for number in range(rounds):
        context = context_of({"targetingKey": f"u{number}", "country": "DE"})
        for key in document.methods:
            evaluate(document, key, context)
    each = (time.perf_counter() - begun) / (rounds * count)
    print(f"the evaluator alone: {each * 1e6:.0f} µs an evaluation")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("--url", "--project", "--environment", "--server-key", "--token"):
        asked.add_argument(name, required=True)
    asked.add_argument("--flags", type=int, default=50)
    asked.add_argument("--senders", type=int, default=4)
    asked.add_argument("--seconds", type=float, default=5)
    asked.add_argument("--flips", type=int, default=20)
    asked.add_argument("--other-url", default="", help="a second web process on the same data")
    options = asked.parse_args()
    api = f"/api/v1/projects/{options.project}/environments/{options.environment}"
    place = Place(options.url, api, options.server_key, options.token)
    keys = make_flags(place, options.flags)
    print(f"{options.flags} flags, {options.senders} connections, {options.seconds:g} s each")
    measure("single", place, keys[0], options)
    measure("bulk", place, "", options)
    measure("bulk, nothing new (304)", place, "", options, first_etag(place))
    flip(place, options.flips, options.senders, place.url)
    if options.other_url:
        flip(place, options.flips, options.senders, options.other_url)
    import django

    django.setup()
    evaluate_alone(options.flags)


if __name__ == "__main__":
    main()
