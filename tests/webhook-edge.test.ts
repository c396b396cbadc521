import { randomBytes } from 'node:crypto';
import { Client, type Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createOrderWorkflowClient } from '../api/order-workflow-client.ts';
import { createWebhookReceiver } from '../api/webhook.ts';
import { createEventDelivery } from '../api/webhook/delivery.ts';
import { aftercareWorkflowId, taskQueues } from '../contracts/messages.ts';
import { createDatabase, type Database } from '../database/database.ts';
import { createTestDatabase } from '../dev/stack/test-database.ts';
import { createSandboxAdmin, type SandboxAdmin } from '../dev/stripe-sandbox/admin-client.ts';
import { createStripeSandbox } from '../dev/stripe-sandbox/sandbox.ts';
import type { StripeEvent } from '../domain/stripe-event.ts';
import { type Config, loadConfig } from '../platform/config.ts';
import { freePort } from '../platform/free-port.ts';
import { createLogger } from '../platform/logger.ts';
import { createStripe } from '../platform/stripe.ts';
import { connectTemporal } from '../platform/temporal.ts';

/*
 * The edge against the servers that it talks to, with nobody at work behind it: Temporal keeps the signals of workflows
 * that no worker runs, so what arrives can be read from their histories.
 */

const TASK_QUEUES = taskQueues(`edge-${randomBytes(4).toString('hex')}-`);
const logger = createLogger({ production: true, logLevel: 'silent' }, 'test');
const closing: (() => Promise<unknown>)[] = [];

let config: Config;
let connection: Connection;
let client: Client;
let database: Database;
let stripe: ReturnType<typeof createStripe>;
let admin: SandboxAdmin;

beforeAll(async () => {
  const testDatabase = await createTestDatabase(inject('databaseUrl'));
  closing.push(() => testDatabase.drop());
  const [webhookPort, sandboxPort] = [await freePort(), await freePort()];
  config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: testDatabase.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    STRIPE_SANDBOX_URL: `http://127.0.0.1:${sandboxPort}`,
    STRIPE_SANDBOX_WEBHOOK_URL: `http://127.0.0.1:${webhookPort}/webhook`,
  });
  database = createDatabase({ ...config.database, name: 'test' });
  closing.push(() => database.end());
  connection = await connectTemporal(config, { logger });
  closing.push(() => connection.close());
  client = new Client({ connection, namespace: config.temporal.namespace });
  stripe = createStripe(config.stripe);
  admin = createSandboxAdmin(config.stripeSandbox.url);

  const webhook = await createWebhookReceiver({ config, client, database, stripe, checks: {}, logger });
  closing.push(() => webhook.close());
  await webhook.listen({ host: '127.0.0.1', port: webhookPort });
  const sandbox = createStripeSandbox({
    apiKey: config.stripe.apiKey,
    webhookSecret: config.stripe.endpointSecrets[0]!,
    webhookUrl: config.stripeSandbox.webhookUrl,
  });
  closing.push(() => sandbox.close());
  await sandbox.listen({ host: '127.0.0.1', port: sandboxPort });
});
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

/** A running order of which PostgreSQL knows nothing yet, and its paid session and charge. */
async function paidOrder(metadata?: Record<string, string>) {
  const orderId = randomBytes(12).toString('hex');
  await client.workflow.start('orderLifecycle', { workflowId: orderId, taskQueue: TASK_QUEUES.orders, args: [] });
  const ours = metadata ?? { order_id: orderId };
  const session = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'http://127.0.0.1:9/',
    client_reference_id: orderId,
    metadata: ours,
    payment_intent_data: { metadata: ours },
    line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount: 100, product_data: { name: 'Pencil' } } }],
  });
  const { paymentIntentId } = await admin.pay(session.id);
  const { id, latest_charge: charge } = await stripe.paymentIntents.retrieve(paymentIntentId!);
  const chargeId = typeof charge === 'string' ? charge : charge!.id;
  return { orderId, sessionId: session.id, paymentIntentId: id, chargeId };
}

async function signalsOf(workflowId: string): Promise<StripeEvent[]> {
  const { events = [] } = await client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) => {
    const [payload] = signal?.input?.payloads ?? [];
    return payload === undefined ? [] : [defaultPayloadConverter.fromPayload<StripeEvent>(payload)];
  });
}

async function untilDelivered(type: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const deliveries = (await admin.deliveries()).filter((delivery) => delivery.type === type);
      expect(deliveries.length).toBeGreaterThan(0);
      expect(deliveries.filter(({ status }) => status !== 'delivered')).toEqual([]);
    },
    { timeout: 20_000, interval: 50 },
  );
}

