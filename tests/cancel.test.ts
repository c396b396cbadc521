import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OrderRecord } from '../database/orders.ts';
import { newCustomer, ONE_PENCIL, startWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const eventsOf = (order: OrderRecord) => order.timeline.map(({ event }) => event);
const CANCELLED = { status: 200, body: { errorCode: 0, data: { status: 'CANCELLED' } } };
const REFUNDED = { status: 200, body: { errorCode: 0, data: { status: 'REFUNDED' } } };

describe.concurrent('a customer who cancels', () => {
  test('an order that waits for its payment: it is CANCELLED, and its page at Stripe takes no money', async () => {
    const order = await world.orderWaitingForPayment();
    const answer = await world.cancel(order);
    expect(answer).toMatchObject(CANCELLED);
    expect(answer.body.traceID).toBe(order.traceId);
    expect(await world.pay(order)).toMatchObject({ outcome: 'closed' });
    expect(await world.stripe.sessions(order.orderId)).toMatchObject([{ status: 'expired' }]);
    expect((await world.stripe.ledger(order.orderId)).charges).toEqual([]);
    expect(await world.workflowResult(order.orderId)).toEqual({ status: 'CANCELLED' });
    const { timeline } = await world.order(order.orderId);
    expect(timeline.at(-1)?.detail).toBe('You cancelled this order.');
  });

  test('twice at once, and once more later: each is answered the same', async () => {
    const order = await world.orderWaitingForPayment();
    const [one, other] = await Promise.all([world.cancel(order), world.cancel(order)]);
    expect(one).toMatchObject(CANCELLED);
    expect(other).toEqual(one);
    await world.workflowResult(order.orderId);
    expect(await world.cancel(order)).toEqual(one);
    expect(eventsOf(await world.order(order.orderId))).toEqual([
      'order.created',
      'payment.requested',
      'order.cancelled',
    ]);
  });

  test('an order that is finished: 409, and nothing changes', async () => {
    const order = await world.finishedOrder();
    const answer = await world.cancel(order);
    expect(answer).toMatchObject({ status: 409, body: { errorCode: 2001, data: { status: 'FINISHED' } } });
    expect(answer.body.message).toContain(order.orderId);
    expect(answer.body.message).toContain('can no longer be cancelled');
    expect(await world.order(order.orderId)).toEqual(order);
  });

  test('an order of somebody else: 404, and nothing changes', async () => {
    const order = await world.orderWaitingForPayment();
    const answer = await world.cancel({ ...order, customerId: newCustomer() });
    expect(answer).toMatchObject({ status: 404, body: { errorCode: 2000, data: null } });
    expect(await world.order(order.orderId)).toEqual(order);
  });

  test('while a delayed payment is on its way: 202, and the money goes back when it comes', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order, { method: 'bank_debit' });
    await world.untilEvent(order.orderId, 'payment.processing');
    expect(await world.cancel(order)).toMatchObject({ status: 202, body: { data: { status: 'WAITING_FOR_PAYMENT' } } });
    await world.stripe.settle(order.checkoutSessionId!, 'succeeded');
    const refunded = await world.untilStatus(order.orderId, 'REFUNDED');
    expect(eventsOf(refunded).slice(-3)).toEqual(['order.paid', 'refund.requested', 'order.refunded']);
    expect(await world.cancel(order)).toMatchObject(REFUNDED);
    const { refunds } = await world.stripe.ledger(order.orderId);
    expect(refunds).toMatchObject([{ amountMinor: 100, status: 'succeeded' }]);
  });

  test('while a delayed payment is on its way that the bank then refuses: CANCELLED', async () => {
    const order = await world.orderWaitingForPayment();
    await world.pay(order, { method: 'bank_debit' });
    await world.untilEvent(order.orderId, 'payment.processing');
    expect((await world.cancel(order)).status).toBe(202);
    await world.stripe.settle(order.checkoutSessionId!, 'failed');
    const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
    expect(cancelled.timeline.at(-1)?.detail).toBe('You cancelled this order.');
  });
});

