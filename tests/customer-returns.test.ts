import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import { startWorld, type World } from './support/world.ts';

describe.concurrent('a customer who comes back from Stripe, whose events are lost', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
    await world.stripe.addWebhookRule({ action: { type: 'drop' }, probability: 1 });
  });
  afterAll(() => world.stop());

  test('having paid: the order is PAID and goes on', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order);
    await world.comeBack(order);
    await world.untilStatus(order.orderId, 'FINISHED');
    expect(await readsOf(order)).toBe(1);
  });

  test('without having paid: the order waits on, and the next return finds the payment', async () => {
    const order = await world.orderWaitingForPayment();
    await world.comeBack(order);
    await world.until(async () => expect(await readsOf(order)).toBe(1));
    expect((await world.order(order.orderId)).status).toBe('WAITING_FOR_PAYMENT');

    await world.pay(order);
    await world.comeBack(order);
    await world.untilStatus(order.orderId, 'FINISHED');
  });

  test('ten times: Stripe is not asked more than three times', async () => {
    const order = await world.orderWaitingForPayment();
    await Promise.all(Array.from({ length: 10 }, () => world.comeBack(order)));
    await world.until(async () => expect(await readsOf(order)).toBe(3));
    await world.cancel(order);
    expect(await readsOf(order)).toBe(3);
  });

  test('for ever: the history of the order stays short', async () => {
    const order = await world.orderWaitingForPayment();
    for (let round = 0; round < 30; round += 1) await world.comeBack(order);
    await world.until(async () => expect(await readsOf(order)).toBe(3));
    const { historyLength } = await world.client.workflow.getHandle(order.orderId).describe();
    expect(historyLength).toBeLessThan(80);
    await world.cancel(order);
  });

  test('while a delayed payment is under way: no return starts another chain of questions', async () => {
    const other = await startWorld({ PAYMENT_WINDOW_SECONDS: '3' });
    try {
      const order = await other.orderWaitingForPayment();
      await other.pay(order, { method: 'bank_debit' });
      await other.untilEvent(order.orderId, 'payment.processing');
      for (let round = 0; round < 3; round += 1) await other.comeBack(order);
      const path = `/v1/checkout/sessions/${order.checkoutSessionId}`;
      const reads = async () => (await other.stripe.requests()).filter((request) => request.path === path).length;
      await other.until(async () => expect(await reads()).toBeGreaterThanOrEqual(5), 20_000);
      const { events } = await other.client.workflow.getHandle(order.orderId).fetchHistory();
      // The window and, after 3 and 6 more seconds, two questions: one chain.
      const timers = (events ?? []).filter((event) => event.timerStartedEventAttributes).length;
      expect(timers).toBeLessThanOrEqual(3);
      await other.stripe.settle(order.checkoutSessionId!, 'succeeded');
      await other.untilStatus(order.orderId, 'FINISHED');
    } finally {
      await other.stop();
    }
  }, 60_000);

  test('when Stripe cannot be asked: the order waits on, and asks until it can', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order);
    const path = `/v1/checkout/sessions/${order.checkoutSessionId}`;
    await world.stripe.addFault({ method: 'GET', path, times: 3, action: { type: 'error', status: 500 } });
    await world.comeBack(order);
    await world.untilStatus(order.orderId, 'FINISHED');
    expect(await readsOf(order)).toBe(4);
  });

  async function readsOf({ checkoutSessionId }: OrderRecord): Promise<number> {
    const requests = await world.stripe.requests();
    const path = `/v1/checkout/sessions/${checkoutSessionId}`;
    return requests.filter((request) => request.method === 'GET' && request.path === path).length;
  }
});
