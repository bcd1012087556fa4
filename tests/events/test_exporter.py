"""The real OpenTelemetry SDK with its standard exporter, over real HTTP."""

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from events import refusals
from events.query.answer import answer
from projects.models import Environment


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("event_store")
@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_spans_of_the_sdk_arrive_with_their_flags(
    live_server: Any, ingest_key: str, environment: Environment, compression: Compression
) -> None:
    exporter = OTLPSpanExporter(
        f"{live_server.url}/v1/traces",
        headers={"Authorization": f"Bearer {ingest_key}"},
        compression=compression,
    )
    described = {"service.name": "shop", "service.version": "4.1"}
    provider = TracerProvider(resource=Resource.create(described))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    for number in range(50):
        named: dict[str, Any] = {
            "http.route": "/export",
            "http.response.status_code": 200,
            "n": number,
        }
        with (
            tracer.start_as_current_span("GET /export", kind=SpanKind.SERVER, attributes=named),
            tracer.start_as_current_span("cache") as inner,
        ):
            inner.add_event(
                "feature_flag.evaluation",
                {
                    "feature_flag.key": "USE_CACHING",
                    "feature_flag.result.variant": "on" if number % 2 else "off",
                    "feature_flag.result.reason": "split",
                },
            )
            if number == 7:
                inner.record_exception(ValueError("no"))
                inner.set_status(Status(StatusCode.ERROR, "no"))
    assert provider.force_flush()
    provider.shutdown()
    refusals.flush()

    def count(**spec: Any) -> list[dict[str, Any]]:
        return [row["data"] for row in answer(environment.id, spec)["results"]]

    assert count() == [{"COUNT": 100}]
    entries = [{"column": "entry", "op": "=", "value": True}]
    found = count(filters=entries, breakdowns=["flags.USE_CACHING", "build_id", "route"])
    assert sorted((row["flags.USE_CACHING"], row["COUNT"]) for row in found) == [
        ("off", 25),
        ("on", 25),
    ]
    assert {(row["build_id"], row["route"]) for row in found} == {("4.1", "/export")}
    assert count(breakdowns=["exception.type"], limit=1, filters=[
        {"column": "error", "op": "=", "value": True}
    ]) == [{"exception.type": "ValueError", "COUNT": 1}]  # fmt: skip
    assert count(calculations=[{"op": "SUM", "column": "n"}]) == [{"SUM(n)": 49 * 25}]
