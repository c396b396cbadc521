import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { orderParams, paidOrder, startReceiver, startSandbox } from './testing/test-support.ts';

const DEADLINE_MS = 10_000;

const paid = ['charge.succeeded', 'checkout.session.completed', 'payment_intent.created', 'payment_intent.succeeded'];

function stateFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stripe-sandbox-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'state.jsonl');
}

test('an event has its whole envelope, and its object as it was when it happened', async () => {
  const receiver = await startReceiver();
  const { stripe, admin } = await startSandbox({ webhookUrl: receiver.url });
  const { id } = await stripe.checkout.sessions.create(orderParams());
  const { paymentIntentId } = await admin.pay(id);
  await vi.waitFor(() => expect(receiver.types().toSorted()).toEqual(paid), DEADLINE_MS);
  const completed = receiver.events.find(({ type }) => type === 'checkout.session.completed');
  expect(completed).toMatchObject({
    id: expect.stringMatching(/^evt_/),
    object: 'event',
    api_version: '2026-10-28.endive',
    livemode: false,
    request: { id: null, idempotency_key: null },
    data: { object: { id, payment_status: 'paid', payment_intent: paymentIntentId, client_reference_id: 'order_1' } },
  });
  const created = receiver.events.find(({ type }) => type === 'payment_intent.created');
  expect(created?.data.object).toMatchObject({ status: 'requires_payment_method' });
  const refund = await stripe.refunds.create({ payment_intent: paymentIntentId ?? '' }, { idempotencyKey: 'refund-1' });
  const [event] = await admin.events('refund.created');
  expect(event).toMatchObject({ request: { id: refund.lastResponse.requestId, idempotency_key: 'refund-1' } });
  await vi.waitFor(async () => {
    const retrieved = await stripe.events.retrieve(event?.id ?? '');
    expect(retrieved).toMatchObject({ type: 'refund.created', pending_webhooks: 0 });
  }, DEADLINE_MS);
});

test('what is not taken is delivered again', async () => {
  const receiver = await startReceiver();
  receiver.answers.push(500, 302, 200);
  const { stripe, admin } = await startSandbox({ webhookUrl: receiver.url });
  const { id } = await stripe.checkout.sessions.create(orderParams());
  await admin.addWebhookRule({
    types: paid.filter((type) => type !== 'charge.succeeded'),
    action: { type: 'drop' },
    times: 3,
  });
  await admin.pay(id);
  await vi.waitFor(() => expect(receiver.events).toHaveLength(1), DEADLINE_MS);
  await vi.waitFor(async () => {
    const delivery = (await admin.deliveries()).find(({ type }) => type === 'charge.succeeded');
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1, lastResult: 500 });
  }, DEADLINE_MS);
  // The next attempts are due a second and six seconds later; setting the address tries them at once.
  for (const count of [2, 3]) {
    await admin.setWebhook({ url: receiver.url });
    await vi.waitFor(() => expect(receiver.events).toHaveLength(count), DEADLINE_MS);
  }
  await vi.waitFor(async () => {
    expect((await admin.deliveries()).map(({ status, attempts }) => `${status} ${attempts}`).toSorted()).toEqual([
      'delivered 3',
      'dropped 0',
      'dropped 0',
      'dropped 0',
    ]);
  }, DEADLINE_MS);
  expect(new Set(receiver.events.map((event) => event.id)).size).toBe(1);
});

test('it tries again by itself after a second', async () => {
  const receiver = await startReceiver();
  receiver.answers.push(503);
  const { stripe, admin } = await startSandbox({ webhookUrl: receiver.url });
  const { id } = await stripe.checkout.sessions.create(orderParams());
  await stripe.checkout.sessions.expire(id);
  await vi.waitFor(() => expect(receiver.events).toHaveLength(2), DEADLINE_MS);
  await vi.waitFor(async () => expect((await admin.deliveries())[0]?.status).toBe('delivered'), DEADLINE_MS);
});

test('events wait until there is an address', async () => {
  const receiver = await startReceiver();
  const { stripe, admin } = await startSandbox();
  await admin.pay((await stripe.checkout.sessions.create(orderParams())).id);
  expect(receiver.events).toEqual([]);
  await admin.setWebhook({ url: receiver.url });
  await vi.waitFor(() => expect(receiver.types().toSorted()).toEqual(paid), DEADLINE_MS);
});

test('events wait for the next process', async () => {
  const file = stateFile();
  const first = await startSandbox({ stateFile: file });
  const { id } = await first.stripe.checkout.sessions.create(orderParams());
  await first.admin.pay(id);
  expect((await first.admin.deliveries()).map(({ status, attempts }) => [status, attempts])).toEqual(
    paid.map(() => ['pending', 0]),
  );
  await first.sandbox.close();
  const receiver = await startReceiver();
  const second = await startSandbox({ stateFile: file, webhookUrl: receiver.url });
  await vi.waitFor(() => expect(receiver.types().toSorted()).toEqual(paid), DEADLINE_MS);
  await vi.waitFor(
    async () => expect((await second.admin.deliveries()).every(({ status }) => status === 'delivered')).toBe(true),
    DEADLINE_MS,
  );
});

