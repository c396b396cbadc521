import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paymentWindowEnd } from '../api/pages/payment/time-to-pay.ts';
import type { OrderRecord } from '../database/orders.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

const eventsOf = (order: OrderRecord) => order.timeline.map(({ event }) => event);
const lastDetailOf = (order: OrderRecord) => order.timeline.at(-1)?.detail;

/** Long enough to begin a payment in, on a machine that does other things too. */
const WINDOW_SECONDS = 6;

let world: World;
beforeAll(async () => {
  world = await startWorld({ PAYMENT_WINDOW_SECONDS: String(WINDOW_SECONDS) });
});
afterAll(() => world.stop());

describe.concurrent('when the payment window ends', () => {
  test('unpaid: EXPIRED, Stripe’s page takes no money, and the stock is back', async () => {
    const order = await world.orderWaitingForPayment();
    const expired = await world.untilStatus(order.orderId, 'EXPIRED');
    expect(eventsOf(expired)).toEqual(['order.created', 'payment.requested', 'order.expired']);
    expect(lastDetailOf(expired)).toBe('The order was not paid in time. Nothing was charged.');
    expect(await world.pay(order)).toMatchObject({ outcome: 'closed' });
    expect(await world.stripe.sessions(order.orderId)).toMatchObject([{ status: 'expired', paymentStatus: 'unpaid' }]);
    expect(await world.workflowResult(order.orderId)).toEqual({ status: 'EXPIRED' });
    expect(await world.read(order)).toMatchObject({ status: 200, body: { data: { status: 'EXPIRED' } } });
  });

  test('what the payment page says of the time left is what the workflow’s timer does', async () => {
    const order = await world.orderWaitingForPayment();
    const [, requested] = order.timeline;
    expect(requested?.data.paymentWindowMs).toBe(WINDOW_SECONDS * 1000);
    const end = paymentWindowEnd(order)!;
    expect(end.getTime()).toBe(requested!.at.getTime() + WINDOW_SECONDS * 1000);
    const expired = await world.untilStatus(order.orderId, 'EXPIRED');
    expect(expired.timeline.at(-1)!.at.getTime()).toBeGreaterThanOrEqual(end.getTime());
  });

  test('a cancel that comes later changes nothing', async () => {
    const order = await world.orderWaitingForPayment();
    const expired = await world.untilStatus(order.orderId, 'EXPIRED');
    await world.workflowResult(order.orderId);
    expect(await world.cancel(order)).toMatchObject({ status: 200, body: { data: { status: 'EXPIRED' } } });
    expect(await world.order(order.orderId)).toEqual(expired);
  });

  test('a delayed payment may still be on its way: the order waits for it, and is FINISHED when it comes', async () => {
    const order = await afterTheWindow(await delayed());
    await world.stripe.settle(order.checkoutSessionId!, 'succeeded');
    expect(eventsOf(await world.untilStatus(order.orderId, 'FINISHED'))).toContain('payment.processing');
  });

  test('a delayed payment that the bank refuses afterwards: EXPIRED', async () => {
    const order = await afterTheWindow(await delayed());
    await world.stripe.settle(order.checkoutSessionId!, 'failed');
    const expired = await world.untilStatus(order.orderId, 'EXPIRED');
    expect(lastDetailOf(expired)).toBe('The order was not paid in time. Nothing was charged.');
  });

  test('a customer who cancels while a delayed payment is on its way gets the money back', async () => {
    const order = await afterTheWindow(await delayed());
    expect(await world.cancel(order)).toMatchObject({ status: 202 });
    await world.stripe.settle(order.checkoutSessionId!, 'succeeded');
    await world.untilStatus(order.orderId, 'REFUNDED');
    expect(await world.cancel(order)).toMatchObject({ status: 200, body: { data: { status: 'REFUNDED' } } });
  });
});

describe.concurrent('when Stripe’s events are lost', () => {
  beforeAll(async () => {
    await world.stripe.addWebhookRule({ action: { type: 'drop' }, probability: 1 });
  });
  afterAll(() => world.stripe.clearWebhookRules());

  test('a paid order is PAID when the window ends', async () => {
    const order = await world.orderWaitingForPayment();
    expect(await world.pay(order)).toMatchObject({ outcome: 'succeeded' });
    const finished = await world.untilStatus(order.orderId, 'FINISHED');
    expect(eventsOf(finished)).toEqual(['order.created', 'payment.requested', 'order.paid', 'order.finished']);
    expect(await dropped()).toContain('checkout.session.completed');
  });

  test.each([
    { result: 'succeeded', status: 'FINISHED' },
    { result: 'failed', status: 'EXPIRED' },
  ] as const)(
    'a delayed payment that $result is asked for again: $status',
    async ({ result, status }) => {
      const order = await world.orderWaitingForPayment();
      await world.pay(order, { method: 'bank_debit' });
      await world.untilEvent(order.orderId, 'payment.processing');
      await world.stripe.settle(order.checkoutSessionId!, result);
      await world.until(async () => expect((await world.order(order.orderId)).status).toBe(status), 40_000);
    },
    60_000,
  );
});

test('nothing is left held once all is over', async () => {
  const held = await world.database.query(
    `SELECT count(*)::integer AS orders FROM reservations JOIN orders USING (order_id)
      WHERE state = 'held' AND status <> 'FINISHED'`,
  );
  expect(held.rows).toEqual([{ orders: 0 }]);
  const finished = await world.database.query(`SELECT FROM orders WHERE status = 'FINISHED'`);
  expect(await world.stockOf(PENCIL)).toBe(100 - (finished.rowCount ?? 0));
});

async function delayed(): Promise<OrderRecord> {
  const order = await world.orderWaitingForPayment();
  expect(await world.pay(order, { method: 'bank_debit' })).toMatchObject({ outcome: 'processing' });
  return world.untilEvent(order.orderId, 'payment.processing');
}

/** Waits until the window has ended and Stripe has refused to close the page. */
async function afterTheWindow(order: OrderRecord): Promise<OrderRecord> {
  const path = `/v1/checkout/sessions/${order.checkoutSessionId}/expire`;
  await world.until(async () => {
    const requests = await world.stripe.requests();
    expect(requests.filter((request) => request.path === path && request.status === 400)).toHaveLength(1);
  });
  expect((await world.order(order.orderId)).status).toBe('WAITING_FOR_PAYMENT');
  return order;
}

async function dropped(): Promise<string[]> {
  const deliveries = await world.stripe.deliveries();
  return deliveries.filter(({ status }) => status === 'dropped').map(({ type }) => type);
}
