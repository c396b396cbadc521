import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { NodeSDK, tracing } from '@opentelemetry/sdk-node';
import { fastify, type FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { addRequestMetrics, createMetrics, metricsPage } from './metrics.ts';
import { addRequestTracing, annotateSpan, joinTrace, recordSpanError, withSpan } from './spans.ts';
import { traceStatements } from './sql-tracing.ts';
import { currentTraceId } from './telemetry.ts';

const TRACE_ID = '654f54b90d7ed003c4d05fad87e5a925';
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;

const exporter = new tracing.InMemorySpanExporter();
const sdk = new NodeSDK({
  autoDetectResources: false,
  spanProcessors: [new tracing.SimpleSpanProcessor(exporter)],
  metricReaders: [],
  logRecordProcessors: [],
});

beforeAll(() => sdk.start());
afterAll(() => sdk.shutdown());
afterEach(() => exporter.reset());

/** Span ids differ from run to run; what hangs below what is told by names. */
function spans() {
  const finished = exporter.getFinishedSpans();
  return finished.map((span) => ({
    name: span.name,
    kind: span.kind,
    traceId: span.spanContext().traceId,
    parent:
      finished.find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId)?.name ??
      span.parentSpanContext?.spanId,
    attributes: span.attributes,
    status: span.status,
  }));
}

/** Over a real connection, as its body then arrives in events of a socket. */
async function post(app: FastifyInstance, path: string, headers: Record<string, string> = {}) {
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const body = JSON.stringify({ some: 'body'.repeat(50_000) });
  const answer = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await answer.text();
  await app.close();
  return text;
}

test('a request is a server span, named by its route, in the trace of its traceparent', async () => {
  const app = fastify();
  addRequestTracing(app, { parent: 'headers' });
  app.post('/api/customer/:customerID/create', async () =>
    withSpan('step', {}, async () => {
      annotateSpan({ 'order.id': '68ce52f4cdbf4a483de63446' });
      return currentTraceId();
    }),
  );
  const answer = await post(app, '/api/customer/somebody/create', { traceparent: TRACEPARENT });
  expect(answer).toBe(TRACE_ID);
  expect(spans()).toMatchObject([
    { name: 'step', traceId: TRACE_ID, parent: 'POST /api/customer/{customerID}/create' },
    {
      name: 'POST /api/customer/{customerID}/create',
      kind: SpanKind.SERVER,
      traceId: TRACE_ID,
      parent: '00f067aa0ba902b7',
      attributes: { 'http.response.status_code': 200, 'http.route': '/api/customer/{customerID}/create' },
    },
  ]);
});

test('a traceparent that is none starts a trace of its own', async () => {
  const app = fastify();
  addRequestTracing(app, { parent: 'headers' });
  app.post('/create', async () => currentTraceId());
  const answer = await post(app, '/create', { traceparent: 'nonsense' });
  expect(answer).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(spans()).toMatchObject([{ name: 'POST /create', traceId: answer, parent: undefined }]);
});

test('a request of later parentage joins the trace that its body names', async () => {
  const app = fastify();
  addRequestTracing(app, { parent: 'later' });
  app.post('/webhook', async (request) =>
    joinTrace(request, TRACEPARENT, async () => withSpan('signal', {}, async () => currentTraceId())),
  );
  const answer = await post(app, '/webhook');
  expect(answer).toBe(TRACE_ID);
  expect(spans()).toMatchObject([
    { name: 'signal', parent: 'POST /webhook' },
    { name: 'POST /webhook', traceId: TRACE_ID, parent: '00f067aa0ba902b7' },
  ]);
});

test('a request that never joins a trace has one of its own', async () => {
  const app = fastify();
  addRequestTracing(app, { parent: 'later' });
  app.post('/webhook', async (_request, reply) => reply.code(400).send('unsigned'));
  await post(app, '/webhook', { traceparent: TRACEPARENT });
  expect(spans()).toMatchObject([{ parent: undefined, attributes: { 'http.response.status_code': 400 } }]);
  expect(spans()[0]?.traceId).not.toBe(TRACE_ID);
});