test('rules drop, duplicate, hold and shuffle; by id anything is redelivered', async () => {
  const receiver = await startReceiver();
  const { stripe, admin } = await startSandbox({ webhookUrl: receiver.url });
  await admin.addWebhookRule({ types: ['charge.succeeded'], action: { type: 'drop' } });
  await admin.addWebhookRule({ types: ['payment_intent.succeeded'], action: { type: 'duplicate', copies: 5 } });
  await admin.addWebhookRule({ types: ['checkout.session.completed'], action: { type: 'hold' } });
  await admin.addWebhookRule({ action: { type: 'shuffle', windowMs: 50 }, probability: 1, seed: 7 });
  const { id } = await stripe.checkout.sessions.create(orderParams());
  await admin.pay(id);
  const expected = ['payment_intent.created', ...Array.from({ length: 5 }, () => 'payment_intent.succeeded')];
  await vi.waitFor(() => expect(receiver.types().toSorted()).toEqual(expected), DEADLINE_MS);
  expect(await admin.releaseEvents()).toEqual({ released: 1 });
  await vi.waitFor(() => expect(receiver.types()).toContain('checkout.session.completed'), DEADLINE_MS);
  const [dropped] = await admin.events('charge.succeeded');
  expect(await admin.redeliver(dropped?.id ?? '', 2)).toEqual({ id: dropped?.id, results: [200, 200] });
  expect(receiver.types().filter((type) => type === 'charge.succeeded')).toHaveLength(2);
  expect((await admin.webhookRules()).map(({ fired }) => fired)).toEqual([1, 1, 1, 4]);
  await admin.clearWebhookRules();
  expect(await admin.webhookRules()).toEqual([]);
});

test('a part of the events is dropped, and the same ones with the same seed', async () => {
  const statuses = await Promise.all(
    [1, 2].map(async () => {
      const { stripe, admin } = await startSandbox();
      await admin.addWebhookRule({ action: { type: 'drop' }, probability: 0.3, seed: 42 });
      for (let order = 0; order < 10; order += 1) {
        await admin.pay((await stripe.checkout.sessions.create(orderParams(`o${order}`))).id);
      }
      return (await admin.deliveries()).map(({ status }) => status);
    }),
  );
  expect(statuses[0]).toEqual(statuses[1]);
  const dropped = statuses[0]?.filter((status) => status === 'dropped').length ?? 0;
  expect(dropped).toBeGreaterThan(4);
  expect(dropped).toBeLessThan(20);
});

test('an event by hand is signed as configured; another secret is not taken', async () => {
  const receiver = await startReceiver();
  const { admin } = await startSandbox({ webhookUrl: receiver.url });
  const event = { type: 'checkout.session.completed', object: { id: 'cs_foreign' }, livemode: true };
  expect(await admin.sendEvent(event)).toMatchObject({ results: [200] });
  expect(receiver.events).toMatchObject([{ livemode: true, data: { object: { id: 'cs_foreign' } } }]);
  await admin.setWebhook({ secret: 'whsec_another' });
  expect(await admin.sendEvent(event)).toMatchObject({ results: [400] });
  expect(await admin.events()).toEqual([]);
});

test('any body is sent once, signed, and its answer is told', async () => {
  const receiver = await startReceiver();
  const { admin } = await startSandbox();
  expect(await admin.sendRaw({})).toBe('no webhook URL is set');
  await admin.setWebhook({ url: receiver.url });
  const thin = { id: 'evt_thin', object: 'v2.core.event', type: 'v1.billing.meter.no_meter_found', livemode: false };
  // The SDK refuses a thin event where it looks for an event with its object.
  expect(await admin.sendRaw(thin)).toBe(400);
  const foreign = {
    id: 'evt_foreign',
    object: 'event',
    account: 'acct_other',
    api_version: '2011-01-01',
    type: 'made.up',
  };
  expect(await admin.sendRaw(JSON.stringify(foreign, null, 2))).toBe(200);
  expect(receiver.events).toEqual([foreign]);
  // Signed, but the receiver's SDK can't read it.
  expect(await admin.sendRaw('no JSON')).toBe(400);
  receiver.answers.push(503);
  expect(await admin.sendRaw(foreign)).toBe(503);
  expect(await admin.sendRaw({ padding: 'x'.repeat(2_000_000) })).toBe(200);
  expect(await admin.deliveries()).toEqual([]);
  expect(await admin.events()).toEqual([]);
});

test('events of each type are held, released by their type, and dropped', async () => {
  const receiver = await startReceiver();
  const world = await startSandbox({ webhookUrl: receiver.url });
  const { admin, stripe } = world;
  await admin.addWebhookRule({ types: ['refund.failed'], action: { type: 'drop' }, times: 100 });
  await admin.addWebhookRule({ action: { type: 'hold' }, times: 100 });
  const order = await paidOrder(world, '4000000000009235', 'reviewed');
  const refund = await admin.refundAtDashboard(order.paymentIntentId, { pending: true });
  await admin.failRefund(refund.id);
  const inquired = await paidOrder(world, '4000000000005423', 'inquired');
  const { id } = await admin.openDispute(inquired.chargeId, 'general', { inquiry: true });
  await admin.submitEvidence(id);
  await admin.escalateInquiry(id);
  await admin.closeDispute(id, 'won');
  await stripe.refunds.create({ payment_intent: inquired.paymentIntentId });
  expect(receiver.events).toEqual([]);
  const types = new Set((await admin.events()).map(({ type }) => type));
  expect(types.size).toBe(18);
  for (const type of types) {
    const held = (await admin.deliveries()).filter((delivery) => delivery.type === type && delivery.status === 'held');
    receiver.events.length = 0;
    expect(await admin.releaseEvents({ types: [type] })).toEqual({
      released: type === 'refund.failed' ? 0 : held.length,
    });
    await vi.waitFor(() => expect(receiver.types()).toEqual(held.map(() => type)), DEADLINE_MS);
  }
  expect(await admin.releaseEvents()).toEqual({ released: 0 });
  expect((await admin.deliveries()).filter(({ status }) => status === 'dropped').map(({ type }) => type)).toEqual([
    'refund.failed',
  ]);
});
