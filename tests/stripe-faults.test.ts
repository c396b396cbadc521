import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import type { Fault } from '../dev/stripe-sandbox/faults.ts';
import type { Items } from '../dev/invariants/shop-client.ts';
import { startWorld, type World } from './support/world.ts';

const CREATE = { method: 'POST', path: '/v1/checkout/sessions' } as const;
const lastDetailOf = (order: OrderRecord) => order.timeline.at(-1)?.detail;

/** Orders that wait until Stripe is asked again. */
const pending: OrderRecord[] = [];

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

describe('while the payment link is created, Stripe', () => {
  test.each([
    { what: 'is down for a while', times: 4, action: { type: 'error', status: 503 } },
    { what: 'answers 500', times: 2, action: { type: 'error', status: 500 } },
    { what: 'answers 500 after the effect', times: 1, action: { type: 'error', status: 500, effect: true } },
    { what: 'keeps a 500 under the key', times: 2, action: { type: 'error', status: 500, stored: true } },
    { what: 'says that the key is in use', times: 3, action: { type: 'error', status: 409 } },
    { what: 'asks to slow down', times: 4, action: { type: 'error', status: 429 } },
    { what: 'resets the connection before the effect', times: 4, action: { type: 'reset', when: 'before' } },
    { what: 'resets the connection after the effect', times: 4, action: { type: 'reset', when: 'after' } },
    { what: 'is slow', times: 1, action: { type: 'delay', ms: 2_000 } },
  ] satisfies (Pick<Fault, 'times' | 'action'> & { what: string })[])(
    '$what: PENDING meanwhile, then one session and one charge',
    async ({ times, action }) => {
      const { id } = await world.stripe.addFault({ ...CREATE, times, action });
      const order = await world.newOrder();
      expect(order).toMatchObject({ status: 'PENDING', paymentLink: null });
      const waiting = await world.untilStatus(order.orderId, 'WAITING_FOR_PAYMENT');
      expect((await world.stripe.faults()).find((fault) => fault.id === id)?.fired).toBe(times);
      await world.stripe.clearFaults();

      expect(await world.stripe.sessions(order.orderId)).toMatchObject([{ id: waiting.checkoutSessionId }]);
      await world.pay(waiting);
      await world.untilStatus(order.orderId, 'FINISHED');
      const { charges } = await world.stripe.ledger(order.orderId);
      expect(charges).toMatchObject([{ amountMinor: 100, amountRefundedMinor: 0 }]);
    },
  );

  test.each([
    { what: 'does not take our key', action: { type: 'error', status: 401 } },
    { what: 'says that our key may not do this', action: { type: 'error', status: 403 } },
    {
      what: 'got other parameters under the key',
      action: { type: 'error', status: 400, errorType: 'idempotency_error' },
    },
  ] satisfies (Pick<Fault, 'action'> & { what: string })[])(
    '$what: not the order’s fault, so it stays PENDING and goes on by itself',
    async ({ action }) => {
      await world.stripe.addFault({ ...CREATE, action });
      const order = await world.newOrder();
      await world.until(async () => expect((await world.stripe.faults()).at(-1)?.fired).toBe(1));
      expect((await world.order(order.orderId)).status).toBe('PENDING');
      await world.stripe.clearFaults();
      pending.push(order);
    },
  );
});

describe.concurrent('an amount that Stripe does not take', () => {
  test.each([
    { what: 'too small', item: { itemId: 'sticker', unitAmountMinor: 10, currency: 'USD', available: 5 }, quantity: 1 },
    {
      what: 'too large',
      item: { itemId: 'yacht', unitAmountMinor: 99_999_999, currency: 'USD', available: 5 },
      quantity: 2,
    },
  ])('$what: CANCELLED with the reason, and stock is back', async ({ item, quantity }) => {
    await world.stockItem(item);
    const order = await world.newOrder([{ itemID: item.itemId, quantity }]);
    const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
    expect(lastDetailOf(cancelled)).toMatch(
      /The payment service refused the payment.*(below the minimum|above the maximum)/,
    );
    expect(cancelled.paymentLink).toBeNull();
    expect(await world.stockOf(item.itemId)).toBe(5);
    expect(await world.stripe.sessions(order.orderId)).toEqual([]);
    expect(await world.cancel(order)).toMatchObject({ status: 200, body: { data: { status: 'CANCELLED' } } });
  });
});

describe.concurrent('money in other currencies', () => {
  test.each([
    { currency: 'JPY', unitAmountMinor: 500, total: 1500, says: '¥1,500' },
    { currency: 'EUR', unitAmountMinor: 1999, total: 5997, says: '€59.97' },
    { currency: 'KWD', unitAmountMinor: 1230, total: 3690, says: 'KWD 3.690' },
  ])('$currency: the amount that is charged is the order’s', async ({ currency, unitAmountMinor, total, says }) => {
    await world.stockItem({ itemId: `item-${currency}`, unitAmountMinor, currency, available: 5 });
    const order = await world.newOrder([{ itemID: `item-${currency}`, quantity: 3 }]);
    expect(order).toMatchObject({ totalAmountMinor: total, currency });
    // Some write a space there that does not break.
    expect(order.timeline[0]?.detail.replaceAll('\u00a0', ' ')).toContain(says);
    await world.pay(await world.untilStatus(order.orderId, 'WAITING_FOR_PAYMENT'));
    await world.untilStatus(order.orderId, 'FINISHED');
    const { charges } = await world.stripe.ledger(order.orderId);
    expect(charges).toMatchObject([{ amountMinor: total, currency: currency.toLowerCase() }]);
  });

  test('an order has one currency: 400 that names both, and nothing is held', async () => {
    await world.stockItem({ itemId: 'in-gbp', unitAmountMinor: 100, currency: 'GBP', available: 5 });
    await world.stockItem({ itemId: 'in-chf', unitAmountMinor: 100, currency: 'CHF', available: 5 });
    const items: Items = ['in-gbp', 'in-chf'].map((itemID) => ({ itemID, quantity: 1 }));
    const answer = await world.create('customer', items);
    expect(answer).toMatchObject({ status: 400, body: { errorCode: 1000 } });
    expect(answer.body.message).toContain('CHF and GBP');
    expect([await world.stockOf('in-gbp'), await world.stockOf('in-chf')]).toEqual([5, 5]);
  });

  test('a price that changes later does not change an order that was made before', async () => {
    await world.stockItem({ itemId: 'dear', unitAmountMinor: 100, currency: 'USD', available: 5 });
    const order = await world.orderWaitingForPayment([{ itemID: 'dear', quantity: 1 }]);
    await world.database.query(`UPDATE items SET unit_amount_minor = 900 WHERE item_id = 'dear'`);
    await world.pay(order);
    expect(await world.untilStatus(order.orderId, 'FINISHED')).toMatchObject({ totalAmountMinor: 100 });
  });
});

/** Last, so that the half minute until they are tried again passes meanwhile. */
test('orders that Stripe refused because of wrong settings are payable as soon as those are fixed', async () => {
  expect(pending).toHaveLength(3);
  const patienceMs = 60_000;
  await Promise.all(
    pending.map(async ({ orderId }) => {
      await world.until(
        async () => expect((await world.order(orderId)).status).toBe('WAITING_FOR_PAYMENT'),
        patienceMs,
      );
      await world.pay(await world.order(orderId));
      expect((await world.untilStatus(orderId, 'FINISHED')).timeline).toHaveLength(4);
    }),
  );
}, 90_000);
