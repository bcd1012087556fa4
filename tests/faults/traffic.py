"""Real clients that send without pause and note what was acknowledged, and a reader of pages."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import libhoney
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind

RETRIED = frozenset({429, 502, 503, 504})


@dataclass(slots=True)
class Heard:
    """What all senders heard: names of acknowledged events, and how often each status came."""

    acknowledged: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def status(self, client: str, code: int) -> None:
        with self.lock:
            self.statuses[f"{client} {code}"] += 1

    def stored(self, names: list[str]) -> None:
        with self.lock:
            self.acknowledged.update(names)

    @property
    def broken(self) -> dict[str, int]:
        """Statuses that blame us: 500 and everything above that no client tries again."""
        codes = {name: int(name.split()[1]) for name in self.statuses}
        return {
            name: self.statuses[name]
            for name, code in codes.items()
            if code >= 500 and code not in RETRIED
        }


@contextmanager
def traffic(url: str, key: str, heard: Heard) -> Iterator[None]:
    """Four clients and a reader, until the block ends."""
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_opentelemetry(url, key, heard, stop))
        threads = [
            threading.Thread(target=sender, args=(url, key, heard, stop), daemon=True)
            for sender in (_plain, _single, _libhoney)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)


class _Noting(OTLPSpanExporter):
    """OpenTelemetry's own exporter, whose results are remembered."""

    def __init__(self, heard: Heard, url: str, key: str) -> None:
        session = requests.Session()
        session.hooks["response"].append(
            lambda response, **_: heard.status("otlp", response.status_code)
        )
        super().__init__(
            f"{url}/v1/traces", headers={"Authorization": f"Bearer {key}"}, session=session
        )
        self._heard = heard

    def export(self, spans: Any) -> SpanExportResult:
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS:
            self._heard.stored([str(span.attributes["user.id"]) for span in spans])
        return result


@contextmanager
def _opentelemetry(url: str, key: str, heard: Heard, stop: threading.Event) -> Iterator[None]:
    provider = TracerProvider(resource=Resource.create({"service.name": "otel"}))
    provider.add_span_processor(
        BatchSpanProcessor(_Noting(heard, url, key), schedule_delay_millis=200)
    )
    tracer = provider.get_tracer("faults")

    def run() -> None:
        number = 0
        while not stop.wait(0.01):
            number += 1
            heard.sent += 1
            named = {"user.id": f"otel-{number}", "http.route": "/export"}
            with tracer.start_as_current_span("GET", kind=SpanKind.SERVER, attributes=named) as one:
                one.add_event(
                    "feature_flag.evaluation",
                    {"feature_flag.key": "F", "feature_flag.result.variant": "on"},
                )

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        provider.shutdown()


def _until_taken(url: str, key: str, heard: Heard, name: str, items: list[dict[str, Any]]) -> None:
    """Posts the same bytes until they are acknowledged, as a careful client does."""
    body = json.dumps(items)
    deadline = time.monotonic() + 120
    chunked = len(items) % 3 == 2  # as clients that pack while they send
    while time.monotonic() < deadline:
        try:
            response = requests.post(
                f"{url}/api/v1/events",
                data=iter([body.encode()]) if chunked else body,
                headers={"X-API-Key": key},
                timeout=10,
            )
        except requests.RequestException:
            time.sleep(0.2)
            continue
        heard.status(name, response.status_code)
        if response.status_code == 200:
            if response.json()["accepted"] == len(items):
                heard.stored([str(one["user_id"]) for one in items])
            return
        time.sleep(min(float(response.headers.get("Retry-After", 1)), 2))


def _plain(url: str, key: str, heard: Heard, stop: threading.Event) -> None:
    number = 0
    while not stop.wait(0.02):
        number += 1
        items = [
            {"service": "plain", "user_id": f"plain-{number}-{place}", "duration_ms": place}
            for place in range(50)
        ]
        heard.sent += len(items)
        _until_taken(url, key, heard, "plain", items)


def _single(url: str, key: str, heard: Heard, stop: threading.Event) -> None:
    """Many small posts at once, which go together into the store."""

    def run(lane: int) -> None:
        number = 0
        while not stop.wait(0.05):
            number += 1
            heard.sent += 1
            item = {"service": "single", "user_id": f"single-{lane}-{number}"}
            _until_taken(url, key, heard, "single", [item])

    threads = [threading.Thread(target=run, args=(lane,), daemon=True) for lane in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _libhoney(url: str, key: str, heard: Heard, stop: threading.Event) -> None:
    client = libhoney.Client(writekey=key, dataset="honey", api_host=url)

    def listen() -> None:
        while (answer := client.responses().get()) is not None:
            heard.status("libhoney", answer["status_code"])
            if answer["status_code"] == 202:
                heard.stored([answer["metadata"]])

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    number = 0
    while not stop.wait(0.02):
        number += 1
        heard.sent += 1
        event = client.new_event({"user_id": f"honey-{number}", "duration_ms": 1.5})
        event.metadata = f"honey-{number}"
        event.send()
    client.close()
    listener.join(30)


class Reader:
    """Somebody signed in who reads pages all the while; (statuses by page)."""

    def __init__(self, url: str, email: str, password: str, pages: list[str]) -> None:
        self._url, self._pages = url, pages
        self.statuses: Counter[str] = Counter()
        self.slowest_s = 0.0
        self._session = requests.Session()
        form = self._session.get(f"{url}/sign-in", timeout=30).text
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert found is not None
        data = {"csrfmiddlewaretoken": found[1], "email": email, "password": password}
        answer = self._session.post(f"{url}/sign-in", data=data, timeout=30)
        assert answer.status_code == 200
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(40)

    def read(self, page: str) -> int:
        try:
            began = time.monotonic()
            answer = self._session.get(self._url + page, timeout=40, allow_redirects=False)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        except requests.RequestException:
            self.statuses["no answer"] += 1
            return 0
        self.statuses[f"{page} {answer.status_code}"] += 1
        return answer.status_code

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            for page in self._pages:
                self.read(page)
