import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type HrTime, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { tracing } from '@opentelemetry/sdk-node';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from './logger.ts';
import { TemporalSpanProcessor } from './telemetry-export.ts';
import { contextOf, currentTraceId, currentTraceparent, parseTraceparent, startTelemetry } from './telemetry.ts';

const TRACEPARENT = '00-654f54b90d7ed003c4d05fad87e5a925-00f067aa0ba902b7-01';

type Received = { readonly path: string; readonly body: string };

/** Takes what exporters send, or refuses it. */
class Collector {
  readonly received: Received[] = [];
  answer = 202;
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.received.push({ path: request.url ?? '', body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(this.answer).end();
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let collector: Collector;
let url: string;
const lines: { readonly level: string; readonly msg: string }[] = [];
const logger = createLogger({ production: true, logLevel: 'info' }, 'test', {
  write: (line) => void lines.push(JSON.parse(line)),
});

beforeEach(async () => {
  lines.length = 0;
  collector = new Collector();
  url = await collector.start();
});
afterEach(() => collector.stop());

function start(settings: { zipkinUrl?: string; otlpTracesUrl?: string }) {
  const telemetry = { zipkinUrl: undefined, otlpTracesUrl: undefined, ...settings };
  return startTelemetry({ serviceName: 'orders-api', config: { telemetry }, logger });
}

function oneSpan(name = 'step'): string {
  return trace.getTracer('test').startActiveSpan(name, (span) => {
    span.end();
    return currentTraceId();
  });
}

test('trace ids are real without a place to send them to, and zeros without tracing', async () => {
  expect(oneSpan()).toBe('0'.repeat(32));
  const telemetry = start({});
  expect(oneSpan()).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  await telemetry.shutdown();
  expect(oneSpan()).toBe('0'.repeat(32));
});

test('spans reach Zipkin under the name of the service, also after a second start', async () => {
  for (const round of [1, 2]) {
    const telemetry = start({ zipkinUrl: url });
    const traceId = oneSpan(`step ${round}`);
    await telemetry.shutdown();
    const [sent] = collector.received.splice(0);
    expect(sent?.path).toBe('/api/v2/spans');
    expect(JSON.parse(sent?.body ?? '')).toMatchObject([
      { traceId, name: `step ${round}`, localEndpoint: { serviceName: 'orders-api' } },
    ]);
  }
});

test('parts of one process share its tracing, and the last one to stop ends it', async () => {
  const first = start({ zipkinUrl: url });
  const second = start({ zipkinUrl: url });
  await first.shutdown();
  await first.shutdown();
  oneSpan('after the first has stopped');
  await second.shutdown();
  expect(collector.received.map(({ body }) => body).join('')).toContain('after the first has stopped');
});

test('spans reach an OpenTelemetry collector', async () => {
  collector.answer = 200;
  const telemetry = start({ otlpTracesUrl: `${url}/v1/traces` });
  oneSpan('to the collector');
  await telemetry.shutdown();
  expect(collector.received).toMatchObject([{ path: '/v1/traces', body: expect.stringContaining('to the collector') }]);
});

test('while Zipkin is down there is one warning; when it is back one line, and what was kept is sent', async () => {
  collector.answer = 503;
  const telemetry = start({ zipkinUrl: url });
  const lost = [];
  for (const round of [1, 2, 3]) {
    lost.push(oneSpan());
    await vi.waitFor(() => expect(collector.received.length).toBeGreaterThanOrEqual(round), { timeout: 10_000 });
  }
  collector.answer = 202;
  collector.received.splice(0);
  await vi.waitFor(() => expect(lines).toHaveLength(2), { timeout: 10_000 });
  await telemetry.shutdown();
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ['warn', `Traces can't be sent to Zipkin at ${url}; orders go on without them until it is back`],
    ['info', `Traces are sent to Zipkin at ${url} again`],
  ]);
  const sent = collector.received.map(({ body }) => body).join('');
  for (const traceId of lost) expect(sent).toContain(traceId);
});

test('spans that are refused for what they are do not hold up others', async () => {
  collector.answer = 400;
  const telemetry = start({ zipkinUrl: url });
  const refused = oneSpan();
  await vi.waitFor(() => expect(lines).toHaveLength(1), { timeout: 10_000 });
  collector.answer = 202;
  collector.received.splice(0);
  const next = oneSpan();
  await telemetry.shutdown();
  const sent = collector.received.map(({ body }) => body).join('');
  expect(sent).toContain(next);
  expect(sent).not.toContain(refused);
});

test('a traceparent is read where it is well-formed, and continued', async () => {
  for (const wrong of [
    undefined,
    7,
    '',
    'x',
    TRACEPARENT.replace('654f', 'zzzz'),
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  ]) {
    expect(parseTraceparent(wrong)).toBeUndefined();
  }
  expect(parseTraceparent(TRACEPARENT.replace(/01$/, 'ff'))?.traceFlags).toBe(TraceFlags.SAMPLED);
  const telemetry = start({});
  trace.getTracer('test').startActiveSpan('step', {}, contextOf(TRACEPARENT), (span) => {
    expect(currentTraceparent()).toMatch(/^00-654f54b90d7ed003c4d05fad87e5a925-[0-9a-f]{16}-01$/);
    span.end();
  });
  await telemetry.shutdown();
});

test('a span of a workflow keeps its parent and loses what is no attribute', async () => {
  const exporter = new tracing.InMemorySpanExporter();
  const processor = new TemporalSpanProcessor([new tracing.SimpleSpanProcessor(exporter)]);
  const time: HrTime = [1, 0];
  const traceId = '654f54b90d7ed003c4d05fad87e5a925';
  const ofVersion1 = {
    name: 'RunWorkflow:orderLifecycle',
    kind: SpanKind.INTERNAL,
    spanContext: () => ({ traceId, spanId: '00f067aa0ba902b7', traceFlags: TraceFlags.SAMPLED }),
    parentSpanId: '53995c3f42cd8ad8',
    startTime: time,
    endTime: time,
    duration: time,
    status: { code: SpanStatusCode.OK },
    attributes: { workflowId: '68ce52f4cdbf4a483de63446', memo: { customer: 'somebody' }, searchAttributes: {} },
    links: [],
    events: [],
    ended: true,
    resource: { attributes: {} },
    instrumentationLibrary: { name: '@temporalio/interceptor-workflow' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
  processor.onEnd(ofVersion1 as never);
  await processor.forceFlush();
  expect(exporter.getFinishedSpans()).toMatchObject([
    {
      parentSpanContext: { traceId, spanId: '53995c3f42cd8ad8' },
      instrumentationScope: { name: '@temporalio/interceptor-workflow' },
    },
  ]);
  expect(exporter.getFinishedSpans()[0]?.attributes).toEqual({ workflowId: '68ce52f4cdbf4a483de63446' });
});
