// OpenTelemetry's SDK for JavaScript: requests with flags as span events and as log records.
// node opentelemetry.mjs URL KEY proto|json COUNT [gzip]
import { context, trace, SpanKind } from "@opentelemetry/api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtoExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [url, key, form, count, compression = "none"] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}` };
const resource = resourceFromAttributes({ "service.name": "js", "service.version": "7.1" });
const Exporter = form === "json" ? JsonExporter : ProtoExporter;
const exporter = new Exporter({ url: `${url}/v1/traces`, headers, compression });
const spans = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter)] });
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs`, headers }) })],
});
const tracer = spans.getTracer("js");
for (let number = 0; number < Number(count); number++) {
  const span = tracer.startSpan("GET /export", {
    kind: SpanKind.SERVER,
    attributes: { "http.route": "/export", "http.response.status_code": 200, "user.id": `u${number}`, n: number, share: 0.5 },
  });
  span.addEvent("feature_flag.evaluation", {
    "feature_flag.key": "F",
    "feature_flag.result.variant": number % 2 ? "on" : "off",
  });
  logs.getLogger("flags").emit({
    eventName: "feature_flag.evaluation",
    attributes: { "feature_flag.key": "G", "feature_flag.result.variant": "x" },
    context: trace.setSpan(context.active(), span),
  });
  span.end();
}
await spans.forceFlush();
await logs.forceFlush();
await spans.shutdown();
await logs.shutdown();
