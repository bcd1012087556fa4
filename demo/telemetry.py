"""The shop's OpenTelemetry: one tracer per running instance, the standard OTLP/HTTP exporter.

Two things are not the SDK's defaults. Spans and their events take their times from the shop's
clock, so that history can be written; and history is thinned by a head sampler that says so in
`tracestate`, as consistent probability sampling does (one trace in 64 is `ot=th:fc`).
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState
from opentelemetry.util.types import Attributes, AttributeValue

from demo.clock import Clock

log = logging.getLogger("flipscope.demo")


class TimedSpan(trace.Span):
    """A span as code sees it through the context: what it notes is timed by the shop's clock."""

    def __init__(self, span: trace.Span, clock: Clock) -> None:
        self._span = span
        self._clock = clock

    def add_event(
        self, name: str, attributes: Attributes = None, timestamp: int | None = None
    ) -> None:
        self._span.add_event(name, attributes, timestamp or self._clock.now_ns())

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002  # OpenTelemetry's signature
    ) -> None:
        at = timestamp or self._clock.now_ns()
        self._span.record_exception(exception, attributes, at, escaped)

    def end(self, end_time: int | None = None) -> None:
        self._span.end(end_time or self._clock.now_ns())

    def get_span_context(self) -> SpanContext:
        return self._span.get_span_context()

    def set_attributes(self, attributes: "dict[str, AttributeValue]") -> None:  # type: ignore[override]  # narrower
        self._span.set_attributes(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self._span.set_attribute(key, value)

    def update_name(self, name: str) -> None:
        self._span.update_name(name)

    def is_recording(self) -> bool:
        return self._span.is_recording()

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self._span.set_status(status, description)


class Thinned(Sampler):
    """Says in `tracestate` that each trace it sees stands for `one_in`, a power of two.

    The draw itself was made before: `history` only simulates the requests that are kept.
    """

    def __init__(self, one_in: int) -> None:
        self.one_in = 0
        self.keep(one_in)

    def keep(self, one_in: int) -> None:
        """From here on each trace stands for so many."""
        if one_in != self.one_in:
            self.one_in = one_in
            threshold = (1 << 56) - (1 << 56) // one_in
            self._state = TraceState([("ot", f"th:{threshold:014x}".rstrip("0"))])

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, self._state)

    def get_description(self) -> str:
        return "Thinned"


class Tracing:
    """Starts and ends the spans of one instance of one service."""

    def __init__(self, provider: TracerProvider, clock: Clock) -> None:
        self._tracer = provider.get_tracer("acme.shop", "1.0")
        self._clock = clock

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        parent: Context | None = None,
        attributes: "dict[str, AttributeValue] | None" = None,
    ) -> Iterator[TimedSpan]:
        """A span around a block; it is the current one inside."""
        begun = self._tracer.start_span(
            name, parent, kind, attributes, start_time=self._clock.now_ns()
        )
        timed = TimedSpan(begun, self._clock)
        token = otel_context.attach(trace.set_span_in_context(timed, parent))
        try:
            yield timed
        finally:
            otel_context.detach(token)
            timed.end()


def provider(
    processor: SpanProcessor,
    *,
    service: str,
    version: str,
    instance: str,
    region: str,
    sampler: Sampler | None = None,
) -> TracerProvider:
    """A tracer provider of one instance; several share one processor, thus one exporter."""
    described = Resource.create(
        {
            "service.name": service,
            "service.namespace": "acme",
            "service.version": version,
            "service.instance.id": instance,
            "deployment.environment.name": "production",
            "host.name": f"{instance}.acme.internal",
            "cloud.region": region,
        }
    )
    made = TracerProvider(resource=described, sampler=sampler, shutdown_on_exit=False)
    made.add_span_processor(processor)
    return made


class Patient(SpanExporter):
    """The standard exporter, tried again where it gave up: history must not have holes."""

    def __init__(self, url: str, ingest_key: str, *, attempts: int = 20) -> None:
        self._exporter = OTLPSpanExporter(
            endpoint=f"{url}/v1/traces",
            headers={"Authorization": f"Bearer {ingest_key}"},
            compression=Compression.Gzip,
            timeout=30,
        )
        self._attempts = attempts
        self._stopped = False
        self.spans = 0
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for attempt in range(self._attempts):
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                self.spans += len(spans)
                return SpanExportResult.SUCCESS
            if self._stopped:
                break
            time.sleep(min(0.5 * 2**attempt, 5))
        self.lost += len(spans)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._stopped = True
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK's

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
