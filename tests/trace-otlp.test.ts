import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PENCIL, startWorld, type World } from './support/world.ts';

/** The fields of OpenTelemetry's protocol that make a tree; a reader skips those that it doesn't know. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { repeated ScopeSpans scope_spans = 2; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span { bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; }
`);
const requestType = root.lookupType('Request');

type Span = { readonly traceId: string; readonly spanId: string; readonly parentSpanId: string; readonly name: string };
type Request = { readonly resourceSpans: { readonly scopeSpans: { readonly spans: readonly Encoded<Span>[] }[] }[] };
type Encoded<T> = { readonly [K in keyof T]: K extends 'name' ? string : Buffer };

const received: Span[] = [];
let collector: Server;
let world: World;

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { resourceSpans } = requestType.toObject(requestType.decode(await buffer(request)), {
    arrays: true,
  }) as Request;
  const hex = (bytes: Buffer | undefined): string => bytes?.toString('hex') ?? '';
  for (const { spans } of resourceSpans.flatMap(({ scopeSpans }) => scopeSpans)) {
    for (const { traceId, spanId, parentSpanId, name } of spans) {
      received.push({ traceId: hex(traceId), spanId: hex(spanId), parentSpanId: hex(parentSpanId), name });
    }
  }
  response.writeHead(request.url === '/v1/traces' ? 200 : 404).end();
}

beforeAll(async () => {
  collector = createServer((request, response) => void receive(request, response)).listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  world = await startWorld({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
});
afterAll(async () => {
  await world?.stop();
  collector.closeAllConnections();
  collector.close();
});

test('an OpenTelemetry collector gets a paid order as one tree', async () => {
  const created = await world.create('customer-of-a-trace', [{ itemID: PENCIL, quantity: 1 }]);
  const { order_id: orderId } = created.body.data;
  await world.pay(await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT'));
  await world.untilStatus(orderId, 'FINISHED');
  await world.workflowResult(orderId);
  await world.until(() => {
    const spans = received.filter(({ traceId }) => traceId === created.body.traceID);
    const names = spans.map(({ name }) => name);
    // A workflow sends its own span when it ends, and what is above it may be sent after it.
    expect(names).toContain('RunWorkflow:orderLifecycle');
    expect(names).toContain('POST /webhook');
    const ids = spans.map(({ spanId }) => spanId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(spans.filter(({ parentSpanId }) => !ids.includes(parentSpanId)).map(({ name }) => name)).toEqual([
      'POST /api/customer/{customerID}/create',
    ]);
  });
});

test('a client that does not sample its trace gets no span of an order, neither here nor in the workflow', async () => {
  const traceId = 'd'.repeat(32);
  const traceparent = `00-${traceId}-${'e'.repeat(16)}-00`;
  const order = { customerID: 'unsampled', items: [{ itemID: PENCIL, quantity: 1 }] };
  const created = await world.post<{ order_id: string }>('/api/customer/unsampled/create', order, { traceparent });
  expect(created.body.traceID).toBe(traceId);
  const { order_id: orderId } = created.body.data;
  await world.pay(await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT'));
  await world.untilStatus(orderId, 'FINISHED');
  await world.workflowResult(orderId);
  // A sampled order after it: when its last span is here, those of the first would be.
  const sampled = await world.create('sampled', [{ itemID: PENCIL, quantity: 1 }]);
  await world.pay(await world.untilStatus(sampled.body.data.order_id, 'WAITING_FOR_PAYMENT'));
  await world.until(() => {
    const ofOrder = received.filter((span) => span.traceId === sampled.body.traceID);
    expect(ofOrder.map(({ name }) => name)).toContain('RunWorkflow:orderLifecycle');
  });
  expect(received.filter((span) => span.traceId === traceId)).toEqual([]);
});