describe.concurrent('Temporal’s own Cancel', () => {
  test('cancels an order that waits for its payment', async () => {
    const order = await world.orderWaitingForPayment();
    await world.client.workflow.getHandle(order.orderId).cancel();
    const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
    expect(cancelled.timeline.at(-1)?.detail).toMatch(/cancelled by the shop|shop cancelled/);
    expect(await world.workflowResult(order.orderId)).toEqual({ status: 'CANCELLED' });
    expect(await world.pay(order)).toMatchObject({ outcome: 'closed' });
  });

  test('together with the customer’s: one end, and both get it', async () => {
    const order = await world.orderWaitingForPayment();
    const [answer] = await Promise.all([world.cancel(order), world.client.workflow.getHandle(order.orderId).cancel()]);
    expect(answer).toMatchObject(CANCELLED);
  });
});

/** These script what all orders meet, so they run one after the other. */
describe('with Stripe in the way', () => {
  test.each([
    { who: 'the customer', cancel: async (order: OrderRecord) => void (await world.cancel(order)) },
    {
      who: 'an operator in Temporal',
      cancel: async ({ orderId }: OrderRecord) => void (await world.client.workflow.getHandle(orderId).cancel()),
    },
  ])('$who cancels while Stripe hangs: CANCELLED, no link, and stock is back', async ({ cancel }) => {
    const path = '/v1/checkout/sessions';
    await world.stripe.addFault({ method: 'POST', path, action: { type: 'hang', ms: 60_000 } });
    await world.stripe.addFault({ method: 'POST', path, times: 100, action: { type: 'error', status: 503 } });
    const order = await world.newOrder();
    await world.until(async () => expect((await world.stripe.faults()).some(({ fired }) => fired > 0)).toBe(true));
    await cancel(order);
    const cancelled = await world.untilStatus(order.orderId, 'CANCELLED');
    await world.stripe.clearFaults();
    expect(cancelled).toMatchObject({ paymentLink: null, checkoutSessionId: null });
    expect(eventsOf(cancelled)).toEqual(['order.created', 'order.cancelled']);
    expect(await world.stripe.sessions(order.orderId)).toEqual([]);
  });

  test('a payment that nobody has told of yet: paid, and refunded in full', async () => {
    const order = await world.orderWaitingForPayment();
    await world.stripe.addWebhookRule({ action: { type: 'drop' }, times: 100 });
    await world.pay(order);
    expect(await world.cancel(order)).toMatchObject(REFUNDED);
    await world.stripe.clearWebhookRules();
    expect(eventsOf(await world.order(order.orderId))).toEqual([
      'order.created',
      'payment.requested',
      'order.paid',
      'refund.requested',
      'order.refunded',
    ]);
    const { charges, refunds } = await world.stripe.ledger(order.orderId);
    expect(charges).toMatchObject([{ amountMinor: 100, amountRefundedMinor: 100 }]);
    expect(refunds).toHaveLength(1);
  });

  test('Stripe answers 500 to the closing of the page, then says that it cannot be closed while it is open', async () => {
    const order = await world.orderWaitingForPayment(ONE_PENCIL);
    const path = '/v1/checkout/sessions/*/expire';
    await world.stripe.addFault({ path, times: 2, action: { type: 'error', status: 500 } });
    await world.cancel(order);
    await world.untilStatus(order.orderId, 'CANCELLED');

    const other = await world.orderWaitingForPayment(ONE_PENCIL);
    const { id } = await world.stripe.addFault({ path, times: 2, action: { type: 'error', status: 400 } });
    await world.cancel(other);
    await world.untilStatus(other.orderId, 'CANCELLED');
    expect((await world.stripe.faults()).find((fault) => fault.id === id)?.fired).toBe(2);
    await world.stripe.clearFaults();
  });
});