test('a payment, and a dispute that overtakes it, reach an order that has no row', async () => {
  const order = await paidOrder();
  await untilDelivered('checkout.session.completed');
  await admin.openDispute(order.chargeId);
  await untilDelivered('charge.dispute.created');
  expect(await signalsOf(order.orderId)).toMatchObject([
    { about: 'session', session: { payment: 'paid', orderId: order.orderId } },
    { about: 'charge', type: 'charge.dispute.created', paymentIntentId: order.paymentIntentId },
  ]);
});

test('payment, dispute and refund of another sale change nothing, and are not sent again', async () => {
  const sale = await paidOrder({});
  await admin.openDispute(sale.chargeId);
  const other = await paidOrder({});
  await stripe.refunds.create({ payment_intent: other.paymentIntentId });
  for (const type of ['checkout.session.completed', 'charge.dispute.created', 'charge.refunded']) {
    await untilDelivered(type);
  }
  expect([await signalsOf(sale.orderId), await signalsOf(other.orderId)]).toEqual([[], []]);
  const attempts = (await admin.deliveries()).map((delivery) => delivery.attempts);
  expect(Math.max(...attempts)).toBe(1);
});

test('an event in another API version is read again from Stripe', async () => {
  await admin.addWebhookRule({ action: { type: 'drop' }, probability: 1 });
  const { orderId, sessionId } = await paidOrder();
  await admin.clearWebhookRules();
  const object = { id: sessionId, metadata: { order_id: orderId }, amount_total: 1, paid: true };
  const told = { type: 'checkout.session.completed', object, api_version: '2015-04-07' };
  expect((await admin.sendEvent(told)).results).toEqual([200]);
  expect(await signalsOf(orderId)).toMatchObject([{ session: { sessionId, payment: 'paid', amountMinor: 100 } }]);

  const gone = { ...told, object: { ...object, id: 'cs_test_of_another_account' } };
  expect((await admin.sendEvent(gone)).results).toEqual([200]);
  expect(await signalsOf(orderId)).toHaveLength(1);
});

describe('Temporal', () => {
  test('has one workflow for all events of a payment whose order has ended', async () => {
    const orderId = randomBytes(12).toString('hex');
    const paymentIntentId = `pi_${orderId}`;
    const deliver = createEventDelivery({
      client,
      taskQueues: TASK_QUEUES,
      findOrder: async () =>
        ({ orderId, status: 'FINISHED', checkoutSessionId: 'cs_1', paymentIntentId }) as Awaited<
          ReturnType<Parameters<typeof createEventDelivery>[0]['findOrder']>
        >,
      stripeRetryMaxMs: 1000,
    });
    const event = (eventId: string): StripeEvent => ({
      eventId,
      type: 'charge.dispute.created',
      createdMs: 1,
      paymentIntentId,
      about: 'charge',
    });
    expect(await deliver(orderId, event('evt_1'))).toBe('aftercare');
    expect(await deliver(orderId, event('evt_2'))).toBe('aftercare');
    const workflowId = aftercareWorkflowId(paymentIntentId);
    expect((await signalsOf(workflowId)).map(({ eventId }) => eventId)).toEqual(['evt_1', 'evt_2']);

    await client.workflow.getHandle(workflowId).terminate();
    expect(await deliver(orderId, event('evt_3'))).toBe('aftercare');
    expect((await signalsOf(workflowId)).map(({ eventId }) => eventId)).toEqual(['evt_3']);
  });

  test('takes the summary of the longest order, whose ids are all quotes', async () => {
    const orderId = randomBytes(12).toString('hex');
    const orderWorkflow = createOrderWorkflowClient({
      client,
      taskQueues: TASK_QUEUES,
      createTimeoutMs: 2000,
      stripeRetryMaxMs: 1000,
    });
    const creating = orderWorkflow.create({
      orderId,
      customerId: '"'.repeat(128),
      lines: Array.from({ length: 50 }, () => ({ itemId: '"'.repeat(128), quantity: 1 })),
      requestHash: 'hash',
      keyed: false,
      traceId: '1'.repeat(32),
      traceparent: '',
      successUrl: '',
      cancelUrl: '',
      policy: { paymentWindowMs: 1, fulfillmentRetryMs: 1, stripeRetryMaxMs: 1, holdShipmentFor: [] },
    });
    // Nobody works on it, so it is not answered; but it is there.
    await expect(creating).rejects.toMatchObject({ name: 'WorkflowUpdateRPCTimeoutOrCancelledError' });
    expect((await client.workflow.getHandle(orderId).describe()).status.name).toBe('RUNNING');
  });
});
