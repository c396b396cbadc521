import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import type { Items } from '../dev/invariants/shop-client.ts';
import { BOOK, PENCIL, startWorld, type World } from './support/world.ts';

const TOKEN = 'a token for the tests';
const operator = { authorization: `Bearer ${TOKEN}` };
/** $25.00: five pencils and four books. */
const ITEMS: Items = [
  { itemID: PENCIL, quantity: 5 },
  { itemID: BOOK, quantity: 4 },
];

type View = {
  readonly status: string;
  readonly left_amount_minor: number;
  readonly kept_amount_minor: number;
  readonly refunds: readonly Record<string, unknown>[];
};

describe('refunds of a part', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      OPERATOR_TOKEN: TOKEN,
      FULFILLMENT_RETRY_SECONDS: '1',
      STRIPE_RETRY_MAX_SECONDS: '0.5',
    });
    await world.database.query('UPDATE items SET restocked = restocked + 500, available = available + 500');
  });
  afterEach(() => world.stripe.clearWebhookRules());
  afterAll(() => world.stop());

  async function finishedOrder(): Promise<OrderRecord> {
    const order = await world.orderWaitingForPayment(ITEMS);
    await world.pay(order);
    return world.untilStatus(order.orderId, 'FINISHED');
  }

  /** A paid order whose goods nobody ships for now. */
  async function paidOrder(): Promise<OrderRecord> {
    await world.stopWorker('fulfillment');
    const order = await world.orderWaitingForPayment(ITEMS);
    await world.pay(order);
    return world.untilStatus(order.orderId, 'PAID');
  }

  const ask = (orderId: string, body: object, key?: string) =>
    world.post<View>(`/api/operator/orders/${orderId}/refund`, body, {
      ...operator,
      ...(key !== undefined && { 'idempotency-key': key }),
    });

  /** Asks for a refund, and waits until it is decided if that takes longer than an answer may. */
  async function refund(orderId: string, body: object, key?: string): ReturnType<typeof ask> {
    const answer = await ask(orderId, body, key);
    if (answer.status !== 202) return answer;
    await world.until(async () =>
      expect((await world.order(orderId)).refunds.filter(({ state }) => state === 'asked')).toEqual([]),
    );
    const read = await fetch(`${world.config.publicUrl}/api/operator/orders/${orderId}`, { headers: operator });
    return { status: 200, body: (await read.json()) as Awaited<ReturnType<typeof ask>>['body'] };
  }
  const refundsAtStripe = async (orderId: string) => (await world.stripe.ledger(orderId)).refunds;
  const item = (item_id: string, quantity: number) => ({ item_id, quantity });

  test('of an amount leaves the status, and says how much, who and why', async () => {
    const { orderId, ...order } = await finishedOrder();
    const answer = await refund(orderId, { amount_minor: 150, reason: 'A dent.' });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        data: {
          status: 'FINISHED',
          kept_amount_minor: 2350,
          left_amount_minor: 2350,
          refunds: [
            {
              amount_minor: 150,
              items: null,
              restock: false,
              reason: 'A dent.',
              state: 'accepted',
              by: 'OPERATOR_TOKEN',
            },
          ],
        },
      },
    });
    const after = await world.order(orderId);
    expect(after.timeline.at(-1)).toMatchObject({
      event: 'payment.refunded',
      detail: 'A dent. $1.50 of $25.00 was refunded.',
      data: { part: { amountMinor: 150, currency: 'USD', items: null, restock: false } },
    });
    const read = await world.read({ orderId, customerId: order.customerId });
    expect(read.body.data).toMatchObject({ refunds: [{ amount_minor: 150, reason: 'A dent.', state: 'accepted' }] });
    expect(JSON.stringify(read.body.data)).not.toContain('stripe_refund_id');
  });

  test('of pieces is their price, and only these come back into stock', async () => {
    const [pencils, books] = [await world.stockOf(PENCIL), await world.stockOf(BOOK)];
    const { orderId } = await finishedOrder();
    const answer = await refund(orderId, { items: [item(PENCIL, 1), item(BOOK, 2)], restock: true });
    expect(answer.body.data.refunds).toMatchObject([
      { amount_minor: 1100, items: [item(PENCIL, 1), item(BOOK, 2)], restock: true },
    ]);
    expect([await world.stockOf(PENCIL), await world.stockOf(BOOK)]).toEqual([pencils - 4, books - 2]);
    await refund(orderId, { items: [item(PENCIL, 1)], restock: false });
    expect(await world.stockOf(PENCIL)).toBe(pencils - 4);
    const whole = await refund(orderId, { restock: true });
    expect(whole.body.data).toMatchObject({ status: 'REFUNDED', kept_amount_minor: 0, left_amount_minor: 0 });
    expect([await world.stockOf(PENCIL), await world.stockOf(BOOK)], 'all is back, and nothing twice').toEqual([
      pencils,
      books,
    ]);
  });

  test('makes the order REFUNDED with the last of them', async () => {
    const { orderId } = await finishedOrder();
    await refund(orderId, { amount_minor: 2000 });
    const answer = await refund(orderId, { amount_minor: 500 });
    expect(answer.body.data).toMatchObject({ status: 'REFUNDED', left_amount_minor: 0 });
    expect((await refundsAtStripe(orderId)).map(({ amountMinor }) => amountMinor)).toEqual([2000, 500]);
    expect((await refund(orderId, { amount_minor: 1 })).body).toMatchObject({ errorCode: 2004 });
  });

  test('asked twice under one key is one, and another one under it is refused', async () => {
    const { orderId } = await finishedOrder();
    const body = { items: [item(PENCIL, 1)], restock: true, reason: 'Broken.' };
    const both = await Promise.all([refund(orderId, body, 'key-1'), refund(orderId, body, '"key-1"')]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect((await refund(orderId, body, 'key-1')).status).toBe(200);
    expect(await refundsAtStripe(orderId)).toHaveLength(1);
    const other = await refund(orderId, { ...body, items: [item(PENCIL, 2)] }, 'key-1');
    expect(other).toMatchObject({ status: 422, body: { errorCode: 2002 } });
    // Another order has keys of its own.
    const second = await finishedOrder();
    expect((await refund(second.orderId, body, 'key-1')).status).toBe(200);
  });

  test('by two operators at once never comes to more than there is, and the second is told what is left', async () => {
    const { orderId } = await finishedOrder();
    const answers = await Promise.all([1, 2, 3].map(() => refund(orderId, { amount_minor: 1000 })));
    expect(answers.map(({ status }) => status).sort((left, right) => left - right)).toEqual([200, 200, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ errorCode: 2004, data: { left_amount_minor: 500 } });
    expect(refused?.body.message).toContain('$5.00 left');
    expect(await refundsAtStripe(orderId)).toHaveLength(2);
  });

  test('of more pieces than there are left, or of what was not ordered, changes nothing', async () => {
    const { orderId } = await finishedOrder();
    await refund(orderId, { items: [item(PENCIL, 4)], restock: false });
    const tooMany = await refund(orderId, { items: [item(PENCIL, 1), item(PENCIL, 1)], restock: false });
    expect(tooMany).toMatchObject({
      status: 409,
      body: { errorCode: 2004, data: { items: [{ item_id: PENCIL, wanted: 2, left: 1 }] } },
    });
    const unknown = await refund(orderId, { items: [item('prod_none', 1)], restock: false });
    expect(unknown).toMatchObject({ status: 400, body: { errorCode: 1000 } });
    expect(unknown.body.message).toContain('prod_none');
    expect(await refundsAtStripe(orderId)).toHaveLength(1);
  });

  test('waits for Stripe as long as it takes, and meanwhile keeps so much from others', async () => {
    const { orderId } = await finishedOrder();
    const fault = { method: 'POST', path: '/v1/refunds', action: { type: 'error', status: 402 } } as const;
    await world.stripe.addFault(fault);
    const asked = ask(orderId, { amount_minor: 2000 });
    await world.untilEvent(orderId, 'refund.delayed');
    const second = await ask(orderId, { amount_minor: 1000 });
    expect(second.body).toMatchObject({ errorCode: 2004, data: { left_amount_minor: 500 } });
    expect(second.body.message).toMatch(/\$5\.00 left to refund, since \$20\.00 are being refunded/);
    await world.stripe.clearFaults();
    await asked;
    await world.until(async () => expect((await world.order(orderId)).keptAmountMinor).toBe(500));
  });

  test('before the order is shipped keeps back what comes into stock again', async () => {
    const pencils = await world.stockOf(PENCIL);
    const { orderId } = await paidOrder();
    const answer = await refund(orderId, { items: [item(PENCIL, 2)], restock: true });
    expect(answer.body.data).toMatchObject({ status: 'PAID', left_amount_minor: 2300 });
    expect(await world.stockOf(PENCIL)).toBe(pencils - 3);
    // All that is left is the whole order: that calls its shipment off.
    expect((await refund(orderId, { amount_minor: 2300 })).body.message).toContain('refund it as a whole');
    await world.startWorker('fulfillment');
    await world.untilStatus(orderId, 'FINISHED');
    expect(await world.stockOf(PENCIL)).toBe(pencils - 3);
  });

  test('and then of the rest as a whole calls the shipment off', async () => {
    const { orderId } = await paidOrder();
    await refund(orderId, { amount_minor: 100 });
    const asked = ask(orderId, { restock: true });
    await world.untilEvent(orderId, 'refund.requested');
    await world.startWorker('fulfillment');
    await asked;
    const order = await world.untilStatus(orderId, 'REFUNDED');
    expect(order.refunds).toMatchObject([
      { amountMinor: 100, isWhole: false, state: 'accepted' },
      { amountMinor: 2400, isWhole: true, state: 'accepted' },
    ]);
  });

  test('that fails at the bank later can be made again, and its pieces come back once', async () => {
    const pencils = await world.stockOf(PENCIL);
    const { orderId } = await finishedOrder();
    const body = { items: [item(PENCIL, 1)], restock: true };
    await refund(orderId, body);
    const [made] = await refundsAtStripe(orderId);
    await world.stripe.failRefund(made!.id);
    const failed = await world.untilEvent(orderId, 'refund.failed');
    expect(failed).toMatchObject({ status: 'FINISHED', keptAmountMinor: 2500, refunds: [{ state: 'failed' }] });
    const again = await refund(orderId, body);
    expect(again.body.data).toMatchObject({
      left_amount_minor: 2400,
      refunds: [{ state: 'failed' }, { state: 'accepted' }],
    });
    expect(await world.stockOf(PENCIL)).toBe(pencils - 4);
  });

  test('of a REFUNDED order whose refund did not arrive', async () => {
    const { orderId } = await finishedOrder();
    await refund(orderId, { restock: true });
    const [made] = await refundsAtStripe(orderId);
    await world.stripe.failRefund(made!.id);
    await world.untilEvent(orderId, 'refund.failed');
    const whole = await refund(orderId, { restock: true });
    expect(whole.body).toMatchObject({ errorCode: 2004, data: { left_amount_minor: 2500 } });
    const part = await refund(orderId, { amount_minor: 2500 });
    expect(part.body.data).toMatchObject({ status: 'REFUNDED', kept_amount_minor: 0, left_amount_minor: 0 });
  });

  test('at the dashboard is a row too, marked as such', async () => {
    const { orderId, paymentIntentId } = await finishedOrder();
    await world.stripe.refundAtDashboard(paymentIntentId!, { amountMinor: 300 });
    const order = await world.untilEvent(orderId, 'payment.refunded');
    expect(order.refunds).toMatchObject([
      { amountMinor: 300, madeAtStripe: true, state: 'accepted', requestedBy: null },
    ]);
    expect(order.keptAmountMinor).toBe(2200);
  });

  test('of more than is left at Stripe, unheard of here, is given up and told', async () => {
    const { orderId, paymentIntentId } = await finishedOrder();
    await world.stripe.addWebhookRule({ action: { type: 'drop' }, probability: 1 });
    await world.stripe.refundAtDashboard(paymentIntentId!, { amountMinor: 2000 });
    const answer = await refund(orderId, { amount_minor: 1000 });
    expect(answer.body).toMatchObject({ errorCode: 2004, data: { left_amount_minor: 500 } });
  });

  test('of a disputed payment waits for the bank', async () => {
    const { orderId } = await finishedOrder();
    const [charge] = (await world.stripe.ledger(orderId)).charges;
    await world.stripe.openDispute(charge!.id);
    expect((await refund(orderId, { amount_minor: 100 })).body.message).toContain('disputed at the bank');
    expect(await refundsAtStripe(orderId)).toEqual([]);
  });

  test.each([
    [{ amount_minor: 0 }, 'amount_minor'],
    [{ amount_minor: 1.5 }, 'amount_minor'],
    [{ amount_minor: 100, restock: true }, 'restock'],
    [{ amount_minor: 100, items: [item(PENCIL, 1)] }, 'items'],
    [{ items: [], restock: true }, 'items'],
    [{ items: [item(PENCIL, 1)] }, 'restock'],
    [{ items: [item(PENCIL, 0)], restock: true }, 'items[0].quantity'],
    [{}, 'restock'],
  ])('a body like %j is refused, and says that of %s', async (body, path) => {
    const { orderId } = await finishedOrder();
    const answer = await refund(orderId, body);
    expect(answer).toMatchObject({ status: 400, body: { errorCode: 1000, data: { fields: [{ path }] } } });
  });
});
