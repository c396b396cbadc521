import { type Attributes, context, ROOT_CONTEXT, type SpanContext } from '@opentelemetry/api';
import { core, type tracing } from '@opentelemetry/sdk-node';
import type { Logger } from './logger.ts';

/** A span as Temporal's workflow sandbox hands it over: that of OpenTelemetry 1.x. */
type SpanOfVersion1 = Omit<tracing.ReadableSpan, 'instrumentationScope' | 'parentSpanContext'> & {
  readonly parentSpanId?: string;
  readonly instrumentationLibrary: tracing.ReadableSpan['instrumentationScope'];
};

/**
 * Of a workflow's attributes these are kept. Temporal's plugin adds all of `workflowInfo()`, memo and objects included.
 */
const WORKFLOW_ATTRIBUTES = new Set([
  'temporalWorkflowId',
  'temporalUpdateId',
  'workflowId',
  'runId',
  'workflowType',
  'taskQueue',
]);

/**
 * Passes ended spans on, and makes a workflow's spans readable for exporters of OpenTelemetry 2.x on the way.
 *
 * `@temporalio/interceptors-opentelemetry` is built on 1.x, where a span names its parent in `parentSpanId`; exporters
 * of 2.x read `parentSpanContext`, and without this an order falls apart into a dozen roots.
 */
export class TemporalSpanProcessor implements tracing.SpanProcessor {
  readonly #next: readonly tracing.SpanProcessor[];

  constructor(next: readonly tracing.SpanProcessor[]) {
    this.#next = next;
  }

  onStart(...args: Parameters<tracing.SpanProcessor['onStart']>): void {
    for (const processor of this.#next) {
      processor.onStart(...args);
    }
  }

  onEnd(span: tracing.ReadableSpan | SpanOfVersion1): void {
    const readable = 'instrumentationLibrary' in span ? toVersion2(span) : span;
    for (const processor of this.#next) {
      processor.onEnd(readable);
    }
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#next.map(async (processor) => processor.forceFlush()));
  }

  async shutdown(): Promise<void> {
    await Promise.all(this.#next.map(async (processor) => processor.shutdown()));
  }
}

function toVersion2(span: SpanOfVersion1): tracing.ReadableSpan {
  const { instrumentationLibrary, parentSpanId, ...rest } = span;
  const attributes: Attributes = Object.fromEntries(
    Object.entries(span.attributes).filter(([name]) => WORKFLOW_ATTRIBUTES.has(name)),
  );
  const { traceId, traceFlags } = span.spanContext();
  const parent: SpanContext | undefined =
    parentSpanId === undefined ? undefined : { traceId, traceFlags, spanId: parentSpanId };
  return {
    ...rest,
    attributes,
    instrumentationScope: instrumentationLibrary,
    ...(parent && { parentSpanContext: parent }),
  };
}

/** Spans that are kept while they can't be sent, the newest; some hundred orders, and about two megabytes. */
const MAX_KEPT_SPANS = 2000;
const RETRY_INTERVAL_MS = 2000;

/**
 * Sends spans, and says it once when they cannot be sent and once when they can again. An order never waits for its
 * trace: whoever hands spans over always hears of success. What could not be sent is kept for a while and sent later.
 */
export class ReportingExporter implements tracing.SpanExporter {
  readonly #exporter: tracing.SpanExporter;
  readonly #name: string;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  #away = false;
  #kept: tracing.ReadableSpan[] = [];
  #retry: NodeJS.Timeout | undefined;

  /**
   * @param name the destination of the spans, for the log
   * @param timeoutMs how long one batch may take, and the end of the exporter
   */
  constructor(exporter: tracing.SpanExporter, name: string, logger: Logger, timeoutMs: number) {
    this.#exporter = exporter;
    this.#name = name;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
  }

  export(spans: tracing.ReadableSpan[], done: (result: core.ExportResult) => void): void {
    const batch = [...this.#kept.splice(0), ...spans];
    let settled = false;
    const settle = (problem: string | undefined, worthKeeping = true) => {
      if (settled) {
        return;
      }
      settled = true;
      clearTimeout(timer);
      // Outside the trace that happened to start this batch: the line is not about that order.
      context.with(ROOT_CONTEXT, () => this.#report(problem));
      if (problem !== undefined && worthKeeping) {
        // One that was taken without an answer comes twice; by its id it is the same span.
        this.#kept = [...batch, ...this.#kept].slice(-MAX_KEPT_SPANS);
        this.#retry ??= setTimeout(() => this.#sendKept(), RETRY_INTERVAL_MS).unref();
      }
      done({ code: core.ExportResultCode.SUCCESS });
    };
    const timer = setTimeout(() => settle(`no answer in ${this.#timeoutMs} ms`), this.#timeoutMs);
    timer.unref();
    this.#exporter.export(batch, ({ code, error }) => {
      if (code === core.ExportResultCode.SUCCESS) settle(undefined);
      else settle(error?.message ?? 'refused', !isRefusal(error));
    });
  }

  async shutdown(): Promise<void> {
    clearTimeout(this.#retry);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#timeoutMs);
    });
    await Promise.race([this.#exporter.shutdown(), deadline]);
    clearTimeout(timer);
  }

  #sendKept(): void {
    this.#retry = undefined;
    if (this.#kept.length > 0) {
      this.export([], () => undefined);
    }
  }

  #report(problem: string | undefined): void {
    if (problem !== undefined && !this.#away) {
      this.#logger.warn(
        { problem },
        `Traces can't be sent to ${this.#name}; orders go on without them until it is back`,
      );
    }
    if (problem === undefined && this.#away) {
      this.#logger.info(`Traces are sent to ${this.#name} again`);
    }
    this.#away = problem !== undefined;
  }
}

/** Whether the spans themselves were not taken (4xx): sent again they would hold up all that come after them. */
function isRefusal(error: Error | undefined): boolean {
  const code: unknown = error !== undefined && 'code' in error ? error.code : undefined;
  const status =
    typeof code === 'number' ? code : Number(/status code from zipkin: (\d+)/.exec(error?.message ?? '')?.[1]);
  return status >= 400 && status < 500;
}
