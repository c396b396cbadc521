import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

const TOKEN = 'a token for the tests';
const operator = { authorization: `Bearer ${TOKEN}` };

describe('refunds and disputes after the end', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ OPERATOR_TOKEN: TOKEN });
  });
  afterAll(() => world.stop());

  async function finishedOrder(card?: string): Promise<OrderRecord> {
    const order = await world.orderWaitingForPayment();
    await world.pay(order, card === undefined ? {} : { card });
    return world.untilStatus(order.orderId, 'FINISHED');
  }
  const refund = (orderId: string, body: object = { restock: true }, headers: Record<string, string> = operator) =>
    world.post<{ status: string }>(`/api/operator/orders/${orderId}/refund`, body, headers);

  test.each([
    { restock: true, stockChange: 0 },
    { restock: false, stockChange: -1 },
  ])('of a finished order, restock $restock: twice is once', async ({ restock, stockChange }) => {
    const before = await world.stockOf(PENCIL);
    const { orderId } = await finishedOrder();
    const [first, second] = await Promise.all([refund(orderId, { restock }), refund(orderId, { restock })]);
    expect([first?.status, second?.status]).toEqual([200, 200]);
    expect(await world.order(orderId)).toMatchObject({ status: 'REFUNDED' });
    expect(await world.stockOf(PENCIL)).toBe(before + stockChange);
    const { charges, refunds } = await world.stripe.ledger(orderId);
    expect(charges).toMatchObject([{ amountRefundedMinor: 100 }]);
    expect(refunds).toHaveLength(1);
    expect((await refund(orderId, { restock })).status).toBe(200);
    expect((await world.stripe.ledger(orderId)).refunds).toHaveLength(1);
  });

  test('is not REFUNDED before Stripe accepts it, however often it refuses', async () => {
    const { orderId } = await finishedOrder();
    await world.stripe.addFault({
      method: 'POST',
      path: '/v1/refunds',
      times: 4,
      action: { type: 'error', status: 500 },
    });
    const answer = await refund(orderId);
    expect([200, 202]).toContain(answer.status);
    await world.untilStatus(orderId, 'REFUNDED');
    expect((await world.stripe.ledger(orderId)).refunds).toHaveLength(1);
  });

  test('that fails later at the bank goes to the timeline', async () => {
    const { orderId } = await finishedOrder();
    await refund(orderId);
    const [made] = (await world.stripe.ledger(orderId)).refunds;
    await world.stripe.failRefund(made?.id ?? '');
    const order = await world.untilEvent(orderId, 'refund.failed');
    expect(order.status).toBe('REFUNDED');
  });

  test('a dispute long after the end goes to the timeline', async () => {
    const { orderId } = await finishedOrder();
    const [charge] = (await world.stripe.ledger(orderId)).charges;
    const { id } = await world.stripe.openDispute(charge?.id ?? '');
    await world.untilEvent(orderId, 'payment.disputed');
    await world.stripe.closeDispute(id, 'lost');
    const order = await world.untilStatus(orderId, 'REFUNDED');
    expect(order.timeline.find(({ event }) => event === 'dispute.closed')?.detail).toContain('lost');
    expect(order.timeline.at(-1)?.detail).toContain('Your bank decided the dispute in your favour');
  });

  test('a dispute in the very moment in which the workflow ends is not lost, and moves nothing', async () => {
    for (let round = 0; round < 8; round += 1) {
      const { orderId, ...order } = await world.orderWaitingForPayment();
      await world.pay({ orderId, ...order });
      const [charge] = (await world.stripe.ledger(orderId)).charges;
      // The row is written from within the workflow task that then ends the workflow.
      await vi.waitUntil(async () => (await world.order(orderId)).status === 'FINISHED', {
        interval: 1,
        timeout: 20_000,
      });
      await world.stripe.openDispute(charge?.id ?? '');
      await world.untilEvent(orderId, 'payment.disputed');
      expect(await world.workflowResult(orderId)).toEqual({ status: 'FINISHED' });
      expect((await world.order(orderId)).status).toBe('FINISHED');
    }
  });

  test('of a disputed payment waits for the bank: won is refunded, lost has been given back', async () => {
    for (const decision of ['won', 'lost'] as const) {
      const { orderId } = await finishedOrder();
      const [charge] = (await world.stripe.ledger(orderId)).charges;
      const { id } = await world.stripe.openDispute(charge?.id ?? '');
      await world.untilEvent(orderId, 'payment.disputed');
      const whileOpen = await refund(orderId);
      expect(whileOpen).toMatchObject({ status: 409, body: { errorCode: 2004 } });
      expect(whileOpen.body.message).toContain('until the bank has decided');
      await world.stripe.closeDispute(id, decision);
      await world.untilEvent(orderId, 'dispute.closed');
      expect(await refund(orderId)).toMatchObject({ status: 200, body: { data: { status: 'REFUNDED' } } });
      expect((await world.stripe.ledger(orderId)).refunds).toHaveLength(decision === 'won' ? 1 : 0);
    }
  });

  test('an order that was never paid has nothing to refund', async () => {
    const { orderId } = await world.orderWaitingForPayment();
    expect(await refund(orderId)).toMatchObject({ status: 409, body: { errorCode: 2004 } });
    expect(await refund('0'.repeat(24))).toMatchObject({ status: 404, body: { errorCode: 2000 } });
  });

  test.each([
    { who: 'nobody', headers: {} },
    { who: 'somebody else', headers: { authorization: 'Bearer another token of mine' } },
    { who: 'another scheme', headers: { authorization: `Basic ${TOKEN}` } },
  ])('is refused to $who', async ({ headers }) => {
    const { orderId } = await finishedOrder();
    expect(await refund(orderId, { restock: true }, headers)).toMatchObject({ status: 401, body: { errorCode: 1004 } });
    expect((await world.order(orderId)).status).toBe('FINISHED');
  });

  test.each([{}, { restock: 'yes' }, { restock: true, amount: 5 }])('a body like %j is refused', async (body) => {
    expect(await refund('0'.repeat(24), body)).toMatchObject({ status: 400, body: { errorCode: 1000 } });
  });

  test('support finds the order by payment intent, checkout session and tracking number', async () => {
    const order = await finishedOrder();
    const list = async (query: string) => {
      const response = await fetch(`${world.config.publicUrl}/api/operator/orders?${query}`, { headers: operator });
      return { status: response.status, body: (await response.json()) as { data: unknown } };
    };
    for (const query of [
      `payment_intent=${order.paymentIntentId}`,
      `checkout_session=${order.checkoutSessionId}`,
      `tracking_number=${order.trackingNumber}&status=FINISHED`,
      `order_id=${order.orderId}&customer=${order.customerId}`,
    ]) {
      expect(await list(query), `found by ${query}`).toEqual({
        status: 200,
        body: expect.objectContaining({
          data: { orders: [expect.objectContaining({ order_id: order.orderId })], next_cursor: null },
        }),
      });
    }
    expect(await list('tracking_number=nothing')).toMatchObject({ status: 200, body: { data: { orders: [] } } });
    const read = await fetch(`${world.config.publicUrl}/api/operator/orders/${order.orderId}`, { headers: operator });
    expect(await read.json()).toMatchObject({ data: { payment_intent_id: order.paymentIntentId } });
  });
});