test('a fault of ours shows in the span, without the secret in its message', async () => {
  const app = fastify();
  addRequestTracing(app, { parent: 'headers' });
  app.setErrorHandler((error, _request, reply) => {
    recordSpanError(error);
    return reply.code(503).send('away');
  });
  app.post('/create', async () =>
    withSpan('step', {}, () => Promise.reject(new Error('no postgres://orders:canary@db/orders'))),
  );
  await post(app, '/create');
  expect(spans()).toMatchObject([
    { name: 'step', status: { code: SpanStatusCode.ERROR, message: 'no postgres://orders:[redacted]@db/orders' } },
    { name: 'POST /create', status: { code: SpanStatusCode.ERROR } },
  ]);
  expect(JSON.stringify(exporter.getFinishedSpans().map(({ events }) => events))).not.toContain('canary');
});

test('named statements and the end of a transaction are spans, once each, and only within a trace', async () => {
  const asked: unknown[] = [];
  type Callback = (error: null, result: string) => void;
  /** As pg does it: the pool hands a statement to a connection with a callback. */
  const connection = {
    query(statement: unknown, ...rest: unknown[]) {
      asked.push(statement);
      const callback = rest.at(-1);
      return typeof callback === 'function' ? (callback as Callback)(null, 'rows') : Promise.resolve('rows');
    },
  };
  let traceConnection: (connected: unknown) => void = () => undefined;
  const pool = {
    query: (statement: unknown) =>
      new Promise((resolve) => {
        void connection.query(statement, (_error: null, result: string) => resolve(result));
      }),
    on: (_event: string, listener: (connected: unknown) => void) => (traceConnection = listener),
  };
  traceStatements(pool as unknown as Pool);
  traceConnection(connection);

  await pool.query({ name: 'orders.find', text: 'SELECT' });
  expect(spans()).toEqual([]);
  await withSpan('activity', {}, async () => {
    expect(await pool.query({ name: 'orders.find', text: 'SELECT' })).toBe('rows');
    await connection.query('BEGIN');
    expect(await connection.query({ name: 'items.take', text: 'UPDATE' })).toBe('rows');
    await connection.query('COMMIT');
    await pool.query('SELECT 1');
  });
  expect(asked).toHaveLength(6);
  expect(spans()).toMatchObject([
    { name: 'orders.find', kind: SpanKind.CLIENT, parent: 'activity' },
    { name: 'items.take', parent: 'activity' },
    { name: 'COMMIT', parent: 'activity' },
    { name: 'activity' },
  ]);
});

test('the page of metrics has our events, requests by route, what is watched, and the metrics of others', async () => {
  const metrics = createMetrics();
  const app = fastify();
  addRequestMetrics(app, metrics);
  app.post('/api/customer/:customerID/create', async () => 'made');
  await post(app, '/api/customer/somebody/create');
  metrics.createAnswered('created');
  metrics.stripeEventTaken('checkout.session.completed', 'delivered');
  metrics.watch('orders_open', 'Open orders.', ['status'], async () => [{ labels: { status: 'PAID' }, value: 3 }]);
  metrics.watch('broken', 'A gauge that cannot be read.', ['of'], () => Promise.reject(new Error('away')));
  const page = await metricsPage(metrics, async () => '# TYPE temporal_x gauge\ntemporal_x 1\n').text();
  const lines = page.split('\n');
  expect(lines).toContain('order_creates_total{result="created"} 1');
  expect(lines).toContain('stripe_events_total{type="checkout.session.completed",outcome="delivered"} 1');
  expect(lines).toContain('orders_open{status="PAID"} 3');
  expect(lines).toContain('temporal_x 1');
  expect(lines).toContain(
    'http_server_request_duration_seconds_count{method="POST",route="/api/customer/{customerID}/create",status_code="200"} 1',
  );
  expect(lines.filter((line) => line.startsWith('broken'))).toEqual([]);
  const withoutOthers = await metricsPage(metrics, () => Promise.reject(new Error('no workers yet'))).text();
  expect(withoutOthers).toContain('orders_open');
});
