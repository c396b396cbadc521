import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUND_ORDER, taskQueues } from '../contracts/messages.ts';
import { withSpan } from '../platform/spans.ts';
import { currentTraceId } from '../platform/telemetry.ts';
import type { ManagedProcess } from '../dev/stack/managed-process.ts';
import { freePort } from '../platform/free-port.ts';
import { openStateFolder } from '../dev/stack/state-folder.ts';
import { planZipkin } from '../dev/stack/zipkin.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'order-backend-zipkin-'));
const { folder: state } = await openStateFolder(folder);
const ignore = () => undefined;
const log = { up: ignore, progress: console.info, warn: console.info };
const events = { died: ignore, keepsDying: ignore, restarted: ignore };
const zipkin = await planZipkin(await freePort(), state, log, events);
const missing = 'missing' in zipkin ? zipkin.missing : undefined;

type Span = {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  /** Zipkin keeps names in small letters. */
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
};

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(missing !== undefined)(`traces in a real Zipkin${missing === undefined ? '' : ` (${missing})`}`, () => {
  let server: ManagedProcess | undefined;
  let url: string;
  let world: World;

  beforeAll(async () => {
    if ('missing' in zipkin) return;
    ({ url } = zipkin);
    server = await zipkin.create?.(AbortSignal.timeout(240_000));
    await server?.start();
    world = await startWorld({ ZIPKIN_URL: url });
  }, 300_000);
  afterAll(async () => {
    await world?.stop();
    await server?.stop();
  });

  /** Reads a trace once it has this span and is whole: spans are sent in batches, and a root may come after the others. */
  async function readTrace(traceId: string, lastName: string): Promise<Span[]> {
    return world.until(async () => {
      const answer = await fetch(`${url}/api/v2/trace/${traceId}`);
      expect(answer.status).toBe(200);
      const spans = (await answer.json()) as Span[];
      expect(spans.map(({ name }) => name)).toContain(lastName);
      expectConnected(spans);
      return spans;
    });
  }

  test('a paid order is one tree: request, workflow, activities with SQL and Stripe, webhook, end', async () => {
    await world.stripe.addFault({
      method: 'POST',
      path: '/v1/checkout/sessions',
      action: { type: 'error', status: 503 },
    });
    const created = await world.create('customer-of-a-trace', [{ itemID: PENCIL, quantity: 1 }]);
    const { order_id: orderId } = created.body.data;
    const order = await world.untilStatus(orderId, 'WAITING_FOR_PAYMENT');
    // A worker that has to replay the workflow must not send its spans a second time.
    await world.stopWorker('orders');
    await world.startWorker('orders');
    await world.pay(order);
    await world.untilStatus(orderId, 'FINISHED');
    await world.workflowResult(orderId);

    const spans = await readTrace(created.body.traceID, 'runworkflow:orderlifecycle');
    const paths = pathsOf(spans);
    const root = 'post /api/customer/{customerid}/create';
    const run = `${root} > updatewithstartworkflow:create > runworkflow:orderlifecycle`;
    const activity = (name: string) => `${run} > startactivity:${name} > runactivity:${name}`;
    expect(paths).toEqual(
      expect.arrayContaining([
        `${root} > updatewithstartworkflow:create > handleupdate:create`,
        `${activity('holdstock')} > items.take`,
        `${activity('holdstock')} > commit`,
        `${activity('recordorder')} > orders.insert`,
        `${activity('createcheckoutsession')} > stripe post /v1/checkout/sessions`,
        `${activity('recordtimelineentry')} > orders.append-entry`,
        `${root} > post /webhook > signalworkflow:stripeevent > handlesignal:stripeevent`,
        activity('fulfillorder'),
      ]),
    );
    const count = (name: string) => spans.filter((span) => span.name === name).length;
    expect(count('runworkflow:orderlifecycle')).toBe(1);
    expect(count('runactivity:holdstock')).toBe(1);
    expect(count('startactivity:createcheckoutsession')).toBe(1);
    expect(count('startactivity:recordtimelineentry')).toBe(3);

    const attempts = spans.filter(({ name }) => name === 'runactivity:createcheckoutsession');
    expect(new Set(attempts.map(({ tags }) => tags?.['otel.status_code']))).toEqual(new Set(['ERROR', 'OK']));
    expect(spans.find(({ name }) => name === root)?.tags).toMatchObject({
      'order.id': orderId,
      'customer.id': 'customer-of-a-trace',
      'http.response.status_code': '200',
    });
    const written = spans.filter(({ name }) => name === 'runactivity:recordtimelineentry');
    expect(new Set(written.map(({ tags }) => tags?.['order.status']))).toEqual(
      new Set(['WAITING_FOR_PAYMENT', 'PAID', 'FINISHED']),
    );
  });

  test('a refund after the end is one tree too', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order);
    await world.untilStatus(order.orderId, 'FINISHED');
    const { client } = world;
    const traceId = await withSpan('operator refunds', {}, async () => {
      await client.workflow.execute(REFUND_ORDER, {
        workflowId: `refund-${order.orderId}`,
        taskQueue: taskQueues(world.config.temporal.taskQueuePrefix).orders,
        args: [{ orderId: order.orderId, request: { restock: true, reason: 'A test.' }, stripeRetryMaxMs: 1_000 }],
      });
      return currentTraceId();
    });
    const spans = await readTrace(traceId, 'runworkflow:refundorder');
    const run = 'operator refunds > startworkflow:refundorder > runworkflow:refundorder';
    expect(pathsOf(spans)).toEqual(
      expect.arrayContaining([
        `${run} > startactivity:refundpayment > runactivity:refundpayment > stripe post /v1/refunds`,
        `${run} > startactivity:givebackstock > runactivity:givebackstock > commit`,
        `${run} > startactivity:recordtimelineentry > runactivity:recordtimelineentry > orders.append-entry`,
      ]),
    );
  });
});

/** One root, no span without its parent, and no span twice. */
function expectConnected(spans: readonly Span[]): void {
  const ids = spans.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(spans.filter(({ parentId }) => parentId === undefined)).toHaveLength(1);
  expect(spans.filter(({ parentId }) => parentId !== undefined && !ids.includes(parentId))).toEqual([]);
}

/** Each span as the names from the root to it. */
function pathsOf(spans: readonly Span[]): string[] {
  const byId = new Map(spans.map((span) => [span.id, span]));
  const pathOf = (span: Span): string => {
    const parent = span.parentId === undefined ? undefined : byId.get(span.parentId);
    return parent === undefined ? span.name : `${pathOf(parent)} > ${span.name}`;
  };
  return spans.map(pathOf);
}
