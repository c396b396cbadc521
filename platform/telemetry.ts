import {
  type Context,
  context,
  INVALID_SPANID,
  INVALID_TRACEID,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { core, NodeSDK, resources, tracing } from '@opentelemetry/sdk-node';
import { OpenTelemetryPlugin, type OpenTelemetryPluginOptions } from '@temporalio/interceptors-opentelemetry';
import type { Logger } from './logger.ts';
import { ReportingExporter, TemporalSpanProcessor } from './telemetry-export.ts';

/** How long ended spans are gathered before they are sent, so that a trace can be looked at within two seconds. */
const EXPORT_INTERVAL_MS = 500;
/** A trace store that does not answer holds up neither the spans behind it nor the end of the process. */
const EXPORT_TIMEOUT_MS = 5000;

type TelemetryConfig = {
  readonly telemetry: { readonly zipkinUrl: string | undefined; readonly otlpTracesUrl: string | undefined };
};

export type Telemetry = {
  /** For `Client`, `Worker.create` and `bundleWorkflowCode`: traces through Temporal's headers, and workflow spans. */
  readonly plugins: OpenTelemetryPlugin[];
  /** Sends what is left, for at most a few seconds. The last handle of a process ends its tracing. */
  shutdown(): Promise<void>;
};

let running: { readonly sdk: NodeSDK; readonly plugins: OpenTelemetryPlugin[]; handles: number } | undefined;

/**
 * Starts tracing in this process: to Zipkin, to an OpenTelemetry collector, to both, or to nowhere, and trace ids are
 * real in each case. A process has one service name; if several parts run in one process, the first to start names it.
 *
 * @param serviceName what Zipkin shows for this process, for example `orders-api`; `OTEL_SERVICE_NAME` goes first
 */
export function startTelemetry(options: {
  readonly serviceName: string;
  readonly config: TelemetryConfig;
  readonly logger: Logger;
}): Telemetry {
  running ??= start(options);
  const mine = running;
  mine.handles += 1;
  let open = true;
  return {
    plugins: mine.plugins,
    async shutdown() {
      if (!open) {
        return;
      }
      open = false;
      mine.handles -= 1;
      if (mine.handles === 0) {
        running = undefined;
        await mine.sdk.shutdown();
        // The SDK leaves itself registered, and a later start in this process would go unheard.
        trace.disable();
        context.disable();
        propagation.disable();
      }
    },
  };
}

function start({ serviceName, config, logger }: Parameters<typeof startTelemetry>[0]) {
  const resource = resources
    .resourceFromAttributes({ 'service.name': serviceName })
    .merge(resources.detectResources({ detectors: [resources.envDetector] }));
  const spanProcessor = new TemporalSpanProcessor(
    exporters(config, logger).map(
      (exporter) =>
        new tracing.BatchSpanProcessor(exporter, {
          scheduledDelayMillis: EXPORT_INTERVAL_MS,
          exportTimeoutMillis: EXPORT_TIMEOUT_MS,
        }),
    ),
  );
  const sdk = new NodeSDK({
    autoDetectResources: false, // The detectors would put the command line and the host's name into every span.
    resource,
    spanProcessors: [spanProcessor],
    // Without baggage: what a client sends along would be copied into every workflow's history.
    textMapPropagator: new core.W3CTraceContextPropagator(),
    // Prometheus and pino carry the metrics and the logs; left open, the SDK sends both to a collector on its own.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  // The plugin's types are those of OpenTelemetry 1.x; at runtime it only passes both on and calls `onEnd`.
  const plugin = new OpenTelemetryPlugin({ resource, spanProcessor } as unknown as OpenTelemetryPluginOptions);
  return { sdk, plugins: [plugin], handles: 0 };
}

function exporters({ telemetry }: TelemetryConfig, logger: Logger): tracing.SpanExporter[] {
  const found: tracing.SpanExporter[] = [];
  if (telemetry.zipkinUrl !== undefined) {
    const exporter = new ZipkinExporter({ url: `${telemetry.zipkinUrl}/api/v2/spans` });
    found.push(new ReportingExporter(exporter, `Zipkin at ${telemetry.zipkinUrl}`, logger, EXPORT_TIMEOUT_MS));
  }
  if (telemetry.otlpTracesUrl !== undefined) {
    const exporter = new OTLPTraceExporter({ url: telemetry.otlpTracesUrl });
    const name = `the OpenTelemetry collector at ${telemetry.otlpTracesUrl}`;
    found.push(new ReportingExporter(exporter, name, logger, EXPORT_TIMEOUT_MS));
  }
  return found;
}

/** Returns the current trace id, 32 hexadecimal digits; all zeros if nothing is traced. */
export function currentTraceId(): string {
  return trace.getActiveSpan()?.spanContext().traceId ?? INVALID_TRACEID;
}

/** Returns the current W3C `traceparent`; all zeros, which every reader ignores, if nothing is traced. */
export function currentTraceparent(): string {
  const span = trace.getActiveSpan()?.spanContext();
  const flags = (span?.traceFlags ?? TraceFlags.NONE).toString(16).padStart(2, '0');
  return `00-${span?.traceId ?? INVALID_TRACEID}-${span?.spanId ?? INVALID_SPANID}-${flags}`;
}

/** Reads a W3C `traceparent` from outside; returns undefined if it is not valid. */
export function parseTraceparent(traceparent: unknown): SpanContext | undefined {
  const parsed = typeof traceparent === 'string' ? core.parseTraceParent(traceparent) : null;
  return parsed === null
    ? undefined
    : { ...parsed, traceFlags: parsed.traceFlags & TraceFlags.SAMPLED, isRemote: true };
}

/** Returns the context that continues the trace of a `traceparent`, or the active one if there is none to continue. */
export function contextOf(traceparent: unknown): Context {
  const parent = parseTraceparent(traceparent);
  return parent === undefined ? context.active() : trace.setSpanContext(ROOT_CONTEXT, parent);
}
