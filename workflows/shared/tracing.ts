import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import type { OpenTelemetrySinks, SerializableSpan } from '@temporalio/interceptors-opentelemetry';
import { ContinueAsNew, proxySinks, workflowInfo, type WorkflowInterceptors } from '@temporalio/workflow';

/*
 * A workflow's spans, for the sink of `@temporalio/interceptors-opentelemetry`, whose interceptors of client and activities
 * are at the other ends. Its interceptor of workflows brings OpenTelemetry 1.x into the sandbox: 117 modules for each
 * workflow, and an AsyncLocalStorage for each, which makes every promise of a thread carry one entry for each workflow in
 * the cache.
 *
 * Refused updates and queries make no spans here. They are not in the history, so a replay would not draw their ids, and a
 * span that began before it would end under another id.
 */

const { exporter } = proxySinks<OpenTelemetrySinks>();

const TRACE_HEADER = '_tracer-data';
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
const SAMPLED = 1;
const INTERNAL_KIND = 0;
const STATUS_OK = { code: 1 };
const STATUS_ERROR = 2;

type SpanContext = SerializableSpan['spanContext'];

/** A span that has not ended. */
type OpenSpan = {
  readonly name: string;
  readonly context: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly startedAtMs: number;
  readonly attributes: SerializableSpan['attributes'];
};

/** Makes spans of what a workflow does. What it starts hangs below its own span, and its log lines carry its trace. */
export function interceptors(): WorkflowInterceptors {
  let run: OpenSpan | undefined;

  /** Starts something that takes the trace on in its headers; its span ends with it. */
  async function startBelow<Input extends { readonly headers: Headers }, Result>(
    name: string,
    input: Input,
    next: (input: Input) => Promise<Result>,
  ): Promise<Result> {
    const span = startSpan(name, run?.context);
    return endWith(span, () => next({ ...input, headers: withTrace(input.headers, span.context) }));
  }

  return {
    inbound: [
      {
        execute: async (input, next) => {
          run = startSpan(`RunWorkflow:${workflowInfo().workflowType}`, parentIn(input.headers));
          return endWith(run, () => next(input));
        },
        handleSignal: async (input, next) =>
          endWith(startSpan(`HandleSignal:${input.signalName}`, parentIn(input.headers)), () => next(input)),
        handleUpdate: async (input, next) => {
          const attributes = { temporalUpdateId: input.updateId };
          const span = startSpan(`HandleUpdate:${input.name}`, parentIn(input.headers), attributes);
          return endWith(span, () => next(input));
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: async (input, next) => startBelow(`StartActivity:${input.activityType}`, input, next),
        scheduleLocalActivity: async (input, next) => startBelow(`StartActivity:${input.activityType}`, input, next),
        startChildWorkflowExecution: async (input, next) =>
          startBelow(`StartChildWorkflow:${input.workflowType}`, input, next),
        signalWorkflow: async (input, next) => startBelow(`SignalWorkflow:${input.signalName}`, input, next),
        continueAsNew: async (input, next) => startBelow(`ContinueAsNew:${input.options.workflowType}`, input, next),
        getLogAttributes: (input, next) =>
          next(run === undefined ? input : { trace_id: run.context.traceId, ...input }),
      },
    ],
  };
}

function startSpan(name: string, parent?: SpanContext, attributes: SerializableSpan['attributes'] = {}): OpenSpan {
  const context = {
    spanId: randomHex(16),
    traceId: parent?.traceId ?? randomHex(32),
    traceFlags: parent?.traceFlags ?? SAMPLED,
    ...(parent?.traceState !== undefined && { traceState: parent.traceState }),
  };
  return { name, context, parent, attributes, startedAtMs: Date.now() };
}

/** Ends the span when this ends, as it ends. */
async function endWith<Result>(span: OpenSpan, step: () => Promise<Result>): Promise<Result> {
  try {
    const result = await step();
    endSpan(span, STATUS_OK, []);
    return result;
  } catch (error) {
    if (error instanceof ContinueAsNew) {
      endSpan(span, STATUS_OK, []);
    } else {
      const [type, message] = error instanceof Error ? [error.name, error.message] : [typeof error, String(error)];
      const attributes = { 'exception.type': type, 'exception.message': message };
      endSpan(span, { code: STATUS_ERROR, message }, [{ name: 'exception', time: toHrTime(Date.now()), attributes }]);
    }
    throw error;
  }
}

function endSpan(span: OpenSpan, status: SerializableSpan['status'], events: SerializableSpan['events']): void {
  const { name, context, parent, startedAtMs, attributes } = span;
  // The sink drops what comes in a replay, but only after it has been sent from one thread to the other.
  if ((context.traceFlags & SAMPLED) === 0 || workflowInfo().unsafe.isReplaying) return;
  const endedAtMs = Date.now();
  exporter.export([
    {
      name,
      kind: INTERNAL_KIND,
      spanContext: context,
      ...(parent !== undefined && { parentSpanId: parent.spanId }),
      startTime: toHrTime(startedAtMs),
      endTime: toHrTime(endedAtMs),
      duration: toHrTime(endedAtMs - startedAtMs),
      ended: true,
      status,
      attributes,
      events,
      links: [],
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
      instrumentationLibrary: { name: '@temporalio/interceptor-workflow' },
    },
  ]);
}

/** Who called, as W3C trace context in Temporal's headers; undefined if nobody said so, or not in a form that is known. */
function parentIn(headers: Headers): SpanContext | undefined {
  const payload = headers[TRACE_HEADER];
  if (payload === undefined) return undefined;
  const { traceparent, tracestate } = defaultPayloadConverter.fromPayload<Readonly<Record<string, string>>>(payload);
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    ...(tracestate !== undefined && { traceState: tracestate }),
  };
}

function withTrace(headers: Headers, { traceId, spanId, traceFlags, traceState }: SpanContext): Headers {
  const carrier = {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    ...(traceState !== undefined && { tracestate: traceState }),
  };
  return { ...headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
}

/** From the workflow's own random numbers: a replay draws the same ids, so what was started before still has its parent. */
function randomHex(digits: number): string {
  let hex = '';
  for (let digit = 0; digit < digits; digit += 1) hex += Math.floor(Math.random() * 16).toString(16);
  return hex;
}

/** Seconds and nanoseconds, as OpenTelemetry writes a time. */
function toHrTime(ms: number): [number, number] {
  return [Math.trunc(ms / 1000), (ms % 1000) * 1_000_000];
}
